/// What a person may want to see of a run as it goes on; called on rank 0 only.
public protocol TrainingObserver: AnyObject {
  func runBegins(_ description: RunDescription)
  func stepEnds(_ report: StepReport)
  func evaluationEnds(_ report: EvaluationReport)
  func checkpointIsWritten(path: String, seconds: Double)
  /// Something out of the ordinary that is not an error.
  func notice(_ text: String)
}

/// The sizes of a run, known before its first step.
public struct RunDescription: Sendable {
  public var name: String
  public var ranks: Int
  public var parameterCount: Int
  public var trainingSamples: Int
  public var testSamples: Int
  public var globalBatch: Int
  public var stepsPerEpoch: Int
  public var totalSteps: Int
  /// Steps done before this start.
  public var firstStep: Int
  /// On this rank.
  public var workspaceBytes: Int
  /// Parameters, gradients and optimizer state on this rank.
  public var stateBytes: Int
  /// Bytes that leave this rank in a step.
  public var bytesSentPerStep: Int
  public var layers: [LayerSummary]
}

/// One optimizer step, over all ranks.
public struct StepReport: Sendable {
  /// Steps done, this one included.
  public var step: Int
  public var totalSteps: Int
  public var epoch: Int
  /// Samples of the run so far.
  public var samples: Int
  /// Mean over the samples of the step.
  public var loss: Double
  public var learningRate: Double
  public var gradientNorm: Double
  public var samplesPerSecond: Double
  /// Accepted pairs over candidate pairs; nil without collisions.
  public var collisionRate: Double?
  /// Of this rank.
  public var seconds: Double
  /// Of this rank: forward and backward passes and updates, without the communication between and in them. What is left
  /// of the step is waiting for samples, small agreements between ranks, and records.
  public var computeSeconds: Double
  /// Of this rank; nil with one rank.
  public var communication: CommunicationReport?
  /// Of each layer with collisions.
  public var collisions: [CollisionReport] = []
  /// The gradient was not finite, and all ranks left the update out.
  public var isSkipped = false
}

/// Metrics over the whole test split.
public struct EvaluationReport: Sendable {
  public var step: Int
  public var epoch: Int
  /// Means over the samples, the one that judges the run first.
  public var metrics: [MetricValue]
  /// What was evaluated other than the model as it is: `averaged weights`, `flipped images too`.
  public var remarks: [String]
  public var samples: Int
  public var seconds: Double
  public var isBest: Bool
}
