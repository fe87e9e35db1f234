import KitiHDF5

/// Everything but the arrays that a run needs to go on.
public struct TrainingState: Sendable, Equatable {
  /// Optimizer steps done.
  public var step: Int
  /// The epoch that the next step belongs to.
  public var epoch: Int
  /// Steps of that epoch done.
  public var stepInEpoch: Int
  /// Samples of that epoch done, over all ranks.
  public var samplesInEpoch: Int
  public var seed: UInt64
  /// Ranks of the run that wrote it.
  public var worldSize: Int
  /// Samples of one optimizer step, over all ranks.
  public var globalBatch: Int
  /// The best value so far of the metric that the run is judged by: the lowest test relative L2 error, say.
  public var bestMetric: Double?
  /// Training time so far.
  public var elapsedSeconds: Double
  /// Of each collision layer, what a wanted collision rate has made of its length scale; empty without one.
  public var collisionLengths: [Double]
  /// What falling back from steps that were not finite has made of the learning rate; 1 without.
  public var learningRateFactor: Double

  public init(
    step: Int = 0, epoch: Int = 0, stepInEpoch: Int = 0, samplesInEpoch: Int = 0, seed: UInt64, worldSize: Int,
    globalBatch: Int, bestMetric: Double? = nil, elapsedSeconds: Double = 0,
    collisionLengths: [Double] = [], learningRateFactor: Double = 1
  ) {
    self.step = step
    self.epoch = epoch
    self.stepInEpoch = stepInEpoch
    self.samplesInEpoch = samplesInEpoch
    self.seed = seed
    self.worldSize = worldSize
    self.globalBatch = globalBatch
    self.bestMetric = bestMetric
    self.elapsedSeconds = elapsedSeconds
    self.collisionLengths = collisionLengths
    self.learningRateFactor = learningRateFactor
  }
}

extension TrainingState {
  private static let counters: [(name: String, field: WritableKeyPath<TrainingState, Int> & Sendable)] = [
    ("step", \.step), ("epoch", \.epoch), ("stepInEpoch", \.stepInEpoch), ("samplesInEpoch", \.samplesInEpoch),
    ("worldSize", \.worldSize), ("globalBatch", \.globalBatch),
  ]

  /// The state as numbers that a broadcast moves bit for bit.
  var words: [UInt64] {
    Self.counters.map { UInt64(bitPattern: Int64(self[keyPath: $0.field])) }
      + [
        seed, elapsedSeconds.bitPattern, bestMetric == nil ? 0 : 1, (bestMetric ?? 0).bitPattern,
        learningRateFactor.bitPattern,
      ] + collisionLengths.map(\.bitPattern)
  }

  init(words: [UInt64]) {
    self.init(seed: 0, worldSize: 0, globalBatch: 0)
    let (numbers, rest) = (words.prefix(Self.counters.count), Array(words.dropFirst(Self.counters.count)))
    for (counter, word) in zip(Self.counters, numbers) {
      self[keyPath: counter.field] = Int(Int64(bitPattern: word))
    }
    seed = rest[0]
    elapsedSeconds = Double(bitPattern: rest[1])
    bestMetric = rest[2] == 0 ? nil : Double(bitPattern: rest[3])
    learningRateFactor = Double(bitPattern: rest[4])
    collisionLengths = rest.dropFirst(5).map { Double(bitPattern: $0) }
  }

  /// Writes the state as attributes; a missing best metric is a missing attribute, and so are missing lengths and a
  /// factor of 1.
  func write(to attributes: Attributes) throws(HDF5Error) {
    for counter in Self.counters { try attributes.set(counter.name, to: self[keyPath: counter.field]) }
    try attributes.set("seed", to: seed)
    try attributes.set("elapsedSeconds", to: elapsedSeconds)
    if let bestMetric { try attributes.set("bestMetric", to: bestMetric) }
    if !collisionLengths.isEmpty { try attributes.set("collisionLengths", to: collisionLengths) }
    if learningRateFactor != 1 { try attributes.set("learningRateFactor", to: learningRateFactor) }
  }

  init(from attributes: Attributes) throws(HDF5Error) {
    self.init(seed: try attributes.read("seed"), worldSize: 0, globalBatch: 0)
    for counter in Self.counters { self[keyPath: counter.field] = try attributes.read(counter.name) }
    elapsedSeconds = try attributes.read("elapsedSeconds")
    if try attributes.exists("bestMetric") { bestMetric = try attributes.read("bestMetric", as: Double.self) }
    if try attributes.exists("learningRateFactor") {
      learningRateFactor = try attributes.read("learningRateFactor")
    }
    if try attributes.exists("collisionLengths") {
      collisionLengths = try attributes.readArray("collisionLengths", as: Double.self)
    }
  }
}
