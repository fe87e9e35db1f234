import Foundation
import KitiCore
import XCTest

/// Which pairs meet, and how often they collide.
final class CollisionPairingTests: XCTestCase {
  func testCandidatesAreAMatchingAndCollisionsAreSomeOfThem() throws {
    var numbers = TestNumbers(40)
    for particles in try Particles.shapes() {
      let rig = CollisionRig(particles, .eager)
      for step in 0..<20 {
        let (x, v) = (numbers.normals(particles.features), numbers.normals(particles.features))
        _ = rig.collide(x, v, pass: Pass(isTraining: true, seed: 1, step: UInt64(step)))
        let candidates = rig.residual.candidates
        XCTAssertEqual(candidates.count, particles.count / 2)
        let members = candidates.flatMap { [$0.first, $0.second] }
        XCTAssertEqual(Set(members).count, members.count, "a particle meets two others: \(particles.name)")
        XCTAssertTrue(members.allSatisfy { (0..<particles.count).contains($0) })
        let met = Set(candidates.map { [$0.first, $0.second] })
        for pair in rig.residual.pairs(sample: 0) {
          XCTAssertTrue(met.contains([pair.first, pair.second]), "a pair collided that had not met: \(particles.name)")
        }
      }
    }
  }

  func testAllMatchingsAreEquallyLikely() throws {
    // Six particles have 15 perfect matchings; seven, with one left over, 105.
    for (places, matchings) in [(6, 15), (7, 105)] {
      let particles = try Particles(places: places, channels: 1, divide: 1)
      let rig = CollisionRig(particles)
      let zeros = [Float](repeating: 0, count: places)
      var counts: [[[Int]]: Int] = [:]
      let draws = 2_000 * matchings
      for step in 0..<draws {
        _ = rig.collide(zeros, zeros, pass: Pass(isTraining: true, seed: 2, step: UInt64(step)))
        let pairs = rig.residual.candidates.map { [$0.first, $0.second].sorted() }
        counts[pairs.sorted { $0[0] < $1[0] }, default: 0] += 1
      }
      XCTAssertEqual(counts.count, matchings)
      let expected = [Double](repeating: 2_000, count: matchings)
      XCTAssertLessThan(
        Statistics.chiSquare(Array(counts.values), expected: expected),
        Statistics.chiSquareLimit(degrees: matchings - 1))
    }
  }

  private let lengthScales: [CollisionOptions.LengthScale] = [.rms, .unit, .value(2.5)]

  func testProbabilitiesAreThoseOfTheDesign() throws {
    var numbers = TestNumbers(41)
    for particles in try Particles.shapes() {
      for (index, lengthScale) in lengthScales.enumerated() {
        let coefficient = [0.5, 1, 0.125][index]
        let rig = CollisionRig(particles, CollisionOptions(coefficient: coefficient, lengthScale: lengthScale))
        let (x, v) = (numbers.normals(particles.features), numbers.normals(particles.features))
        _ = rig.collide(x, v)
        let candidates = rig.residual.candidates
        let exact = Reference.probabilities(
          position: x.doubles, velocity: v.doubles, particles, pairs: candidates.map { ($0.first, $0.second) },
          coefficient: coefficient, lengthScale: lengthScale)
        for (candidate, expected) in zip(candidates, exact) {
          XCTAssertEqual(
            Double(candidate.probability), expected, accuracy: 3e-6 * expected + 1e-37,
            "\(particles.name), \(lengthScale)")
        }
      }
    }
  }

  func testPairsCollideAsOftenAsTheirProbabilitySays() throws {
    let particles = try Particles(places: 20, channels: 3, divide: 1)
    for lengthScale in lengthScales {
      var numbers = TestNumbers(42)
      let rig = CollisionRig(particles, CollisionOptions(coefficient: 0.9, lengthScale: lengthScale))
      let x = numbers.normals(particles.features, scale: 0.5)
      let v = numbers.normals(particles.features)
      let cells = 10
      var (expected, variance) = ([Double](repeating: 0, count: cells), [Double](repeating: 0, count: cells))
      var observed = [Double](repeating: 0, count: cells)
      for step in 0..<10_000 {
        _ = rig.collide(x, v, pass: Pass(isTraining: true, seed: 4, step: UInt64(step)))
        let candidates = rig.residual.candidates
        let probabilities = Reference.probabilities(
          position: x.doubles, velocity: v.doubles, particles, pairs: candidates.map { ($0.first, $0.second) },
          coefficient: 0.9, lengthScale: lengthScale)
        let collided = Set(rig.residual.pairs(sample: 0).map { [$0.first, $0.second] })
        for (candidate, p) in zip(candidates, probabilities) {
          let cell = min(cells - 1, Int(p * Double(cells)))
          expected[cell] += p
          variance[cell] += p * (1 - p)
          if collided.contains([candidate.first, candidate.second]) { observed[cell] += 1 }
        }
      }
      for cell in 0..<cells where variance[cell] > 100 {
        let errors = (observed[cell] - expected[cell]) / variance[cell].squareRoot()
        XCTAssertLessThan(abs(errors), Statistics.standardErrors, "\(lengthScale), probabilities near 0.\(cell)")
      }
      let total = expected.reduce(0, +)
      XCTAssertGreaterThan(total, 5_000)
    }
  }

  func testASinglePairCollidesWithTheCoefficientAsProbability() throws {
    let particles = try Particles(places: 2, channels: 3, divide: 1)
    let (x, v): ([Float], [Float]) = ([0, 0, 0, 0, 0, 0], [1, 2, 3, -1, 0.3, 2])
    for (coefficient, draws) in [(1.0, 2_000), (0.0, 2_000), (0.3, 40_000)] {
      let rig = CollisionRig(particles, CollisionOptions(coefficient: coefficient))
      for step in 0..<draws { _ = rig.collide(x, v, pass: Pass(isTraining: true, seed: 6, step: UInt64(step))) }
      XCTAssertEqual(rig.residual.candidatePairs, draws)
      let deviation = (coefficient * (1 - coefficient) * Double(draws)).squareRoot()
      XCTAssertEqual(
        Double(rig.residual.acceptedPairs), coefficient * Double(draws),
        accuracy: Statistics.standardErrors * deviation)
    }
  }

  func testCountsAddUpUntilTheyAreReset() throws {
    let particles = try Particles(places: 13, channels: 2, divide: 1)
    let rig = CollisionRig(particles, .eager, batch: 4)
    var numbers = TestNumbers(43)
    var accepted = 0
    for step in 0..<3 {
      _ = rig.collide(
        numbers.normals(4 * 26), numbers.normals(4 * 26), pass: Pass(isTraining: true, seed: 1, step: UInt64(step)))
      accepted += (0..<4).reduce(0) { $0 + rig.residual.pairs(sample: $1).count }
      XCTAssertEqual(rig.residual.candidatePairs, (step + 1) * 4 * 6)
      XCTAssertEqual(rig.residual.acceptedPairs, accepted)
    }
    rig.residual.resetCounts()
    XCTAssertEqual(rig.residual.candidatePairs, 0)
    XCTAssertEqual(rig.residual.acceptedPairs, 0)
  }
}
