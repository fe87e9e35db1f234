import KitiCore
import XCTest

/// Momentum and kinetic energy of every pair, on inputs of every size that fp32 has.
final class CollisionConservationTests: XCTestCase {
  /// Compares each colliding pair before and after, relative to its own speeds; returns the pairs seen.
  private func check(_ particles: Particles, _ v: [Float], step: UInt64, _ what: String) -> Int {
    let rig = CollisionRig(particles, .eager)
    let x = [Float](repeating: 0, count: particles.features)
    let after = rig.collide(x, v, pass: Pass(isTraining: true, seed: 3, step: step)).doubles
    let before = v.doubles
    let pairs = rig.residual.pairs(sample: 0)
    for pair in pairs {
      let (vi, vj) = (particles.gather(before, pair.first), particles.gather(before, pair.second))
      let (wi, wj) = (particles.gather(after, pair.first), particles.gather(after, pair.second))
      let energy = dot(vi, vi) + dot(vj, vj)
      var change = 0.0
      for d in 0..<particles.dimensions {
        let difference = (wi[d] + wj[d]) - (vi[d] + vj[d])
        change += difference * difference
      }
      let momentum = (change / energy).squareRoot()
      let kinetic = abs(dot(wi, wi) + dot(wj, wj) - energy) / energy
      if !(momentum < 1e-6) { XCTFail("momentum changes by \(momentum): \(particles.name), \(what)") }
      if !(kinetic < 1e-5) { XCTFail("energy changes by \(kinetic): \(particles.name), \(what)") }
    }
    return pairs.count
  }

  func testMomentumAndEnergyAreKept() throws {
    var numbers = TestNumbers(30)
    for particles in try Particles.shapes() {
      var seen = 0
      for step in 0..<20 {
        seen += check(particles, numbers.normals(particles.features), step: UInt64(step), "normal velocities")
      }
      XCTAssertGreaterThan(seen, 0)
    }
  }

  func testMomentumAndEnergyAreKeptWithAFastCommonVelocity() throws {
    var numbers = TestNumbers(31)
    for particles in try Particles.shapes() {
      _ = check(particles, numbers.normals(particles.features).map { $0 + 100 }, step: 0, "a common velocity of 100")
    }
  }

  func testMomentumAndEnergyAreKeptAtEveryMagnitude() throws {
    var numbers = TestNumbers(32)
    for particles in try Particles.shapes() {
      for exponent in stride(from: -44, through: 38, by: 1) {
        let scale = Float("1e\(exponent)")!
        let velocities = numbers.floats(particles.features, scale: scale)
        _ = check(particles, velocities, step: UInt64(exponent + 50), "velocities of 1e\(exponent)")
      }
    }
  }

  func testMomentumAndEnergyAreKeptAmongVelocitiesOfAllMagnitudes() throws {
    var numbers = TestNumbers(33)
    for particles in try Particles.shapes() {
      for step in 0..<20 {
        let velocities = (0..<particles.features).map { _ in
          Float(numbers.normal()) * Float("1e\(Int.random(in: -40...18, using: &numbers))")!
        }
        _ = check(particles, velocities, step: UInt64(step), "velocities of all magnitudes")
      }
    }
  }

  func testLargeEqualCoordinatesDoNotOverflow() throws {
    let particles = try Particles(places: 2, channels: 2, divide: 1)
    for step in 0..<8 { _ = check(particles, [3e38, 1, 3e38, -1], step: UInt64(step), "a common velocity of 3e38") }
  }

  func testOnlyCollidingParticlesChange() throws {
    var numbers = TestNumbers(34)
    for particles in try Particles.shapes() {
      let rig = CollisionRig(particles)
      let (x, v) = (numbers.normals(particles.features), numbers.normals(particles.features))
      let after = rig.collide(x, v)
      let colliding = Set(rig.residual.pairs(sample: 0).flatMap { [$0.first, $0.second] })
      for particle in 0..<particles.count where !colliding.contains(particle) {
        for d in 0..<particles.dimensions {
          let feature = particles.feature(particle, d)
          XCTAssertEqual(after[feature], v[feature], particles.name)
        }
      }
    }
  }

  func testOutcomeIsTheReferenceOfTheSamePairsAndDirections() throws {
    var numbers = TestNumbers(35)
    for particles in try Particles.shapes() {
      let rig = CollisionRig(particles, .eager, batch: 3)
      let size = 3 * particles.features
      let (x, v) = (numbers.normals(size), numbers.normals(size))
      let after = rig.collide(x, v)
      for sample in 0..<3 {
        let range = sample * particles.features..<(sample + 1) * particles.features
        let expected = Reference.collided(v[range].map(Double.init), particles, rig.residual.pairs(sample: sample))
        assertClose(Array(after[range]), expected, within: 1e-6, particles.name)
      }
    }
  }
}
