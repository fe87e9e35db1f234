import KitiCore
import XCTest

/// One collision residual with the arrays of a batch.
final class CollisionRig {
  let particles: Particles
  let residual: CollisionResidual
  let batch: Int

  init(_ particles: Particles, _ options: CollisionOptions = .init(), layerIndex: Int = 0, batch: Int = 1) {
    self.particles = particles
    self.batch = batch
    residual = CollisionResidual(
      layout: particles.layout, options: options, layerIndex: layerIndex, capacity: batch)
  }

  /// Positions of the batch that collided last, after the collision.
  private(set) var positions: [Float] = []

  /// Velocities of the whole batch after the collision of all its samples.
  func collide(_ x: [Float], _ v: [Float], pass: Pass = Pass(isTraining: true, seed: 1)) -> [Float] {
    let (position, velocity) = (GuardedArray(x), GuardedArray(v))
    for sample in 0..<batch {
      residual.collide(
        sample: sample, position: position.pointer + sample * particles.features,
        velocity: velocity.pointer + sample * particles.features, pass: pass)
    }
    XCTAssertTrue(velocity.guardsHold && position.guardsHold, "\(particles.name): wrote outside")
    positions = position.values
    return velocity.values
  }

  func backward(_ g: [Float], pass: Pass = Pass(isTraining: true, seed: 1)) -> [Float] {
    let gradient = GuardedArray(g)
    for sample in 0..<batch {
      residual.collideBackward(
        sample: sample, velocityGradient: gradient.pointer + sample * particles.features, pass: pass)
    }
    XCTAssertTrue(gradient.guardsHold, "\(particles.name): wrote outside")
    return gradient.values
  }

  func midpointBackward(_ g: [Float], pass: Pass = Pass(isTraining: true, seed: 1)) -> [Float] {
    let gradient = GuardedArray(g)
    for sample in 0..<batch {
      residual.collideBackward(
        sample: sample, positionGradient: gradient.pointer + sample * particles.features, pass: pass)
    }
    XCTAssertTrue(gradient.guardsHold, "\(particles.name): wrote outside")
    return gradient.values
  }
}

extension CollisionOptions {
  /// Accepts as many pairs as the relative speeds allow, wherever they are.
  static let eager = CollisionOptions(coefficient: 1, lengthScale: .value(.infinity))
}

extension Particles {
  /// Fields and tokens of many shapes: odd numbers of particles, pieces that fill no vector, one coordinate.
  static func shapes() throws -> [Particles] {
    [
      try Particles(places: 2, channels: 1, divide: 1), try Particles(places: 7, channels: 1, divide: 1),
      try Particles(places: 12, channels: 3, divide: 1), try Particles(places: 12, channels: 3, divide: 2),
      try Particles(places: 12, channels: 5, divide: 4), try Particles(places: 14, channels: 8, divide: 2),
      try Particles(places: 9, channels: 17, divide: 1), try Particles(places: 16, channels: 31, divide: 4),
      try Particles(places: 64, channels: 33, divide: 1), try Particles(places: 20, channels: 40, divide: 4),
      try Particles(features: 2, width: 1), try Particles(features: 35, width: 5),
      try Particles(features: 96, width: 16), try Particles(features: 51, width: 17),
    ]
  }
}
