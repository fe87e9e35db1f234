import Foundation
import KitiCore
import XCTest

/// Directions of scattering are uniform on the sphere.
final class CollisionDirectionTests: XCTestCase {
  /// Directions of `count` collisions of two particles of d coordinates.
  private func directions(_ d: Int, count: Int) throws -> [[Double]] {
    let rig = CollisionRig(try Particles(features: 2 * d, width: d), .eager)
    var numbers = TestNumbers(50)
    let (x, v) = (numbers.normals(2 * d), numbers.normals(2 * d))
    return (0..<count).map { step in
      _ = rig.collide(x, v, pass: Pass(isTraining: true, seed: 8, step: UInt64(step)))
      return rig.residual.pairs(sample: 0)[0].direction
    }
  }

  func testMeanIsZeroAndCovarianceIsIsotropic() throws {
    let count = 40_000
    for d in [1, 2, 3, 16] {
      let e = try directions(d, count: count)
      let (n, k) = (Double(count), Double(d))
      for direction in e.prefix(1_000) { XCTAssertEqual(dot(direction, direction), 1, accuracy: 1e-6) }
      for a in 0..<d {
        let mean = e.reduce(0) { $0 + $1[a] } / n
        XCTAssertEqual(mean, 0, accuracy: 4 / (k * n).squareRoot(), "mean of coordinate \(a) of \(d)")
        for b in a..<d {
          let product = e.reduce(0) { $0 + $1[a] * $1[b] } / n
          // E[e_a⁴] = 3/(d(d+2)) and E[e_a² e_b²] = 1/(d(d+2)).
          let variance = a == b ? 3 / (k * (k + 2)) - 1 / (k * k) : 1 / (k * (k + 2))
          XCTAssertEqual(
            product, a == b ? 1 / k : 0, accuracy: Statistics.standardErrors * (variance / n).squareRoot() + 1e-6,
            "covariance (\(a), \(b)) of \(d)")
        }
      }
    }
  }

  func testAnglesInThePlaneAreUniform() throws {
    let angles = try directions(2, count: 40_000).map { Float(atan2($0[1], $0[0])) }
    let distance = Statistics.kolmogorovDistance(angles) { ($0 + .pi) / (2 * .pi) }
    XCTAssertLessThan(distance, Statistics.kolmogorovLimit(count: angles.count))
  }

  func testEveryCoordinateInSpaceIsUniform() throws {
    // A uniform direction in three dimensions has uniform coordinates (Archimedes).
    let e = try directions(3, count: 40_000)
    for axis in 0..<3 {
      let distance = Statistics.kolmogorovDistance(e.map { Float($0[axis]) }) { ($0 + 1) / 2 }
      XCTAssertLessThan(distance, Statistics.kolmogorovLimit(count: e.count))
    }
  }

  func testDirectionsOfOneSampleAreIndependent() throws {
    let particles = try Particles(places: 40, channels: 3, divide: 1)
    let rig = CollisionRig(particles, .eager)
    var numbers = TestNumbers(51)
    let (x, v) = (numbers.normals(120), numbers.normals(120))
    var (sum, count) = (0.0, 0.0)
    for step in 0..<2_000 {
      _ = rig.collide(x, v, pass: Pass(isTraining: true, seed: 9, step: UInt64(step)))
      let pairs = rig.residual.pairs(sample: 0)
      for (one, other) in zip(pairs, pairs.dropFirst()) {
        sum += dot(one.direction, other.direction)
        count += 1
      }
    }
    // e·e' of independent directions has mean 0 and variance 1/d.
    XCTAssertEqual(sum / count, 0, accuracy: Statistics.standardErrors / (3 * count).squareRoot())
  }

  /// Many pairs of many coordinates share normal vectors: each direction is uniform all the same, and no two are correlated.
  func testDirectionsOfManyPairsOfADenseSample() throws {
    for d in [64, 75, 256] {
      let particles = try Particles(places: 24, channels: d, divide: 1)
      let options = CollisionOptions(scheme: .dense, acceptance: .constant, coefficient: 1)
      let rig = CollisionRig(particles, options)
      var numbers = TestNumbers(52)
      let (x, v) = (numbers.normals(24 * d), numbers.normals(24 * d))
      let k = Double(d)
      var sums = [Double](repeating: 0, count: d)
      var (n, squares, neighbours, follows) = (0.0, [Double](repeating: 0, count: d), 0.0, 0.0)
      for step in 0..<60 {
        let pass = Pass(isTraining: true, seed: 12, step: UInt64(step))
        _ = rig.collide(x, v, pass: pass)
        let e = rig.residual.pairs(sample: 0, pass: pass).map(\.direction)
        XCTAssertEqual(e.count, 276)
        for direction in e {
          XCTAssertEqual(dot(direction, direction), 1, accuracy: 1e-5)
          for a in 0..<d {
            sums[a] += direction[a]
            squares[a] += direction[a] * direction[a]
          }
          neighbours += zip(direction, direction.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 }
          n += 1
        }
        follows += zip(e, e.dropFirst()).reduce(0) { $0 + dot($1.0, $1.1) }
      }
      for a in 0..<d {
        XCTAssertEqual(sums[a] / n, 0, accuracy: Statistics.standardErrors / (k * n).squareRoot(), "mean of \(a)")
        // The 32 · d magnitudes of a step are shared by its pairs, so that fewer of them are independent.
        let independent = min(n, 60 * 32)
        XCTAssertEqual(
          k * squares[a] / n, 1, accuracy: Statistics.standardErrors * (2 / independent).squareRoot(), "variance of \(a)")
      }
      XCTAssertEqual(neighbours / n, 0, accuracy: Statistics.standardErrors / (k * n).squareRoot())
      XCTAssertEqual(follows / n, 0, accuracy: Statistics.standardErrors / (k * n).squareRoot())
    }
  }
}
