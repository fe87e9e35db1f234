import Foundation
import KitiCore
import XCTest

/// Schedules of the coefficient, lengths that keep a rate, and what is measured.
final class CollisionControlTests: XCTestCase {
  func testCoefficientsFollowTheirSchedule() {
    func values(_ configuration: CoefficientConfiguration, _ steps: [Int]) -> [Double] {
      let schedule = CoefficientSchedule(configuration, stepsPerEpoch: 10, epochs: 4)
      return steps.map { schedule.coefficient(step: $0) }
    }
    XCTAssertEqual(values(0.3, [0, 7, 100]), [0.3, 0.3, 0.3])
    for interval in [Interval.epochs(2), .steps(20), .percent(50)] {
      XCTAssertEqual(values(.changing(.linear, from: 0, to: 0.5, over: interval), [0, 10, 20, 39]), [0, 0.25, 0.5, 0.5])
    }
    XCTAssertEqual(values(.changing(.linear, from: 1, to: 0, over: nil), [0, 10, 40]), [1, 0.75, 0])
    for (one, other) in zip(
      values(.changing(.cosine, from: 0.2, to: 0.6, over: .steps(8)), [0, 2, 4, 8, 30]),
      [0.2, 0.2 + 0.2 * (1 - cos(.pi / 4)), 0.4, 0.6, 0.6])
    { XCTAssertEqual(one, other, accuracy: 1e-12) }
  }

  /// The rate after the controller had some steps, on velocities and positions drawn anew each step.
  private func settledRate(_ options: CollisionOptions, target: Double, spread: Float = 1) throws -> Double {
    let particles = try Particles(places: 64, channels: 16, divide: 1)
    let rig = CollisionRig(particles, options, batch: 4)
    var numbers = TestNumbers(120)
    var (accepted, candidates) = (0.0, 0.0)
    for step in 0..<600 {
      rig.residual.resetCounts()
      let size = 4 * particles.features
      _ = rig.collide(
        numbers.normals(size, scale: spread), numbers.normals(size),
        pass: Pass(isTraining: true, seed: 1, step: UInt64(step)))
      let sums = rig.residual.statistics
      rig.residual.lengthFactor = RateController.factor(
        after: rig.residual.lengthFactor, accepted: sums.acceptedPairs, candidates: sums.candidatePairs, target: target)
      if step >= 300 {
        accepted += sums.acceptedPairs
        candidates += sums.candidatePairs
      }
    }
    return accepted / candidates
  }

  func testTheRateComesToItsTarget() throws {
    for (options, target, spread) in [
      (CollisionOptions(), 0.2, Float(1)), (CollisionOptions(coefficient: 1), 0.05, 1),
      // Published lengths in many dimensions: nothing collides at first.
      (CollisionOptions(lengthScale: .unit), 0.2, 30), (CollisionOptions(scheme: .dense), 0.1, 1),
      (CollisionOptions(scheme: .dense, decision: .threshold), 0.1, 1),
    ] {
      XCTAssertEqual(try settledRate(options, target: target, spread: spread), target, accuracy: 0.05 * target, "\(options)")
    }
  }

  func testTheLengthStaysWithinItsRange() {
    var factor = 1.0
    for _ in 0..<1_000 { factor = RateController.factor(after: factor, accepted: 0, candidates: 100, target: 0.5) }
    XCTAssertEqual(factor, 1e6)
    for _ in 0..<1_000 { factor = RateController.factor(after: factor, accepted: 100, candidates: 100, target: 0.5) }
    XCTAssertEqual(factor, 1e-3)
    XCTAssertEqual(RateController.factor(after: 2, accepted: 0, candidates: 0, target: 0.5), 2)
  }

  func testReportsSayWhatTheDesignSays() throws {
    for scheme in [CollisionOptions.Scheme.ntc, .dense] {
      let particles = try Particles(places: 40, channels: 8, divide: 1)
      let rig = CollisionRig(particles, CollisionOptions(scheme: scheme, lengthScale: .value(8)))
      var numbers = TestNumbers(121)
      let (x, v) = (numbers.normals(320), numbers.normals(320))
      let pass = Pass(isTraining: true, seed: 1, step: 20)
      _ = rig.collide(x, v, pass: pass)
      let report = try XCTUnwrap(CollisionReport(rig.residual.statistics, of: rig.residual))
      let candidates = rig.residual.candidates
      let collisions = rig.residual.pairs(sample: 0, pass: pass)
      XCTAssertEqual(report.rate, Double(collisions.count) / Double(candidates.count), accuracy: 1e-12)
      let speeds = candidates.map { pair -> Double in
        let w = zip(particles.gather(v.doubles, pair.first), particles.gather(v.doubles, pair.second)).map { $0 - $1 }
        return dot(w, w).squareRoot()
      }
      let mean = speeds.reduce(0, +) / Double(speeds.count)
      XCTAssertEqual(report.relativeSpeed, mean, accuracy: 1e-5 * mean)
      // A particle's speed in the gas, times the steps from one of its collisions to the next, over ℓ.
      let path = mean / 2.0.squareRoot() * 40 / (2 * Double(collisions.count)) / 8
      XCTAssertEqual(try XCTUnwrap(report.freePath), path, accuracy: 1e-5 * path)
      XCTAssertLessThan(try XCTUnwrap(report.momentumDrift), 1e-6)
      if scheme == .ntc { XCTAssertLessThan(try XCTUnwrap(report.energyDrift), 1e-6) }
    }
  }

  func testDriftsAreMeasuredNowAndThen() throws {
    let rig = CollisionRig(try Particles(places: 8, channels: 3, divide: 1), .eager)
    var numbers = TestNumbers(122)
    let (x, v) = (numbers.normals(24), numbers.normals(24))
    for step in 0..<30 { _ = rig.collide(x, v, pass: Pass(isTraining: true, seed: 1, step: UInt64(step))) }
    XCTAssertEqual(rig.residual.statistics.measuredSamples, 3)
  }
}
