import Foundation
import KitiMPI

/// The test metrics of a checkpoint, from its own configuration.
public struct CheckpointEvaluation: Sendable {
  public var checkpoint: String
  public var state: TrainingState
  public var metrics: [MetricValue]
  /// What was evaluated other than the model as it is.
  public var remarks: [String]
  public var samples: Int
  /// That a newer checkpoint is damaged and was passed over.
  public var warning: String?

  /// Collective. Ranks that wait for another one for longer than `parallel.watchdogSeconds`, the standard limit or one
  /// of the overrides, end the job.
  ///
  /// - Parameters:
  ///   - checkpoint: a file, or a run's folder for its newest checkpoint.
  ///   - overrides: `KEY=VALUE` changes of the configuration, for data that has moved.
  ///   - batch: samples in one forward pass on each rank.
  public static func run(
    checkpoint: String, overrides: [String], batch: Int, communicator: Communicator
  ) throws -> CheckpointEvaluation {
    let recorder = PhaseRecorder()
    let watchdog = try startWatchdog(recorder, overrides, communicator)
    defer { watchdog?.stop() }
    recorder.enter(.checkpoint)
    var found = (path: checkpoint, warning: String?.none)
    try communicator.onFirstRank { found = try CheckpointFolder.resolve(checkpoint) }
    let path = try communicator.broadcast(found.path, root: 0)
    let header = try Checkpoint.readHeader(path, communicator: communicator)
    let (configuration, model, dataSet) = try communicator.agreeing {
      let configuration = try Configuration(
        yaml: header.configuration, name: "\(path) (/config)", overrides: overrides)
      let dataSet = try Experiment.dataSet(configuration.data)
      return (configuration, try Experiment.model(configuration, dataSet: dataSet, capacity: batch), dataSet)
    }
    let training = configuration.training
    let store = ParameterStore(model, seed: 0)
    let average = training.weightAverage.map { WeightAverage(store: store, decay: $0) }
    let state = try Checkpoint.read(
      from: path, into: store, optimizerState: nil, otherState: average.map { [$0.state] } ?? [],
      communicator: communicator)
    average?.swap()
    recorder.begin(step: state.step)
    TestDelay(rank: communicator.rank).apply(step: state.step, as: .evaluation, in: recorder)
    recorder.enter(.evaluation)
    let result = try Evaluation(
      model: model, objective: Experiment.objective(training, dataSet: dataSet), dataSet: dataSet,
      views: training.testViews
    ).run(.test, communicator: communicator)
    recorder.enter(.ended)
    return CheckpointEvaluation(
      checkpoint: path, state: state, metrics: result.values, remarks: training.evaluationRemarks,
      samples: result.samples, warning: found.warning)
  }

  /// From the beginning, when the checkpoint's own limit is not known yet.
  private static func startWatchdog(
    _ recorder: PhaseRecorder, _ overrides: [String], _ communicator: Communicator
  ) throws -> Watchdog? {
    let parallel = try communicator.agreeing {
      try ParallelConfiguration(overrides: overrides.filter { $0.hasPrefix("parallel.") })
    }
    return try Watchdog.start(
      limit: parallel.watchdogSeconds, recorder: recorder, clock: ClockAlignment.measure(over: communicator),
      folder: nil, advice: "start the evaluation again once that is mended.", communicator: communicator)
  }
}
