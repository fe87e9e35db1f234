import Foundation
import KitiCore
import XCTest

/// Relaxation towards the Maxwellian, as kinetic theory has it.
final class CollisionRelaxationTests: XCTestCase {
  /// Isotropic velocities far from a Maxwellian: a tenth of the particles is hot.
  private func velocities(_ count: Int, _ d: Int, seed: Int) -> [Float] {
    var numbers = TestNumbers(seed)
    return (0..<count).flatMap { particle in numbers.normals(d, scale: particle % 10 == 0 ? 3 : 0.5) }
  }

  /// ⟨|v|⁴⟩ − (d+2)/d · ⟨|v|²⟩².
  private func excess(_ v: [Float], _ d: Int) -> Double {
    var (second, fourth) = (0.0, 0.0)
    for first in stride(from: 0, to: v.count, by: d) {
      var square = 0.0
      for coordinate in 0..<d { square += Double(v[first + coordinate]) * Double(v[first + coordinate]) }
      second += square
      fourth += square * square
    }
    let n = Double(v.count / d)
    return fourth / n - Double(d + 2) / Double(d) * (second / n) * (second / n)
  }

  /// Lets particles collide two by two, each pair a sample of its own: its relative speed is then the largest of the
  /// sample, and the coefficient is its probability. The caller mixes the particles.
  private func collideTwoByTwo(_ v: inout [Float], _ rig: CollisionRig, step: Int) {
    let x = GuardedArray(count: rig.particles.features, repeating: 0)
    v.withUnsafeMutableBufferPointer { v in
      for pair in 0..<v.count / rig.particles.features {
        let pass = Pass(isTraining: true, seed: 10, step: UInt64(step), firstSample: pair)
        rig.residual.collide(
          sample: 0, position: x.pointer, velocity: v.baseAddress! + pair * rig.particles.features, pass: pass)
      }
    }
  }

  private func shuffle(_ v: inout [Float], _ d: Int, _ numbers: inout TestNumbers) {
    var order = Array(0..<v.count / d)
    order.shuffle(using: &numbers)
    let before = v
    for (target, source) in order.enumerated() {
      for coordinate in 0..<d { v[target * d + coordinate] = before[source * d + coordinate] }
    }
  }

  func testFourthMomentRelaxesAtTheKineticRate() throws {
    let count = 1_000_000
    for (d, coefficient) in [(2, 1.0), (3, 1), (16, 1), (3, 0.4)] {
      let rig = CollisionRig(
        try Particles(features: 2 * d, width: d), CollisionOptions(coefficient: coefficient, lengthScale: .unit))
      var v = velocities(count, d, seed: 60 + d)
      var numbers = TestNumbers(61)
      shuffle(&v, d, &numbers)
      let before = excess(v, d)
      collideTwoByTwo(&v, rig, step: 0)
      let expected = 1 - coefficient * Double(d - 1) / Double(2 * d)
      XCTAssertEqual(excess(v, d) / before, expected, accuracy: 0.03 * expected, "d = \(d), p = \(coefficient)")
      if coefficient == 1 { XCTAssertEqual(rig.residual.acceptedPairs, count / 2, "not every pair collided") }
    }
  }

  func testRepeatedStepsKeepTheRate() throws {
    let d = 3
    let rig = CollisionRig(try Particles(features: 2 * d, width: d), .eager)
    var v = velocities(300_000, d, seed: 62)
    var numbers = TestNumbers(63)
    let start = excess(v, d)
    var expected = 1.0
    for step in 0..<3 {
      shuffle(&v, d, &numbers)
      collideTwoByTwo(&v, rig, step: step)
      expected *= 2.0 / 3
      XCTAssertEqual(excess(v, d) / start, expected, accuracy: 0.03 * expected, "step \(step)")
    }
  }

  func testManyStepsOfOneLargeSampleEndInTheMaxwellian() throws {
    let (count, d) = (100_000, 3)
    let rig = CollisionRig(try Particles(places: count, channels: d, divide: 1), .eager)
    let start = velocities(count, d, seed: 64)
    var v = start
    let x = GuardedArray(count: count * d, repeating: 0)
    for step in 0..<150 {
      v.withUnsafeMutableBufferPointer {
        rig.residual.collide(
          sample: 0, position: x.pointer, velocity: $0.baseAddress!, pass: Pass(isTraining: true, seed: 11, step: UInt64(step)))
      }
    }
    func energy(_ v: [Float]) -> Double { v.reduce(0) { $0 + Double($1) * Double($1) } }
    XCTAssertEqual(energy(v), energy(start), accuracy: 1e-5 * energy(start))
    let temperature = energy(v) / Double(count * d)
    XCTAssertEqual(excess(v, d) / excess(start, d), 0, accuracy: 0.01)
    for axis in 0..<d {
      let coordinate = (0..<count).map { v[$0 * d + axis] }
      let distance = Statistics.kolmogorovDistance(coordinate) {
        Statistics.normalDistribution($0 / temperature.squareRoot())
      }
      XCTAssertLessThan(distance, Statistics.kolmogorovLimit(count: count), "coordinate \(axis)")
    }
  }
}
