import KitiCore
import XCTest

/// Input of every kind comes through; evaluation and the plain residual do nothing.
final class CollisionRobustnessTests: XCTestCase {
  private func options() -> [CollisionOptions] {
    [.eager, CollisionOptions(), CollisionOptions(coefficient: 1, lengthScale: .unit)]
  }

  func testNonFiniteNumbersNeverCrashAndNeverVanish() throws {
    var numbers = TestNumbers(90)
    for particles in try Particles.shapes() {
      for options in options() {
        for bad in [Float.nan, .infinity, -.infinity, .greatestFiniteMagnitude, 0x1p-149] {
          for inPosition in [false, true] {
            var (x, v) = (numbers.normals(particles.features), numbers.normals(particles.features))
            let place = Int.random(in: 0..<particles.features, using: &numbers)
            if inPosition { x[place] = bad } else { v[place] = bad }
            let rig = CollisionRig(particles, options)
            let after = rig.collide(x, v)
            if !bad.isFinite && !inPosition {
              XCTAssertTrue(after.contains { !$0.isFinite }, "\(bad) vanished: \(particles.name)")
            }
            if bad.isFinite { XCTAssertTrue(after.allSatisfy(\.isFinite), "\(bad) blew up: \(particles.name)") }
            _ = rig.backward(after)
          }
        }
      }
    }
  }

  func testAllKindsOfUniformInput() throws {
    let values: [Float] = [0, -0.0, 0x1p-149, 1e-38, 1, 1e19, 3e38, .infinity, .nan]
    for particles in try Particles.shapes() {
      for options in options() {
        for x in values {
          for v in values {
            let rig = CollisionRig(particles, options)
            let velocity = [Float](repeating: v, count: particles.features)
            let after = rig.collide([Float](repeating: x, count: particles.features), velocity)
            if v.isFinite { XCTAssertEqual(after, velocity, "equal velocities changed: \(particles.name)") }
            _ = rig.backward(velocity)
          }
        }
      }
    }
  }

  func testParticlesInOnePlaceCollideAsAtNoDistance() throws {
    var numbers = TestNumbers(91)
    for particles in try Particles.shapes() {
      for options in options() {
        let (x, v) = ([Float](repeating: 2, count: particles.features), numbers.normals(particles.features))
        let rig = CollisionRig(particles, options)
        _ = rig.collide(x, v)
        let candidates = rig.residual.candidates
        XCTAssertEqual(
          candidates.map(\.probability).max()!, Float(options.coefficient), accuracy: 1e-6, particles.name)
      }
    }
  }

  func testEvaluationLeavesVelocitiesAloneAndCountsNothing() throws {
    try checkNothingHappens(.eager, .evaluation)
  }

  func testSchemeNoneLeavesVelocitiesAloneAndCountsNothing() throws {
    try checkNothingHappens(CollisionOptions(scheme: .none), Pass(isTraining: true, seed: 1))
  }

  private func checkNothingHappens(_ options: CollisionOptions, _ pass: Pass) throws {
    var numbers = TestNumbers(92)
    for particles in try Particles.shapes() {
      let (x, v) = (numbers.normals(particles.features), numbers.normals(particles.features))
      let rig = CollisionRig(particles, options)
      XCTAssertFalse(rig.residual.isActive(pass))
      XCTAssertEqual(rig.collide(x, v, pass: pass), v)
      XCTAssertEqual(rig.backward(v, pass: pass), v)
      XCTAssertEqual(rig.residual.candidatePairs, 0)
      XCTAssertEqual(rig.residual.acceptedPairs, 0)
    }
  }

  func testSchemeNoneTakesNoMemory() throws {
    let particles = try Particles(places: 1_000, channels: 8, divide: 1)
    let rig = CollisionRig(particles, CollisionOptions(scheme: .none), batch: 16)
    XCTAssertLessThan(rig.residual.workspaceBytes, 1_000)
    let active = CollisionRig(particles, batch: 16).residual.workspaceBytes
    // Two vectors for each of n/2 pairs, and records: O(n·d) a sample.
    XCTAssertLessThan(active, 16 * 1_000 * 8 * 4 * 2)
  }
}
