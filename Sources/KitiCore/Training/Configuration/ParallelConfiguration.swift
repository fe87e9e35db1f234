/// How the ranks of a run work together.
public struct ParallelConfiguration: Sendable, Equatable {
  /// What is sent in place of the gradients.
  public enum Compression: String, Sendable, CaseIterable {
    /// The gradients themselves.
    case none
    /// Their upper halves, rounded to nearest, with error feedback: what rounding takes from a number is added to it in
    /// the next step. Half the bytes; a buffer as long as the parameters more on each rank, and in checkpoints one for
    /// each rank. Resuming at the same number of ranks is exact to the bit. At another number the ranks' buffers are
    /// added up, and without compression they are dropped: that loses less than one rounding of one gradient.
    case bf16
  }

  /// The order in which gradients are added up.
  public enum Reduction: String, Sendable, CaseIterable {
    /// In fp32, in the order that suits the way: a balanced tree over the ranks of one host, between hosts what MPI
    /// likes best for the number of ranks and the size of a bucket.
    case fast
    /// One that does not matter: each sample's gradient by itself, all in double precision, rounded to fp32 once. So
    /// runs with the same global batch and collision `streams: sample` (and in networks with batch norm
    /// `training.syncBatchNorm`) make the same steps at any number of ranks, to the last digits. Twice the bytes, and
    /// slower passes. Compression and a sharded optimizer do not go so far: they sum over ranks in fp32, in the order
    /// of a balanced tree, which depends on nothing but the number of ranks.
    case ordered
  }

  /// Who moves messages while a rank computes: Open MPI has no thread of its own for that.
  ///
  /// Measured in six pairs of runs of FNO-1d, two ranks on two busy cores: step times with the thread were 0.72 to 1.52
  /// of those with polling, four of them between 0.88 and 1.11: no difference that can be told from chance. Polling hid
  /// 74 % of communication (median) and the thread 34 %, since it waits for a core. So polling is the standard; the
  /// thread is for ranks with a core to spare.
  public enum Progress: String, Sendable, CaseIterable {
    /// The computing thread, between layers.
    case poll
    /// A second thread, which needs a part of a core.
    case thread
  }

  /// The size of the parts in which gradients are averaged, in MiB. Parts of half a MiB let an FNO-1d, 2.1 MiB in all,
  /// send most of them while it still computes: 1,264 samples/s on two ranks where one part of 4 MiB gave 1,206.
  public var bucketMiB: Double
  public var progress: Progress
  /// Whether ranks that all run on one host sum gradients through memory that they share, where there is some to be had,
  /// and send no messages. Not with compression or `ordered`.
  public var sharedMemory: Bool
  public var compression: Compression
  /// Whether each rank keeps the optimizer's state of its share of the parameters only: it gets the sums of their
  /// gradients, updates them, and sends them to the others. As many bytes as without, 1/N of the state.
  public var shardOptimizer: Bool
  public var reduction: Reduction
  /// Steps that each rank makes on its own samples before parameters are averaged (local SGD); 1 averages gradients in
  /// every step. See `ParameterAverager`.
  public var localSteps: Int
  /// Steps between two checks that all ranks hold the same parameters.
  public var checkEvery: Int
  /// How long a rank may wait for others in one operation before the job is ended with a report, in seconds; 0 for
  /// ever.
  public var watchdogSeconds: Double
  /// Steps between two looks at where the ranks' time goes.
  public var timingEvery: Int

  public init(
    bucketMiB: Double = 0.5, progress: Progress = .poll, sharedMemory: Bool = true, compression: Compression = .none,
    shardOptimizer: Bool = false, reduction: Reduction = .fast, localSteps: Int = 1, checkEvery: Int = 100, watchdogSeconds: Double = 300,
    timingEvery: Int = 100
  ) {
    self.bucketMiB = bucketMiB
    self.progress = progress
    self.sharedMemory = sharedMemory
    self.compression = compression
    self.shardOptimizer = shardOptimizer
    self.reduction = reduction
    self.localSteps = localSteps
    self.checkEvery = checkEvery
    self.watchdogSeconds = watchdogSeconds
    self.timingEvery = timingEvery
  }
}

extension ParallelConfiguration {
  package init(_ section: ConfigurationSection) throws {
    try section.accept([
      "bucketMiB", "progress", "sharedMemory", "compression", "shardOptimizer", "reduction", "localSteps",
      "checkEvery", "watchdogSeconds", "timingEvery",
    ])
    let standard = ParallelConfiguration()
    bucketMiB = try section.value("bucketMiB", .number(.positive), default: standard.bucketMiB)
    progress = try section.value("progress", .choice, default: standard.progress)
    sharedMemory = try section.value("sharedMemory", .boolean(), default: standard.sharedMemory)
    compression = try section.value("compression", .choice, default: standard.compression)
    shardOptimizer = try section.value("shardOptimizer", .boolean(), default: standard.shardOptimizer)
    reduction = try section.value("reduction", .choice, default: standard.reduction)
    localSteps = try section.value("localSteps", .count, default: standard.localSteps)
    checkEvery = try section.value("checkEvery", .count, default: standard.checkEvery)
    watchdogSeconds = try section.value("watchdogSeconds", .number(.nonNegative), default: standard.watchdogSeconds)
    timingEvery = try section.value("timingEvery", .count, default: standard.timingEvery)
    if localSteps > 1 { try requireNoGradientOptions(section) }
  }

  /// The standard configuration with changes.
  ///
  /// - Parameter overrides: `parallel.KEY=VALUE` each, as `Configuration.load` takes them.
  public init(overrides: [String]) throws {
    var root = ConfigurationNode(.section([]), origin: .encoded)
    for override in overrides { try ConfigurationOverride(override).apply(to: &root) }
    let section = try ConfigurationSection(root, path: "", origin: root.origin)
    try section.accept(["parallel"])
    try self.init(section.section("parallel"))
  }

  /// With local steps no gradient travels, and each rank needs the whole state of its own optimizer.
  private func requireNoGradientOptions(_ section: ConfigurationSection) throws {
    let impossible = [
      ("shardOptimizer", shardOptimizer, "true"), ("compression", compression != .none, compression.rawValue),
      ("progress", progress == .thread, progress.rawValue),
    ]
    for (key, isGiven, value) in impossible where isGiven {
      throw section.impossible(
        key, "is \(value), but '\(section.dotted("localSteps"))' is \(localSteps)",
        remedy: "With local steps ranks send no gradients: leave \(key) out, or set localSteps to 1.")
    }
  }

  package var node: ConfigurationNode {
    .section([
      "bucketMiB": .number(bucketMiB), "progress": .text(progress.rawValue),
      "sharedMemory": .boolean(sharedMemory), "compression": .text(compression.rawValue),
      "shardOptimizer": .boolean(shardOptimizer), "reduction": .text(reduction.rawValue),
      "localSteps": .integer(localSteps), "checkEvery": .integer(checkEvery),
      "watchdogSeconds": .number(watchdogSeconds), "timingEvery": .integer(timingEvery),
    ])
  }
}
