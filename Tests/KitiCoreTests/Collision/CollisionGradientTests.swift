import KitiCore
import XCTest

/// The backward pass against the formula of the design, and the formula against central differences.
final class CollisionGradientTests: XCTestCase {
  func testReferenceGradientIsTheDerivative() throws {
    var numbers = TestNumbers(70)
    for particles in try Particles.shapes() {
      let v = numbers.normals(particles.features).doubles
      let g = numbers.normals(particles.features).doubles
      let rig = CollisionRig(particles, .eager)
      _ = rig.collide([Float](repeating: 0, count: v.count), v.map { Float($0) })
      let pairs = rig.residual.pairs(sample: 0)
      let differences = centralDifferences(of: { dot(Reference.collided($0, particles, pairs), g) }, at: v)
      let formula = Reference.collidedBackward(g, velocity: v, particles, pairs)
      let largest = formula.map(abs).max()!
      for (one, other) in zip(formula, differences) {
        XCTAssertEqual(one, other, accuracy: 1e-6 * largest, particles.name)
      }
    }
  }

  func testBackwardIsTheReferenceOfTheSamePairsAndDirections() throws {
    var numbers = TestNumbers(71)
    for particles in try Particles.shapes() {
      for options in [.eager, CollisionOptions()] {
        let rig = CollisionRig(particles, options, batch: 3)
        let size = 3 * particles.features
        let (x, v, g) = (numbers.normals(size), numbers.normals(size), numbers.normals(size))
        _ = rig.collide(x, v)
        let gradient = rig.backward(g)
        for sample in 0..<3 {
          let range = sample * particles.features..<(sample + 1) * particles.features
          let expected = Reference.collidedBackward(
            g[range].map(Double.init), velocity: v[range].map(Double.init), particles,
            rig.residual.pairs(sample: sample))
          assertClose(Array(gradient[range]), expected, within: 2e-6, particles.name)
        }
      }
    }
  }

  func testGivenPairsCollideAlongGivenVectors() throws {
    var numbers = TestNumbers(72)
    for particles in try Particles.shapes() {
      let rig = CollisionRig(particles)
      let (v, g) = (GuardedArray(numbers.normals(particles.features)), numbers.normals(particles.features))
      let before = v.values.doubles
      let order = Array(0..<particles.count).shuffled(using: &numbers)
      let pairs = (0..<particles.count / 2).map { (first: order[2 * $0], second: order[2 * $0 + 1]) }
      let normals = pairs.map { _ in numbers.normals(particles.dimensions, scale: 3) }
      rig.residual.collide(sample: 0, pairs: pairs, normals: normals, position: v.pointer, velocity: v.pointer)
      let collisions = zip(pairs, normals).map { pair, normal in
        let length = dot(normal.doubles, normal.doubles).squareRoot()
        return Collision(first: pair.first, second: pair.second, direction: normal.map { Double($0) / length })
      }
      assertClose(v.values, Reference.collided(before, particles, collisions), within: 1e-6, particles.name)
      assertClose(
        rig.backward(g), Reference.collidedBackward(g.doubles, velocity: before, particles, collisions), within: 2e-6,
        particles.name)
    }
  }

  func testParticlesOfEqualVelocityStayAndShareTheirGradient() throws {
    for particles in try Particles.shapes() {
      var numbers = TestNumbers(73)
      let rig = CollisionRig(particles)
      let common = numbers.normals(particles.dimensions)
      let v = GuardedArray(count: particles.features)
      for particle in 0..<particles.count {
        for d in 0..<particles.dimensions { v.pointer[particles.feature(particle, d)] = common[d] }
      }
      let before = v.values
      rig.residual.collide(
        sample: 0, pairs: [(0, 1)], normals: [numbers.normals(particles.dimensions)], position: v.pointer,
        velocity: v.pointer)
      XCTAssertEqual(v.values, before, particles.name)
      let g = numbers.normals(particles.features)
      let gradient = rig.backward(g)
      for d in 0..<particles.dimensions {
        let (i, j) = (particles.feature(0, d), particles.feature(1, d))
        XCTAssertEqual(gradient[i], (g[i] + g[j]) * 0.5)
        XCTAssertEqual(gradient[j], (g[i] + g[j]) * 0.5)
      }
    }
  }
}
