import KitiCore
import XCTest

/// Collisions against PyTorch in double precision, with pairs, acceptance and directions given.
final class CollisionFixtureTests: XCTestCase {
  func testStepAndGradients() throws {
    var seen = 0
    for (name, fixture) in try Fixture("collision-ntc").cases() where name != "probability" {
      guard try fixture.count("midpoint") == 0 else { continue }
      let (batch, channels) = (try fixture.count("batch"), try fixture.count("channels"))
      let width = try fixture.count("particleWidth")
      let particles =
        width > 0
        ? try Particles(features: channels, width: width)
        : try Particles(places: fixture.count("places"), channels: channels, divide: fixture.count("divide"))
      let (n, d) = (try fixture.count("particles"), try fixture.count("coordinates"))
      XCTAssertEqual([n, d], [particles.count, particles.dimensions])
      let timeStep = Float(try fixture.number("timeStep"))
      let rig = CollisionRig(particles, batch: batch)
      let (x, v) = (GuardedArray(try fixture.floats("position")), GuardedArray(try fixture.floats("velocity")))
      let (pairs, accepted) = (try fixture.integers("pairs"), try fixture.flags("accepted"))
      let directions = try fixture.floats("directions")
      for sample in 0..<batch {
        let chosen = (sample * (n / 2)..<(sample + 1) * (n / 2)).filter { accepted[$0] }
        rig.residual.collide(
          sample: sample, pairs: chosen.map { (pairs[2 * $0], pairs[2 * $0 + 1]) },
          normals: chosen.map { Array(directions[$0 * d..<($0 + 1) * d]) },
          velocity: v.pointer + sample * particles.features)
      }
      let output = GuardedArray(count: x.count)
      add(x.pointer, v.pointer, scale: timeStep, count: x.count, into: output.pointer)
      assertClose(output.values, try fixture.doubles("output"), within: 5e-7, "\(name), output")
      let g = try fixture.floats("outputGradient")
      assertClose(
        rig.backward(g.map { $0 * timeStep }), try fixture.doubles("velocityGradient"), within: 1e-6,
        "\(name), velocity gradient")
      assertClose(g, try fixture.doubles("positionGradient"), within: 1e-7, "\(name), position gradient")
      seen += 1
    }
    XCTAssertGreaterThanOrEqual(seen, 10)
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
