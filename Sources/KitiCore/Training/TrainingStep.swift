import KitiMPI

/// One optimizer step: what the trainer repeats and `bench` measures. Nothing is allocated on its way.
public final class TrainingStep {
  public let model: any Model
  public let objective: any Objective
  public let store: ParameterStore
  public let optimizer: any Optimizer
  public let averager: GradientAverager
  /// Of local steps; nil where ranks average gradients.
  public let parameterAverager: ParameterAverager?
  /// Samples of this rank since the last update, and the norm of their gradient.
  private var localCount = 0
  private var localNorm = 0.0
  /// Of batch norm that is synchronised over the ranks.
  public let reducer: RankSums?
  public let weightAverage: WeightAverage?
  public let recorder: PhaseRecorder
  private let clipNorm: Float?
  private let outputGradient: AlignedBuffer<Float>
  /// Running statistics from before the step, to go back to.
  private let statisticsBefore: AlignedBuffer<Float>?

  /// - Parameters:
  ///   - reducer: for batch norm over all ranks.
  ///   - clipNorm: gradients longer than this are scaled down to it (Pascanu et al. 2013, algorithm 1).
  ///   - keepsStatistics: whether `discard` can take back what batch norm has seen.
  ///   - recorder: learns of each phase of the step, and of each bucket of gradients.
  public init(
    model: any Model, objective: any Objective, store: ParameterStore, optimizer: any Optimizer,
    averager: GradientAverager, parameterAverager: ParameterAverager? = nil, reducer: RankSums? = nil,
    clipNorm: Double? = nil, weightAverage: WeightAverage? = nil, keepsStatistics: Bool = false,
    recorder: PhaseRecorder = PhaseRecorder()
  ) {
    self.model = model
    self.objective = objective
    self.reducer = reducer
    self.weightAverage = weightAverage
    self.store = store
    self.optimizer = optimizer
    self.averager = averager
    self.parameterAverager = parameterAverager
    self.recorder = recorder
    averager.observer = recorder
    statisticsBefore = keepsStatistics ? AlignedBuffer(count: store.statisticsBuffer.count) : nil
    self.clipNorm = clipNorm.map { Float($0) }
    outputGradient = AlignedBuffer(count: model.capacity * model.outputShape.reduce(1, *))
  }

  /// The arrays beside the model and the optimizer's that a run needs to go on, whole on every rank.
  public var otherState: [(name: String, buffer: AlignedBuffer<Float>)] { weightAverage.map { [$0.state] } ?? [] }

  /// Takes over what a checkpoint holds: parameters, the optimizer's state and the arrays beside it. Collective.
  ///
  /// - Returns: where the run was, as a run of these ranks.
  /// - Throws: as `Checkpoint.read` does.
  func takeOver(_ checkpoint: String, communicator: Communicator) throws -> TrainingState {
    var state = try Checkpoint.read(
      from: checkpoint, into: store, optimizerState: optimizer.state, shard: averager.shard, otherState: otherState,
      residual: averager.residual, communicator: communicator)
    state.worldSize = communicator.size
    return state
  }

  /// Begins a step.
  public func begin() {
    resetTimes()
    if let statisticsBefore { _ = statisticsBefore.buffer.update(fromContentsOf: store.statisticsBuffer) }
  }

  /// Adds the gradients of one batch of this rank.
  ///
  /// - Parameters:
  ///   - inputs, targets: `[count]` of the data set's shapes.
  ///   - globalCount: samples of the whole step, over all batches, and over all ranks unless they make local steps.
  ///   - isLast: no batch of this step follows on this rank: finished gradients may leave.
  /// - Returns: the sum of the losses of the batch.
  public func accumulate(
    inputs: UnsafePointer<Float>, targets: UnsafePointer<Float>, count: Int, pass: Pass, globalCount: Int, isLast: Bool
  ) -> Double {
    // Without samples there is nothing to do, unless other ranks wait for this one's share of their statistics.
    guard count > 0 || reducer != nil else { return 0 }
    localCount += count
    var pass = pass
    pass.reducer = reducer
    recorder.enter(.forward)
    let prediction = model.forward(inputs, batch: count, pass: pass)
    let loss = objective.loss(
      prediction: prediction, target: targets, batch: count, scale: 1 / Float(globalCount),
      gradient: outputGradient.pointer)
    recorder.enter(.backward)
    model.backward(
      outputGradient: outputGradient.pointer, batch: count, pass: pass, observer: isLast ? averager : nil)
    return loss
  }

  /// Waits for the gradients of all ranks and returns their norm, the same on every rank. Collective.
  ///
  /// With local steps each rank keeps its gradients, and the norm is the mean one.
  public func average() throws -> Double {
    recorder.enter(.averaging)
    try reducer?.requireSuccess()
    try averager.finish()
    localNorm = try averager.gradientNorm()
    return try parameterAverager?.meanNorm(localNorm, samples: localCount) ?? localNorm
  }

  /// Makes the step undone before its update: clears the gradients and takes back what batch norm has seen. What
  /// compression keeps stays: the numbers that made it were finite.
  public func discard() {
    localCount = 0
    store.gradients.buffer.update(repeating: 0)
    if let statisticsBefore { _ = store.statisticsBuffer.update(fromContentsOf: statisticsBefore.buffer) }
  }

  /// Updates the parameters and clears the gradients. Collective if the optimizer is sharded.
  ///
  /// - Parameter step: 1 for the first update of the run.
  public func update(learningRate: Double, step: Int) throws {
    recorder.enter(.update)
    let isIdle = parameterAverager != nil && localCount == 0
    parameterAverager?.count(samples: localCount)
    localCount = 0
    // A rank without samples makes no local step: momentum alone must not move it.
    if isIdle { return }
    var scale: Float = 1
    if let clipNorm, localNorm > Double(clipNorm) { scale = Float(Double(clipNorm) / localNorm) }
    try optimizer.measure(
      values: store.values.pointer, gradients: store.gradients.pointer, sumOverRanks: averager.sumOverShards)
    for piece in averager.shard.pieces {
      let offset = piece.range.lowerBound - piece.stateOffset
      optimizer.update(
        values: store.values.pointer + offset, gradients: store.gradients.pointer + offset,
        range: piece.stateOffset..<piece.stateOffset + piece.range.count, learningRate: Float(learningRate), step: step,
        gradientScale: scale)
    }
    try averager.collectValues()
    if parameterAverager == nil { weightAverage?.update(step: step) }
  }

  /// Averages parameters and optimizer state after local steps; the average of weights follows them here. Collective.
  ///
  /// - Parameter step: steps of the run that are done.
  public func averageParameters(step: Int) throws {
    guard let parameterAverager else { return }
    try parameterAverager.average()
    weightAverage?.update(step: step)
  }

  /// What communication cost since the last `resetTimes`.
  public var communication: CommunicationReport {
    var report = averager.report
    if let own = parameterAverager?.report { report.add(own) }
    return report
  }

  public func resetTimes() {
    averager.resetTimes()
    parameterAverager?.resetTimes()
  }
}
