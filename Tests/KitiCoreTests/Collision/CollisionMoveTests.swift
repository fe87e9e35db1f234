import KitiCore
import XCTest

/// A matching that collides after the move, and gradients that are turned in place: the same as with arrays of velocities
/// and gradients.
final class CollisionMoveTests: XCTestCase {
  private let pass = Pass(isTraining: true, seed: 1, step: 3)

  /// Numbers of a sample as a batch norm leaves them, z · scale + shift.
  private struct Normalized {
    let z: GuardedArray
    let scale: GuardedArray
    let shift: GuardedArray

    init(_ particles: Particles, _ numbers: inout TestNumbers) {
      z = GuardedArray(numbers.normals(particles.features))
      scale = GuardedArray(numbers.normals(particles.layout.pieceLength))
      shift = GuardedArray(numbers.normals(particles.layout.pieceLength))
    }

    var field: NormalizedValues {
      NormalizedValues(z.pointer, normalization: (UnsafePointer(scale.pointer), UnsafePointer(shift.pointer)))
    }

    var values: [Float] {
      let (scale, shift) = (scale.values, shift.values)
      return z.values.enumerated().map { index, value in
        shift[index % shift.count].addingProduct(value, scale[index % scale.count])
      }
    }
  }

  private func options(midpoint: Bool) -> CollisionOptions {
    CollisionOptions(coefficient: 1, lengthScale: .value(.infinity), midpoint: midpoint)
  }

  private func moved(_ x: [Float], _ v: [Float], timeStep: Float) -> [Float] {
    zip(x, v).map { max(0, $0.addingProduct(timeStep, $1)) }
  }

  func testOutcomeIsThatOfCollidedVelocities() throws {
    var numbers = TestNumbers(150)
    var collided = 0
    for particles in try Particles.shapes() {
      for (midpoint, timeStep) in [(false, Float(1)), (true, 0.75)] {
        let (position, velocity) = (Normalized(particles, &numbers), Normalized(particles, &numbers))
        let rig = CollisionRig(particles, options(midpoint: midpoint))
        let after = rig.collide(position.values, velocity.values, pass: pass)
        let expected = moved(rig.positions, after, timeStep: timeStep)
        let plain = GuardedArray(position.values)
        for x in [position.field, NormalizedValues(plain.pointer)] {
          let output = GuardedArray(moved(position.values, velocity.values, timeStep: timeStep))
          let other = CollisionRig(particles, options(midpoint: midpoint))
          other.residual.collide(
            sample: 0,
            after: ParticleMove(position: x, velocity: velocity.field, timeStep: timeStep, output: output.pointer),
            pass: pass)
          XCTAssertTrue(output.guardsHold, "\(particles.name): wrote outside")
          XCTAssertEqual(other.residual.acceptedPairs, rig.residual.acceptedPairs, particles.name)
          assertClose(output.values, expected.doubles, within: 2e-6, particles.name)
        }
        XCTAssertEqual(plain.values, position.values, "positions have changed")
        collided += rig.residual.acceptedPairs
      }
    }
    XCTAssertGreaterThan(collided, 50)
  }

  func testTurnedGradientIsThatOfTheBackwardPassAndIsRestored() throws {
    var numbers = TestNumbers(151)
    for particles in try Particles.shapes() {
      let rig = CollisionRig(particles, options(midpoint: false), batch: 2)
      let size = particles.features
      let (x, v) = (numbers.normals(2 * size), numbers.normals(2 * size))
      let (g, z) = (numbers.normals(2 * size), GuardedArray(numbers.normals(2 * size)))
      _ = rig.collide(x, v, pass: pass)
      let expected = rig.backward(g, pass: pass)
      let channels = particles.layout.pieceLength
      let (gradient, start) = (GuardedArray(g), 0.25)
      var products = [Double](repeating: start, count: channels)
      for sample in 0..<2 {
        rig.residual.turn(
          sample: sample, gradient: gradient.pointer + sample * size, times: z.pointer + sample * size,
          products: &products)
      }
      assertClose(gradient.values, expected.doubles, within: 1e-6, particles.name)
      var (changes, sums) = ([Double](repeating: start, count: channels), [Double](repeating: 0, count: channels))
      for (index, factor) in z.values.enumerated() {
        let change = Double(expected[index]) - Double(g[index])
        changes[index % channels] += change * Double(factor)
        sums[index % channels] += change
      }
      assertClose(products.map { Float($0) }, changes, within: 1e-5, magnitude: 1, particles.name)
      XCTAssertLessThan(sums.map(abs).max()!, 1e-5, "\(particles.name): the sum over places has changed")
      for sample in 0..<2 { rig.residual.restore(sample: sample, gradient: gradient.pointer + sample * size) }
      XCTAssertEqual(gradient.values, g, particles.name)
      XCTAssertTrue(gradient.guardsHold && z.guardsHold, "\(particles.name): wrote outside")
    }
  }

  func testOnlyMatchingsInTrainingAskForIt() throws {
    let particles = try Particles(places: 12, channels: 3, divide: 1)
    for scheme in CollisionOptions.Scheme.allCases {
      let residual = CollisionRig(particles, CollisionOptions(scheme: scheme)).residual
      XCTAssertEqual(residual.collidesInPlace(pass), scheme == .ntc)
      XCTAssertFalse(residual.collidesInPlace(.evaluation))
    }
  }

  func testDriftOfTheFirstSampleIsMeasuredOnCopiesAndCountsNoPairs() throws {
    var numbers = TestNumbers(153)
    let particles = try Particles(places: 64, channels: 3, divide: 1)
    let residual = CollisionRig(particles, options(midpoint: false)).residual
    let (x, start) = (numbers.normals(particles.features), numbers.normals(particles.features))
    for (step, sample) in [(0, 0), (0, 1), (1, 0), (CollisionResidual.driftInterval, 0)] {
      let pass = Pass(isTraining: true, seed: 1, step: step)
      let isDue = sample == 0 && step % CollisionResidual.driftInterval == 0
      let (position, velocity) = (GuardedArray(x), GuardedArray(start))
      var isPrepared = false
      residual.resetCounts()
      residual.measureDrift(sample: sample, pass: pass) {
        isPrepared = true
        return (position.pointer, velocity.pointer)
      }
      XCTAssertEqual(isPrepared, isDue)
      XCTAssertEqual(velocity.values != start, isDue, "every pair collides")
      XCTAssertEqual(residual.statistics.measuredSamples, isDue ? 1 : 0)
      XCTAssertEqual(residual.statistics.candidatePairs, 0)
      XCTAssertLessThan(residual.statistics.energyDrift, 1e-5)
      XCTAssertLessThan(residual.statistics.momentumDrift, 1e-6)
    }
  }

  func testBrokenNumbersStayWithTheirPairs() throws {
    var numbers = TestNumbers(152)
    let particles = try Particles(places: 64, channels: 33, divide: 2)
    for broken in [Float.nan, .infinity, -.infinity, 3e38] {
      var v = numbers.normals(particles.features)
      v[particles.feature(5, 3)] = broken
      let (x, velocity) = (GuardedArray(numbers.normals(particles.features)), GuardedArray(v))
      let start = moved(x.values, v, timeStep: 1)
      let output = GuardedArray(start)
      let rig = CollisionRig(particles, options(midpoint: false))
      rig.residual.collide(
        sample: 0,
        after: ParticleMove(
          position: NormalizedValues(x.pointer), velocity: NormalizedValues(velocity.pointer), timeStep: 1,
          output: output.pointer), pass: pass)
      let after = output.values
      let changed = Set(rig.residual.pairs(sample: 0, pass: pass).flatMap { [$0.first, $0.second] })
      for particle in 0..<particles.count where !changed.contains(particle) {
        for d in 0..<particles.dimensions {
          let index = particles.feature(particle, d)
          XCTAssertEqual(after[index].bitPattern, start[index].bitPattern, "\(broken)")
        }
      }
      XCTAssertTrue(output.guardsHold)
    }
  }
}
