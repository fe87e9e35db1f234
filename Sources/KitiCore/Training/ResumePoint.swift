import KitiMPI

/// Where a run goes on: a checkpoint that fits the configuration.
public struct ResumePoint: Sendable {
  public var path: String
  public var state: TrainingState
  /// What the person should know, such as a damaged newer file that was passed over.
  public var notices: [String]

  /// The newest complete checkpoint of a run folder, checked against the configuration. Collective.
  ///
  /// - Returns: nil if the folder holds no checkpoint.
  /// - Throws: a usage error that names the first key which changes what is trained.
  public static func find(
    in folder: CheckpointFolder, for configuration: Configuration, communicator: Communicator
  ) throws -> ResumePoint? {
    var found: (path: String, warning: String?)?
    try communicator.onFirstRank { found = try folder.newest() }
    let path = try communicator.broadcast(found?.path ?? "", root: 0)
    let warning = try communicator.broadcast(found?.warning ?? "", root: 0)
    guard !path.isEmpty else { return nil }
    let header = try Checkpoint.readHeader(path, communicator: communicator)
    let notices = warning.isEmpty ? [] : [warning]
    try communicator.agreeing {
      let saved = try Configuration(yaml: header.configuration, name: "\(path) (/config)")
      if let difference = configuration.comparable.firstDifference(from: saved.comparable) {
        throw KitiError(
          .usage, "\(path) belongs to a run with another configuration: \(difference) (the checkpoint's).",
          remedy: "Resume with the run's own config.yaml, or start a new run with another --output.")
      }
      if case .global(let size) = configuration.training.batch, size != header.state.globalBatch {
        throw KitiError(
          .usage,
          "\(path) was trained with a global batch of \(header.state.globalBatch), and training.globalBatch is \(size).",
          remedy: "Resume with the same global batch.")
      }
    }
    return ResumePoint(path: path, state: header.state, notices: notices)
  }
}

extension Configuration {
  /// This configuration with fixed values for all that may change when a run is resumed: its length, how ranks share
  /// and save the work, and the name. The global batch is checked by itself.
  fileprivate var comparable: Configuration {
    var copy = self
    copy.name = ""
    copy.data.path = ""
    copy.training.epochs = 1
    copy.training.batch = .global(1)
    copy.training.accumulation = 1
    copy.training.evaluateEvery = .epochs(1)
    copy.training.onNonFinite = .stop
    copy.parallel = ParallelConfiguration()
    copy.checkpoint = CheckpointConfiguration()
    return copy
  }
}
