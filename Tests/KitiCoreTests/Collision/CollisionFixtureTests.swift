import KitiCore
import XCTest

/// Collisions against PyTorch in double precision, with pairs, acceptance and directions given.
final class CollisionFixtureTests: XCTestCase {
  /// One case: the accepted pairs of each sample with their directions, given to the residual of `options`.
  private func check(
    _ name: String, _ fixture: Fixture, _ options: CollisionOptions,
    collisions: (_ sample: Int, _ n: Int, _ d: Int) -> [(first: Int, second: Int, direction: [Float])]
  ) throws {
    let (batch, channels) = (try fixture.count("batch"), try fixture.count("channels"))
    let width = try fixture.count("particleWidth")
    let particles =
      width > 0
      ? try Particles(features: channels, width: width)
      : try Particles(places: fixture.count("places"), channels: channels, divide: fixture.count("divide"))
    let (n, d) = (try fixture.count("particles"), try fixture.count("coordinates"))
    XCTAssertEqual([n, d], [particles.count, particles.dimensions])
    var options = options
    options.timeStep = try fixture.number("timeStep")
    options.midpoint = try fixture.count("midpoint") == 1
    let timeStep = Float(options.timeStep)
    let rig = CollisionRig(particles, options, batch: batch)
    let (x, v) = (GuardedArray(try fixture.floats("position")), GuardedArray(try fixture.floats("velocity")))
    for sample in 0..<batch {
      let chosen = collisions(sample, n, d)
      rig.residual.collide(
        sample: sample, pairs: chosen.map { ($0.first, $0.second) }, normals: chosen.map(\.direction),
        position: x.pointer + sample * particles.features, velocity: v.pointer + sample * particles.features)
      // Given normals belong to this sample: its backward pass comes before the next one's forward pass.
      let range = sample * particles.features..<(sample + 1) * particles.features
      let g = Array(try fixture.floats("outputGradient")[range])
      let (velocityGradient, positionGradient) = (GuardedArray(g.map { $0 * timeStep }), GuardedArray(g))
      let pass = Pass(isTraining: true, seed: 1)
      rig.residual.collideBackward(sample: sample, velocityGradient: velocityGradient.pointer, pass: pass)
      rig.residual.collideBackward(sample: sample, positionGradient: positionGradient.pointer, pass: pass)
      assertClose(
        velocityGradient.values, Array(try fixture.doubles("velocityGradient")[range]), within: 2e-6,
        "\(name), velocity gradient")
      assertClose(
        positionGradient.values, Array(try fixture.doubles("positionGradient")[range]), within: 1e-6,
        "\(name), position gradient")
    }
    let output = GuardedArray(count: x.count)
    add(x.pointer, v.pointer, scale: timeStep, count: x.count, into: output.pointer)
    assertClose(output.values, try fixture.doubles("output"), within: 1e-6, "\(name), output")
    XCTAssertTrue(x.guardsHold && v.guardsHold)
  }

  func testMatchedPairsAndTheirGradients() throws {
    var seen = 0
    for (name, fixture) in try Fixture("collision-ntc").cases() where name != "probability" {
      let (pairs, accepted) = (try fixture.integers("pairs"), try fixture.flags("accepted"))
      let directions = try fixture.floats("directions")
      try check(name, fixture, CollisionOptions()) { sample, n, d in
        (sample * (n / 2)..<(sample + 1) * (n / 2)).filter { accepted[$0] }.map {
          (pairs[2 * $0], pairs[2 * $0 + 1], Array(directions[$0 * d..<($0 + 1) * d]))
        }
      }
      seen += 1
    }
    XCTAssertGreaterThanOrEqual(seen, 12)
  }

  func testAllPairsAndTheirGradients() throws {
    var seen = 0
    for (name, fixture) in try Fixture("collision-dense").cases() where name != "probability" {
      let (accepted, directions) = (try fixture.flags("accepted"), try fixture.floats("directions"))
      let weights: CollisionOptions.Weights = try fixture.count("plainSum") == 1 ? .sum : .pair
      try check(name, fixture, CollisionOptions(scheme: .dense, weights: weights)) { sample, n, d in
        (0..<n).flatMap { i in
          (i + 1..<n).compactMap { j in
            let place = (sample * n + i) * n + j
            return accepted[place] ? (i, j, Array(directions[place * d..<(place + 1) * d])) : nil
          }
        }
      }
      seen += 1
    }
    XCTAssertGreaterThanOrEqual(seen, 8)
  }

  func testProbabilitiesAndThresholdsOfAllPairs() throws {
    for (name, fixture) in try Fixture("collision-dense")["probability"].cases() {
      let (batch, n, d) = (try fixture.count("batch"), try fixture.count("particles"), try fixture.count("coordinates"))
      let particles = try Particles(places: n, channels: d, divide: 1)
      let (x, v) = (try fixture.floats("position"), try fixture.floats("velocity"))
      let scales: [(String, CollisionOptions.LengthScale)] = [
        ("rms", .rms), ("unit", .unit), ("number", .value(try fixture.number("lengthScale"))),
      ]
      func rig(_ sample: Int, _ options: CollisionOptions) -> CollisionRig {
        let rig = CollisionRig(particles, options)
        let features = sample * n * d..<(sample + 1) * n * d
        _ = rig.collide(Array(x[features]), Array(v[features]))
        return rig
      }
      let coefficients = try fixture.doubles("coefficients")
      for (table, scale) in scales {
        let expected = try fixture.doubles(table)
        for (row, coefficient) in coefficients.enumerated() {
          for sample in 0..<batch {
            let options = CollisionOptions(scheme: .dense, coefficient: coefficient, lengthScale: scale)
            for pair in rig(sample, options).residual.candidates {
              let value = expected[((row * batch + sample) * n + pair.first) * n + pair.second]
              XCTAssertEqual(Double(pair.probability), value, accuracy: 3e-6 * value, "\(name), \(table)")
            }
          }
        }
      }
      let accepted = try fixture.flags("accepted")
      let options = CollisionOptions(
        scheme: .dense, decision: .threshold, coefficient: try fixture.number("thresholdCoefficient"))
      for sample in 0..<batch {
        let pairs = rig(sample, options).residual.pairs(sample: 0).map { [$0.first, $0.second] }
        let expected = (0..<n).flatMap { i in
          (i + 1..<n).filter { accepted[(sample * n + i) * n + $0] }.map { [i, $0] }
        }
        XCTAssertEqual(pairs, expected, name)
      }
    }
  }

  func testProbabilitiesOfTheReferenceThatOtherTestsTrust() throws {
    for (name, fixture) in try Fixture("collision-ntc")["probability"].cases() {
      let (batch, n, d) = (try fixture.count("batch"), try fixture.count("particles"), try fixture.count("coordinates"))
      let particles = try Particles(places: n, channels: d, divide: 1)
      let (x, v) = (try fixture.doubles("position"), try fixture.doubles("velocity"))
      let (pairs, coefficients) = (try fixture.integers("pairs"), try fixture.doubles("coefficients"))
      let scales: [(String, CollisionOptions.LengthScale)] = [
        ("rms", .rms), ("unit", .unit), ("number", .value(try fixture.number("lengthScale"))),
      ]
      for (table, scale) in scales {
        let expected = try fixture.doubles(table)
        for (row, coefficient) in coefficients.enumerated() {
          for sample in 0..<batch {
            let features = sample * n * d..<(sample + 1) * n * d
            let candidates = (sample * (n / 2)..<(sample + 1) * (n / 2)).map { (pairs[2 * $0], pairs[2 * $0 + 1]) }
            let probabilities = Reference.probabilities(
              position: Array(x[features]), velocity: Array(v[features]), particles, pairs: candidates,
              coefficient: coefficient, lengthScale: scale)
            for (pair, value) in probabilities.enumerated() {
              XCTAssertEqual(
                value, expected[(row * batch + sample) * (n / 2) + pair], accuracy: 1e-12, "\(name), \(table)")
            }
          }
        }
      }
    }
  }
}
