// A matching changes few particles: where velocities and gradients need not be arrays of their own, the other particles
// cost nothing but their distances.
extension CollisionResidual {
  /// Whether the block may make the move without collisions and then call `collide(sample:after:pass:)`, and call `turn`
  /// and `restore` on the gradient with respect to y in place of `collideBackward` on a copy of it.
  package func collidesInPlace(_ pass: Pass) -> Bool { pass.isTraining && matching != nil }

  /// Measures the drifts of momentum and energy of a sample whose velocities are no array otherwise, where it is their
  /// turn.
  ///
  /// - Parameter prepare: makes copies of the sample's positions and velocities, which are then changed.
  package func measureDrift(
    sample: Int, pass: Pass,
    _ prepare: () -> (position: UnsafeMutablePointer<Float>, velocity: UnsafeMutablePointer<Float>)
  ) {
    guard measuresDrift(sample, pass), let engine else { return }
    let (position, velocity) = prepare()
    let energy = recordMomentum(velocity)
    // The pairs count where they collide in earnest.
    var uncounted = CollisionStatistics()
    engine.collide(
      sample: sample, position: position, draws: draws(sample: sample, pass: pass), strength: strength,
      statistics: &uncounted
    ) { velocity }
    measureDrift(velocity, energy: energy)
  }

  /// Makes y of the particles of one sample that collide.
  package func collide(sample: Int, after move: ParticleMove, pass: Pass) {
    matching?.collide(
      sample: sample, move: move, draws: draws(sample: sample, pass: pass), strength: strength, statistics: &statistics)
  }

  /// Turns the gradient with respect to x + v'·dt into that with respect to x + v·dt, in place, for one sample, once for
  /// each forward pass. The sum over places does not change, since momentum is kept.
  ///
  /// - Parameters:
  ///   - factor: numbers of the sample, `[places, channels]`.
  ///   - products: `[channels]`; what the sum over places of gradient · factor changes is added.
  package func turn(
    sample: Int, gradient: UnsafeMutablePointer<Float>, times factor: UnsafePointer<Float>,
    products: UnsafeMutablePointer<Double>
  ) {
    matching?.collideBackward(sample: sample, gradient: gradient, times: factor, products: products)
  }

  /// Undoes `turn`, to the last bit.
  package func restore(sample: Int, gradient: UnsafeMutablePointer<Float>) {
    matching?.restore(sample: sample, gradient: gradient)
  }
}
