/// How long to train and on how much at a time.
public struct TrainingConfiguration: Sendable, Equatable {
  /// The size of a batch, in the one of two ways that the configuration gives it.
  public enum Batch: Sendable, Equatable {
    /// Samples that one rank takes through the model at once.
    case perRank(Int)
    /// Samples of one optimizer step: over all ranks and all accumulated batches.
    case global(Int)
  }

  /// What to do when a step's loss or gradient is not a finite number.
  public enum OnNonFinite: String, Sendable, CaseIterable {
    /// End the run with an error.
    case stop
    /// Leave the update out, on all ranks.
    case skip
    /// Go back to the last checkpoint, with half the learning rate.
    case restore
  }

  /// Passes over the training samples.
  public var epochs: Int
  public var batch: Batch
  /// Batches whose gradients are added up before one optimizer step.
  public var accumulation: Int
  /// The largest norm of the whole gradient; `nil` for no limit.
  public var clipNorm: Double?
  public var evaluateEvery: Interval
  /// Whether batch normalization takes its statistics over all ranks.
  public var syncBatchNorm: Bool
  /// Share of the target that all classes divide, from 0 (none) to below 1; for data with classes.
  public var labelSmoothing: Double
  /// Decay of the moving average of the weights that is evaluated in their place; nil evaluates the weights themselves.
  public var weightAverage: Double?
  /// The looks at a test image of whose predictions evaluation takes the mean (`testFlip`, `testShift`).
  public var testViews: TestViews
  public var onNonFinite: OnNonFinite

  public init(
    epochs: Int, batch: Batch, accumulation: Int = 1, clipNorm: Double? = nil,
    evaluateEvery: Interval = .epochs(1), syncBatchNorm: Bool = false, labelSmoothing: Double = 0,
    weightAverage: Double? = nil, testViews: TestViews = .plain, onNonFinite: OnNonFinite = .stop
  ) {
    self.epochs = epochs
    self.batch = batch
    self.accumulation = accumulation
    self.clipNorm = clipNorm
    self.evaluateEvery = evaluateEvery
    self.syncBatchNorm = syncBatchNorm
    self.labelSmoothing = labelSmoothing
    self.weightAverage = weightAverage
    self.testViews = testViews
    self.onNonFinite = onNonFinite
  }

  /// What an evaluation is of, where it is not of the weights and samples as they are.
  public var evaluationRemarks: [String] {
    (weightAverage == nil ? [] : ["averaged weights"]) + testViews.remarks
  }
}

extension TrainingConfiguration {
  package init(_ section: ConfigurationSection) throws {
    try section.accept([
      "epochs", "batch", "globalBatch", "accumulation", "clipNorm", "evaluateEvery", "syncBatchNorm",
      "labelSmoothing", "weightAverage", "testFlip", "testShift", "onNonFinite",
    ])
    epochs = try section.required("epochs", .count)
    batch = try Self.batch(section)
    accumulation = try section.value("accumulation", .count, default: 1)
    clipNorm = try section.optional("clipNorm", .number(.positive))
    evaluateEvery = try section.value("evaluateEvery", .interval(allowsTime: true), default: .epochs(1))
    syncBatchNorm = try section.value("syncBatchNorm", .boolean(), default: false)
    labelSmoothing = try section.value("labelSmoothing", .number(.zeroToBelowOne), default: 0)
    weightAverage = try section.optional("weightAverage", .number(.betweenZeroAndOne))
    testViews = TestViews(
      flips: try section.value("testFlip", .boolean(), default: false),
      shift: try section.value("testShift", .integer(0...1 << 16), default: 0))
    onNonFinite = try section.value("onNonFinite", .choice, default: .stop)
    if case .global(let size) = batch, size % accumulation != 0 {
      throw section.impossible(
        "globalBatch", "is \(size), which '\(section.dotted("accumulation"))' (\(accumulation)) does not divide",
        remedy: "The global batch counts the samples of all accumulated batches: change one of the two.")
    }
  }

  private static func batch(_ section: ConfigurationSection) throws -> Batch {
    switch (section.entry("batch"), section.entry("globalBatch")) {
    case (.some, .some):
      throw section.impossible(
        "globalBatch", "is given together with '\(section.dotted("batch"))'",
        remedy: "Keep one of the two (--set \(section.dotted("batch"))=null takes a key away).")
    case (nil, .some):
      return .global(try section.required("globalBatch", .count))
    case (.some, nil):
      return .perRank(try section.required("batch", .count))
    case (nil, nil):
      throw section.missing(
        "batch", valid: "'batch', samples per rank, or 'globalBatch', samples over all ranks")
    }
  }

  package var node: ConfigurationNode {
    let size: (String, ConfigurationNode) =
      switch batch {
      case .perRank(let count): ("batch", .integer(count))
      case .global(let count): ("globalBatch", .integer(count))
      }
    return .section([
      ("epochs", .integer(epochs)), size, ("accumulation", .integer(accumulation)),
      ("clipNorm", clipNorm.map { .number($0) } ?? .null), ("evaluateEvery", .interval(evaluateEvery)),
      ("syncBatchNorm", .boolean(syncBatchNorm)), ("labelSmoothing", .number(labelSmoothing)),
      ("weightAverage", weightAverage.map { .number($0) } ?? .null), ("testFlip", .boolean(testViews.flips)),
      ("testShift", .integer(testViews.shift)),
      ("onNonFinite", .text(onNonFinite.rawValue)),
    ])
  }
}
