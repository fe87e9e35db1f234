/// Sums over the collisions of a layer, from which its metrics follow; sums over ranks are sums of these.
public struct CollisionStatistics: Sendable, Equatable {
  public var candidatePairs = 0.0
  public var acceptedPairs = 0.0
  /// Σ s over candidate pairs.
  public var speed = 0.0
  /// Σ s/ℓ over candidate pairs.
  public var scaledSpeed = 0.0
  /// Samples on which the drifts were measured, and the sums of the drifts.
  public var measuredSamples = 0.0
  public var momentumDrift = 0.0
  public var energyDrift = 0.0

  public init() {}

  /// Numbers of the flat form.
  package static let count = 7

  package var values: InlineArray<7, Double> {
    get { [candidatePairs, acceptedPairs, speed, scaledSpeed, measuredSamples, momentumDrift, energyDrift] }
    set {
      (candidatePairs, acceptedPairs, speed, scaledSpeed) = (newValue[0], newValue[1], newValue[2], newValue[3])
      (measuredSamples, momentumDrift, energyDrift) = (newValue[4], newValue[5], newValue[6])
    }
  }
}

/// What a person may want to know of one layer's collisions in a step, over all ranks.
public struct CollisionReport: Sendable, Equatable {
  public var layer: String
  /// Accepted over candidate pairs.
  public var rate: Double
  /// Mean of |v_i − v_j| over candidate pairs.
  public var relativeSpeed: Double
  /// Mean free path over ℓ: speed relative to the gas, ⟨s⟩/√2, times the time between two collisions of a particle. Nil if
  /// nothing collided.
  public var freePath: Double?
  /// |ΔΣv| / Σ|v| and |ΔΣv²| / Σv² of a sample, in steps that measured them.
  public var momentumDrift: Double?
  public var energyDrift: Double?

  /// - Returns: nil if there was no candidate pair.
  public init?(_ sums: CollisionStatistics, of residual: CollisionResidual) {
    guard sums.candidatePairs > 0 else { return nil }
    layer = residual.name
    rate = sums.acceptedPairs / sums.candidatePairs
    relativeSpeed = sums.speed / sums.candidatePairs
    // Every collision has two partners; a sample has `candidatesPerSample` chances among its particles.
    let perParticle = rate * 2 * Double(residual.candidatesPerSample) / Double(residual.layout.count)
    freePath =
      perParticle > 0
      ? sums.scaledSpeed / sums.candidatePairs / 2.0.squareRoot() * abs(residual.options.timeStep) / perParticle : nil
    if sums.measuredSamples > 0 {
      momentumDrift = sums.momentumDrift / sums.measuredSamples
      energyDrift = sums.energyDrift / sums.measuredSamples
    }
  }
}
