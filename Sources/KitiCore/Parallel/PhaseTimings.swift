import Foundation
import KitiMPI

/// Where each rank's time went in some steps, on rank 0.
public struct PhaseTimings: Sendable {
  /// Steps done when they were gathered.
  public var step: Int
  /// How many steps the seconds are of.
  public var steps: Int
  /// In the order of ranks.
  public var ranks: [PhaseSeconds]
  /// In the order of ranks.
  public var hosts: [String]

  /// Sums of one rank become known to rank 0. Collective; 40 bytes a rank.
  ///
  /// - Returns: nil on other ranks.
  public static func gather(
    _ recorder: PhaseRecorder, step: Int, hosts: [String], over communicator: Communicator
  ) throws -> PhaseTimings? {
    let (seconds, steps) = recorder.takeSeconds()
    guard let all = try communicator.gather(seconds.values, root: 0) else { return nil }
    let count = PhaseSeconds.names.count
    let ranks = (0..<communicator.size).map { PhaseSeconds(all[($0 * count)..<(($0 + 1) * count)]) }
    return PhaseTimings(step: step, steps: steps, ranks: ranks, hosts: hosts)
  }

  public init(step: Int, steps: Int, ranks: [PhaseSeconds], hosts: [String]) {
    self.step = step
    self.steps = steps
    self.ranks = ranks
    self.hosts = hosts
  }

  /// A rank that takes longer than the others before it can join them: others wait for its loading as for its passes.
  public struct Slowest: Sendable, Equatable {
    public var rank: Int
    /// Seconds of loading and passes over their median, less one.
    public var excess: Double
    /// The same in seconds, over all steps.
    public var excessSeconds: Double
    /// Whether the excess is mostly loading.
    public var isLoading: Bool
  }

  /// What is worth a word: a share of the median, and seconds in all. Less is the ordinary unrest of machines.
  public static let noticeable = (excess: 0.2, seconds: 0.1)

  /// Nil with one rank.
  public var slowest: Slowest? {
    guard ranks.count > 1 else { return nil }
    let own = ranks.map { $0.loading + $0.compute }
    let rank = own.indices.max { own[$0] < own[$1] }!
    let middle = Self.median(own)
    guard middle > 0 else { return nil }
    let loading = ranks[rank].loading - Self.median(ranks.map(\.loading))
    return Slowest(rank: rank, excess: own[rank] / middle - 1, excessSeconds: own[rank] - middle,
      isLoading: 2 * loading > own[rank] - middle)
  }

  /// For a person, if a rank stands out.
  public var notice: String? {
    guard let slowest, slowest.excess > Self.noticeable.excess, slowest.excessSeconds > Self.noticeable.seconds
    else { return nil }
    let what = slowest.isLoading ? "loading its data" : "its computation"
    return String(
      format: "rank %d on %@ holds the others up: %@ took it %.0f %% longer than the median of the ranks "
        + "in the last %d steps",
      slowest.rank, hosts[slowest.rank], what, slowest.excess * 100, steps)
  }

  /// The median; of two ranks the faster one, since half of them would hide the other half of a difference.
  static func median(_ values: [Double]) -> Double { values.sorted()[(values.count - 1) / 2] }
}
