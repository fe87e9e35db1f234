/// One optimizer step: what the trainer repeats and `bench` measures. Nothing is allocated on its way.
public final class TrainingStep {
  public let model: any Model
  public let objective: any Objective
  public let store: ParameterStore
  public let optimizer: any Optimizer
  public let averager: GradientAverager
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
    averager: GradientAverager, reducer: RankSums? = nil, clipNorm: Double? = nil, weightAverage: WeightAverage? = nil,
    keepsStatistics: Bool = false, recorder: PhaseRecorder = PhaseRecorder()
  ) {
    self.model = model
    self.objective = objective
    self.reducer = reducer
    self.weightAverage = weightAverage
    self.store = store
    self.optimizer = optimizer
    self.averager = averager
    self.recorder = recorder
    averager.observer = recorder
    statisticsBefore = keepsStatistics ? AlignedBuffer(count: store.statisticsBuffer.count) : nil
    self.clipNorm = clipNorm.map { Float($0) }
    outputGradient = AlignedBuffer(count: model.capacity * model.outputShape.reduce(1, *))
  }

  /// The arrays beside the model that a run needs to go on.
  public var optimizerState: [(name: String, buffer: AlignedBuffer<Float>)] {
    optimizer.state + (weightAverage.map { [$0.state] } ?? [])
  }

  /// Begins a step.
  public func begin() {
    averager.resetTimes()
    if let statisticsBefore { _ = statisticsBefore.buffer.update(fromContentsOf: store.statisticsBuffer) }
  }

  /// Adds the gradients of one batch of this rank.
  ///
  /// - Parameters:
  ///   - inputs, targets: `[count]` of the data set's shapes.
  ///   - globalCount: samples of the whole step, over all ranks and batches.
  ///   - isLast: no batch of this step follows on this rank: finished gradients may leave.
  /// - Returns: the sum of the losses of the batch.
  public func accumulate(
    inputs: UnsafePointer<Float>, targets: UnsafePointer<Float>, count: Int, pass: Pass, globalCount: Int, isLast: Bool
  ) -> Double {
    // Without samples there is nothing to do, unless other ranks wait for this one's share of their statistics.
    guard count > 0 || reducer != nil else { return 0 }
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
  public func average() throws -> Double {
    recorder.enter(.averaging)
    try reducer?.requireSuccess()
    try averager.finish()
    return sumOfSquares(store.gradients.pointer, count: store.count).squareRoot()
  }

  /// Makes the step undone before its update: clears the gradients and takes back what batch norm has seen.
  public func discard() {
    store.gradients.buffer.update(repeating: 0)
    if let statisticsBefore { _ = store.statisticsBuffer.update(fromContentsOf: statisticsBefore.buffer) }
  }

  /// Updates the parameters and clears the gradients.
  ///
  /// - Parameters:
  ///   - step: 1 for the first update of the run.
  ///   - gradientNorm: as `average` returned it.
  public func update(learningRate: Double, step: Int, gradientNorm: Double) {
    recorder.enter(.update)
    var scale: Float = 1
    if let clipNorm, gradientNorm > Double(clipNorm) { scale = Float(Double(clipNorm) / gradientNorm) }
    optimizer.update(
      values: store.values.pointer, gradients: store.gradients.pointer, range: 0..<store.count,
      learningRate: Float(learningRate), step: step, gradientScale: scale)
    weightAverage?.update(step: step)
  }
}
