import KitiCore
import XCTest

/// The scheme `dense`: every pair a candidate, many partners, Gram matrices.
final class CollisionDenseTests: XCTestCase {
  private let pass = Pass(isTraining: true, seed: 1)

  /// Few particles, whose distances are differences, and many, whose distances are matrix products.
  private func shapes() throws -> [Particles] {
    try Particles.shapes() + [
      try Particles(places: 33, channels: 5, divide: 1), try Particles(places: 96, channels: 7, divide: 2),
      try Particles(places: 200, channels: 40, divide: 4), try Particles(features: 32 * 16, width: 16),
      try Particles(features: 67, width: 1), try Particles(places: 34, channels: 270, divide: 1),
      // Swept where they lie; more pairs than are at hand at a time.
      try Particles(places: 66, channels: 32, divide: 2), try Particles(features: 40 * 64, width: 64),
      try Particles(places: 128, channels: 64, divide: 2),
    ]
  }

  func testOutcomeAndGradientsAreThoseOfTheReference() throws {
    var numbers = TestNumbers(110)
    for particles in try shapes() {
      for kind in CollisionOptions.Weights.allCases {
        let options = CollisionOptions(
          scheme: .dense, weights: kind, coefficient: 1, lengthScale: .value(.infinity), midpoint: true)
        let rig = CollisionRig(particles, options, batch: 2)
        let size = 2 * particles.features
        let (x, v, g) = (numbers.normals(size), numbers.normals(size), numbers.normals(size))
        let after = rig.collide(x, v)
        let (backward, backwardX) = (rig.backward(g), rig.midpointBackward(g))
        for sample in 0..<2 {
          let range = sample * particles.features..<(sample + 1) * particles.features
          let pairs = rig.residual.pairs(sample: sample)
          let weights = Reference.weights(pairs, particles.count, kind)
          let (vs, gs) = (v[range].map(Double.init), g[range].map(Double.init))
          assertClose(
            Array(after[range]), Reference.exchanged(vs, particles, pairs, weights), within: 4e-6, "\(particles.name), \(kind)")
          assertClose(
            Array(rig.positions[range]), Reference.exchanged(x[range].map(Double.init), particles, pairs, weights, turns: false),
            within: 4e-6, particles.name)
          assertClose(
            Array(backwardX[range]), Reference.exchanged(gs, particles, pairs, weights, turns: false), within: 4e-6, particles.name)
          let differences = centralDifferences(
            of: { dot(Reference.exchanged($0, particles, pairs, weights), gs) }, at: vs,
            coordinates: (0..<min(5, vs.count)).map { $0 * (vs.count - 1) / 4 % vs.count })
          let some = (0..<min(5, vs.count)).map { backward[range.lowerBound + $0 * (vs.count - 1) / 4 % vs.count] }
          assertClose(some, differences, within: 2e-5, magnitude: 1, "\(particles.name), gradient")
        }
      }
    }
  }

  func testProbabilitiesAreThoseOfTheDesign() throws {
    var numbers = TestNumbers(111)
    for particles in try shapes() {
      // A common position of 30 would cancel in a Gram matrix that did not take out the mean.
      for (offset, lengthScale) in [(Float(0), CollisionOptions.LengthScale.rms), (30, .value(2.5)), (30, .unit)] {
        let rig = CollisionRig(particles, CollisionOptions(scheme: .dense, lengthScale: lengthScale))
        let x = numbers.normals(particles.features).map { $0 + offset }
        let v = numbers.normals(particles.features)
        _ = rig.collide(x, v)
        let candidates = rig.residual.candidates
        XCTAssertEqual(candidates.count, particles.count * (particles.count - 1) / 2)
        let exact = Reference.probabilities(
          position: x.doubles, velocity: v.doubles, particles, pairs: candidates.map { ($0.first, $0.second) },
          coefficient: 0.5, lengthScale: lengthScale)
        for (candidate, expected) in zip(candidates, exact) where expected > 1e-30 {
          let error = abs(Double(candidate.probability) / expected - 1)
          if !(error < 5e-5) { XCTFail("probability off by \(error): \(particles.name), \(lengthScale)") }
        }
      }
    }
  }

  func testEqualParticlesHaveDistanceZeroAndDoNotCollide() throws {
    var numbers = TestNumbers(112)
    for particles in try shapes() where particles.count > 4 {
      var v = numbers.normals(particles.features, scale: 3)
      let x = numbers.normals(particles.features, scale: 3)
      for d in 0..<particles.dimensions { v[particles.feature(3, d)] = v[particles.feature(1, d)] }
      let rig = CollisionRig(particles, CollisionOptions(scheme: .dense, coefficient: 1))
      _ = rig.collide(x, v)
      let pair = rig.residual.candidates.first { $0.first == 1 && $0.second == 3 }
      XCTAssertEqual(pair?.probability, 0, particles.name)
    }
  }

  func testOneAcceptedPairIsThatOfNtc() throws {
    var numbers = TestNumbers(113)
    for particles in try shapes() {
      for midpoint in [false, true] {
        let (x, v, g) = (
          numbers.normals(particles.features), numbers.normals(particles.features), numbers.normals(particles.features)
        )
        let normal = numbers.normals(particles.dimensions).map { $0 == 0 ? 1 : $0 }
        let pair = (first: 0, second: particles.count - 1)
        let results = [CollisionOptions.Scheme.ntc, .dense].map { scheme in
          let rig = CollisionRig(particles, CollisionOptions(scheme: scheme, midpoint: midpoint))
          let (position, velocity) = (GuardedArray(x), GuardedArray(v))
          rig.residual.collide(
            sample: 0, pairs: [pair], normals: [normal], position: position.pointer, velocity: velocity.pointer)
          return position.values + velocity.values + rig.backward(g) + rig.midpointBackward(g)
        }
        assertClose(results[1], results[0].doubles, within: 3e-7, particles.name)
      }
    }
  }

  func testMomentumIsKeptAndSinglePartnersKeepTheEnergy() throws {
    var numbers = TestNumbers(114)
    for particles in try shapes() {
      for coefficient in [1.0, 0.02] {
        let rig = CollisionRig(particles, CollisionOptions(scheme: .dense, coefficient: coefficient))
        let v = numbers.normals(particles.features)
        let after = rig.collide(numbers.normals(particles.features), v).doubles
        let before = v.doubles
        let energy = dot(before, before)
        for d in 0..<particles.dimensions {
          let change = (0..<particles.count).reduce(0.0) {
            $0 + after[particles.feature($1, d)] - before[particles.feature($1, d)]
          }
          XCTAssertEqual(change, 0, accuracy: 2e-6 * (energy * Double(particles.count)).squareRoot(), particles.name)
        }
        let pairs = rig.residual.pairs(sample: 0)
        for (pair, weight) in zip(pairs, Reference.weights(pairs, particles.count, .pair)) where weight == 1 {
          func energy(_ values: [Double]) -> Double {
            let (a, b) = (particles.gather(values, pair.first), particles.gather(values, pair.second))
            return dot(a, a) + dot(b, b)
          }
          XCTAssertEqual(energy(after), energy(before), accuracy: 1e-5 * energy(before), particles.name)
        }
      }
    }
  }

  func testPairsCollideAsOftenAsTheirProbabilitySays() throws {
    let particles = try Particles(places: 40, channels: 3, divide: 1)
    var numbers = TestNumbers(115)
    let rig = CollisionRig(particles, CollisionOptions(scheme: .dense, coefficient: 0.9))
    let (x, v) = (numbers.normals(120), numbers.normals(120))
    let steps = 2_000
    for step in 0..<steps { _ = rig.collide(x, v, pass: Pass(isTraining: true, seed: 4, step: UInt64(step))) }
    let candidates = rig.residual.candidates
    let exact = Reference.probabilities(
      position: x.doubles, velocity: v.doubles, particles, pairs: candidates.map { ($0.first, $0.second) },
      coefficient: 0.9, lengthScale: .rms)
    let expected = Double(steps) * exact.reduce(0, +)
    let variance = Double(steps) * exact.reduce(0) { $0 + $1 * (1 - $1) }
    XCTAssertEqual(
      Double(rig.residual.acceptedPairs), expected, accuracy: Statistics.standardErrors * variance.squareRoot())
  }

  func testInputOfEveryKindComesThrough() throws {
    var numbers = TestNumbers(116)
    for particles in try shapes() {
      for options in [
        CollisionOptions(scheme: .dense, coefficient: 1, lengthScale: .value(.infinity), midpoint: true),
        CollisionOptions(scheme: .dense), CollisionOptions(scheme: .dense, decision: .threshold, weights: .sum),
        CollisionOptions(scheme: .dense, acceptance: .constant),
      ] {
        for bad in [Float.nan, .infinity, .greatestFiniteMagnitude, 0x1p-149, 0] {
          for inPosition in [false, true] {
            var (x, v) = (numbers.normals(particles.features), numbers.normals(particles.features))
            let place = Int.random(in: 0..<particles.features, using: &numbers)
            if inPosition { x[place] = bad } else { v[place] = bad }
            let rig = CollisionRig(particles, options)
            let after = rig.collide(x, v)
            if !bad.isFinite && !inPosition { XCTAssertTrue(after.contains { !$0.isFinite }, "\(bad) vanished") }
            _ = rig.backward(after)
          }
        }
        for value in [Float(0), 0x1p-149, 1e-38, 1, 1e19] {
          let rig = CollisionRig(particles, options)
          let velocity = [Float](repeating: value, count: particles.features)
          XCTAssertEqual(rig.collide(velocity, velocity), velocity, "equal velocities changed: \(particles.name)")
          _ = rig.backward(velocity)
        }
      }
    }
  }

  func testMemoryIsOfOrderNSquaredAndND() throws {
    for (places, channels) in [(256, 256), (64, 1_024), (300, 2)] {
      let particles = try Particles(places: places, channels: channels, divide: 1)
      let batch = 8
      let bytes = CollisionRig(particles, CollisionOptions(scheme: .dense), batch: batch).residual.workspaceBytes
      // Kept of a sample: 12 bytes a pair, and the velocities; scratch of the layer: 2.5 n² and 3 n·d numbers.
      let (n, d) = (Double(places), Double(channels))
      let kept = Double(batch) * (6 * n * n + 4 * n * d)
      XCTAssertLessThan(Double(bytes), 1.2 * (kept + 4 * (2.5 * n * n + 3 * n * d)) + 4_096)
    }
  }
}
