/// What a collision residual is asked to do.
public struct CollisionOptions: Sendable, Equatable {
  /// How candidate pairs are found.
  public enum Scheme: String, Sendable, CaseIterable {
    /// No pair collides: the classic residual.
    case none
    /// No time counter (Bird 1994, §11.1): candidates are a random perfect matching.
    case ntc
    /// All pairs are candidates, as published; a particle may have many partners.
    case dense
  }

  /// What the probability of a collision depends on.
  public enum Acceptance: String, Sendable, CaseIterable {
    /// Relative speed and distance: p = coefficient · (s / s_max) · exp(−r/ℓ).
    case kinetic
    /// Nothing: p = coefficient. Maxwell molecules.
    case constant
  }

  /// How a probability becomes a decision.
  public enum Decision: String, Sendable, CaseIterable {
    /// A uniform number below p accepts.
    case bernoulli
    /// p > 1 − coefficient accepts, with p taken without the coefficient; `dense` only, as published.
    case threshold
  }

  /// What a collision of `dense` counts for a particle with several partners.
  public enum Weights: String, Sendable, CaseIterable {
    /// 1 / max(k_i, k_j), with k the number of partners.
    case pair
    /// 1, as published: grows with the number of partners.
    case sum
  }

  /// The length ℓ over which particles collide: acceptance falls as exp(−r/ℓ).
  public enum LengthScale: Sendable, Equatable {
    /// The root mean square of r over the candidate pairs of the sample.
    case rms
    /// 1, as published.
    case unit
    /// In the units of the positions.
    case value(Double)
  }

  /// Whose random stream a collision draws from.
  public enum Streams: String, Sendable, CaseIterable {
    /// The rank's.
    case rank
    /// The sample's, so that the world size does not matter.
    case sample
  }

  public var scheme: Scheme
  public var acceptance: Acceptance
  public var decision: Decision
  public var weights: Weights
  /// Acceptance of a pair at the largest relative speed and no distance, in [0, 1].
  public var coefficient: Double
  public var lengthScale: LengthScale
  public var timeStep: Double
  /// Whether an accepted pair starts its move from the middle of its positions.
  public var midpoint: Bool
  /// Whether a block's branch adds to the velocities that the block before it left, within one stage: v = v + a·dt.
  /// It belongs to the move, as `timeStep` does, and holds for every scheme and in evaluation.
  public var carry: Bool
  public var streams: Streams

  public init(
    scheme: Scheme = .ntc, acceptance: Acceptance = .kinetic, decision: Decision = .bernoulli, weights: Weights = .pair,
    coefficient: Double = 0.5, lengthScale: LengthScale = .rms, timeStep: Double = 1, midpoint: Bool = false,
    carry: Bool = false, streams: Streams = .rank
  ) {
    self.scheme = scheme
    self.acceptance = acceptance
    self.decision = decision
    self.weights = weights
    self.coefficient = coefficient
    self.lengthScale = lengthScale
    self.timeStep = timeStep
    self.midpoint = midpoint
    self.carry = carry
    self.streams = streams
  }
}
