/// When a run saves its state, and how many of the files it keeps.
public struct CheckpointConfiguration: Sendable, Equatable {
  public var every: Interval
  /// The newest checkpoints that stay on disk.
  public var keep: Int

  public init(every: Interval = .epochs(10), keep: Int = 3) {
    self.every = every
    self.keep = keep
  }
}

extension CheckpointConfiguration {
  package init(_ section: ConfigurationSection) throws {
    try section.accept(["every", "keep"])
    let standard = CheckpointConfiguration()
    every = try section.value("every", .interval(allowsTime: true), default: standard.every)
    keep = try section.value("keep", .count, default: standard.keep)
  }

  package var node: ConfigurationNode {
    .section(["every": .interval(every), "keep": .integer(keep)])
  }
}
