import Foundation
import KitiMPI

/// The test metrics of a checkpoint, from its own configuration.
public struct CheckpointEvaluation: Sendable {
  public var checkpoint: String
  public var state: TrainingState
  public var relativeL2: Double
  public var samples: Int

  /// Collective.
  ///
  /// - Parameters:
  ///   - checkpoint: a file, or a run's folder for its newest checkpoint.
  ///   - overrides: `KEY=VALUE` changes of the configuration, for data that has moved.
  ///   - batch: samples in one forward pass on each rank.
  public static func run(
    checkpoint: String, overrides: [String], batch: Int, communicator: Communicator
  ) throws -> CheckpointEvaluation {
    var path = checkpoint
    try communicator.onFirstRank { path = try CheckpointFolder.resolve(checkpoint).path }
    path = try communicator.broadcast(path, root: 0)
    let header = try Checkpoint.readHeader(path, communicator: communicator)
    let (model, dataSet) = try communicator.agreeing {
      let configuration = try Configuration(
        yaml: header.configuration, name: "\(path) (/config)", overrides: overrides)
      let dataSet = try Experiment.dataSet(configuration.data)
      let model = try Experiment.model(
        configuration.model, inputShape: dataSet.inputShape, targetShape: dataSet.targetShape, capacity: batch)
      return (model, dataSet)
    }
    let store = ParameterStore(model.parameters, seed: 0)
    let state = try Checkpoint.read(from: path, into: store, optimizerState: nil, communicator: communicator)
    let result = try Evaluation.relativeL2(
      model: model, dataSet: dataSet, split: .test, communicator: communicator)
    return CheckpointEvaluation(checkpoint: path, state: state, relativeL2: result.mean, samples: result.samples)
  }
}
