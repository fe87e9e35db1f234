/// What a collision residual is asked to do.
public struct CollisionOptions: Sendable, Equatable {
  /// How candidate pairs are found.
  public enum Scheme: String, Sendable, CaseIterable {
    /// No pair collides: the classic residual.
    case none
    /// No time counter (Bird 1994, §11.1): candidates are a random perfect matching.
    case ntc
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
  /// Acceptance of a pair at the largest relative speed and no distance, in [0, 1].
  public var coefficient: Double
  public var lengthScale: LengthScale
  public var timeStep: Double
  public var streams: Streams

  public init(
    scheme: Scheme = .ntc, coefficient: Double = 0.5, lengthScale: LengthScale = .rms, timeStep: Double = 1,
    streams: Streams = .rank
  ) {
    self.scheme = scheme
    self.coefficient = coefficient
    self.lengthScale = lengthScale
    self.timeStep = timeStep
    self.streams = streams
  }
}
