/// Everything that decides what a run computes and how, as one tree of plain values.
///
/// A configuration that was read from text is checked: its values are valid and fit together. What depends on
/// the data set or on the number of ranks is for the trainer to check.
public struct Configuration: Sendable, Equatable {
  /// What the run is called.
  public var name: String
  /// The seed of every random stream of the run.
  public var seed: UInt64
  public var data: DataConfiguration
  public var model: ModelConfiguration
  public var optimizer: OptimizerConfiguration
  public var training: TrainingConfiguration
  public var parallel: ParallelConfiguration
  public var checkpoint: CheckpointConfiguration

  /// Makes a configuration from its parts, unchecked.
  public init(
    name: String, seed: UInt64 = 1, data: DataConfiguration, model: ModelConfiguration,
    optimizer: OptimizerConfiguration, training: TrainingConfiguration,
    parallel: ParallelConfiguration = .init(), checkpoint: CheckpointConfiguration = .init()
  ) {
    self.name = name
    self.seed = seed
    self.data = data
    self.model = model
    self.optimizer = optimizer
    self.training = training
    self.parallel = parallel
    self.checkpoint = checkpoint
  }

  /// Reads a configuration file.
  ///
  /// - Parameters:
  ///   - path: The file: UTF-8, at most 64 KiB.
  ///   - overrides: `KEY=VALUE` each, applied in their order before the configuration is decoded.
  /// - Throws: `KitiError` of the kind `usage` that names the file, the line and the dotted key.
  public static func load(path: String, overrides: [String] = []) throws -> Configuration {
    try Configuration(yaml: ConfigurationFile.text(path: path), name: path, overrides: overrides)
  }

  /// Reads a configuration from YAML text.
  ///
  /// - Parameters:
  ///   - yaml: One YAML document.
  ///   - name: What errors call the text, usually the file it came from.
  ///   - overrides: `KEY=VALUE` each, with a dotted key (`model.collision.scheme=none`). The value is YAML: a
  ///     word, a number, `{…}` or `[…]`; `null` takes the key away, so that its default holds again.
  /// - Throws: `KitiError` of the kind `usage` that names the text, the line (or the override) and the dotted
  ///   key.
  public init(yaml: String, name: String, overrides: [String] = []) throws {
    let origin = { ConfigurationOrigin.line($0, file: name) }
    guard var root = try ConfigurationNode.parse(yaml: yaml, origin: origin), !root.isNull else {
      throw KitiError(
        .usage, "\(name): the configuration is empty.",
        remedy: "Start from one of the ready configurations in experiments/.")
    }
    for override in overrides {
      try ConfigurationOverride(override).apply(to: &root)
    }
    try self.init(ConfigurationSection(root, path: "", origin: root.origin))
  }

  /// The resolved configuration as YAML text: every key is there, in one order, and reading the text gives an
  /// equal configuration.
  public var yaml: String { node.yaml }

  /// The first key whose value is not the same in `other`, with both values; `nil` if there is none.
  ///
  /// For example `model.width: 64 here, 32 there`, where "there" is `other`.
  public func firstDifference(from other: Configuration) -> String? {
    for (here, there) in zip(node.leaves(), other.node.leaves()) where here != there {
      let second = here.key == there.key ? there.text : "\(there.key): \(there.text)"
      return "\(here.key): \(here.text) here, \(second) there"
    }
    return nil
  }
}

extension Configuration {
  private init(_ section: ConfigurationSection) throws {
    try section.accept([
      "name", "seed", "data", "model", "optimizer", "training", "parallel", "checkpoint",
    ])
    name = try section.required("name", .text("text of one line"))
    seed = try section.value("seed", .integer(0...UInt64.max), default: 1)
    data = try DataConfiguration(section.requiredSection("data"))
    model = try ModelConfiguration(section.requiredSection("model"))
    optimizer = try OptimizerConfiguration(section.requiredSection("optimizer"))
    training = try TrainingConfiguration(section.requiredSection("training"))
    parallel = try ParallelConfiguration(section.section("parallel"))
    checkpoint = try CheckpointConfiguration(section.section("checkpoint"))
    try requirePartsThatFit(section)
  }

  /// What decoding a section alone cannot see.
  private func requirePartsThatFit(_ section: ConfigurationSection) throws {
    if parallel.progress == .thread, training.syncBatchNorm {
      throw try section.section("parallel").impossible(
        "progress", "is thread, but 'training.syncBatchNorm' is true",
        remedy: "Batch norm over all ranks communicates in the middle of a pass, from the computing thread: use poll.")
    }
    if parallel.shardOptimizer, case .muon = optimizer.rule {
      throw try section.section("parallel").impossible(
        "shardOptimizer", "is true, but 'optimizer.kind' is muon",
        remedy: "Muon needs whole layers on every rank: leave shardOptimizer out, or choose another optimizer.")
    }
  }

  private var node: ConfigurationNode {
    .section([
      "name": .text(name), "seed": .integer(seed), "data": data.node, "model": model.node,
      "optimizer": optimizer.node, "training": training.node, "parallel": parallel.node,
      "checkpoint": checkpoint.node,
    ])
  }
}
