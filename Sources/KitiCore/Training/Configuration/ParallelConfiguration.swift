/// How the ranks of a run work together.
public struct ParallelConfiguration: Sendable, Equatable {
  /// What is sent in place of the gradients.
  public enum Compression: String, Sendable, CaseIterable {
    /// The gradients themselves.
    case none
  }

  /// The order in which gradients are added up.
  public enum Reduction: String, Sendable, CaseIterable {
    /// The order that MPI likes best.
    case fast
  }

  /// The size of the parts in which gradients are averaged, in MiB. Parts of half a MiB let an FNO-1d, 2.1 MiB in
  /// all, send most of them while it still computes: 1,264 samples/s on two ranks where one part of 4 MiB gave 1,206.
  public var bucketMiB: Double
  public var compression: Compression
  /// Whether each rank keeps only its share of the optimizer's state.
  public var shardOptimizer: Bool
  public var reduction: Reduction
  /// Steps between two checks that all ranks hold the same parameters.
  public var checkEvery: Int
  /// How long a rank may wait for others in one operation before the job is ended with a report, in seconds; 0 for
  /// ever.
  public var watchdogSeconds: Double
  /// Steps between two looks at where the ranks' time goes.
  public var timingEvery: Int

  public init(
    bucketMiB: Double = 0.5, compression: Compression = .none, shardOptimizer: Bool = false,
    reduction: Reduction = .fast, checkEvery: Int = 100, watchdogSeconds: Double = 300, timingEvery: Int = 100
  ) {
    self.bucketMiB = bucketMiB
    self.compression = compression
    self.shardOptimizer = shardOptimizer
    self.reduction = reduction
    self.checkEvery = checkEvery
    self.watchdogSeconds = watchdogSeconds
    self.timingEvery = timingEvery
  }
}

extension ParallelConfiguration {
  package init(_ section: ConfigurationSection) throws {
    try section.accept([
      "bucketMiB", "compression", "shardOptimizer", "reduction", "checkEvery", "watchdogSeconds", "timingEvery",
    ])
    let standard = ParallelConfiguration()
    bucketMiB = try section.value("bucketMiB", .number(.positive), default: standard.bucketMiB)
    compression = try section.value("compression", .choice, default: standard.compression)
    shardOptimizer = try section.value("shardOptimizer", .boolean([false]), default: standard.shardOptimizer)
    reduction = try section.value("reduction", .choice, default: standard.reduction)
    checkEvery = try section.value("checkEvery", .count, default: standard.checkEvery)
    watchdogSeconds = try section.value("watchdogSeconds", .number(.nonNegative), default: standard.watchdogSeconds)
    timingEvery = try section.value("timingEvery", .count, default: standard.timingEvery)
  }

  package var node: ConfigurationNode {
    .section([
      "bucketMiB": .number(bucketMiB), "compression": .text(compression.rawValue),
      "shardOptimizer": .boolean(shardOptimizer), "reduction": .text(reduction.rawValue),
      "checkEvery": .integer(checkEvery), "watchdogSeconds": .number(watchdogSeconds),
      "timingEvery": .integer(timingEvery),
    ])
  }
}
