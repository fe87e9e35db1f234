/// One optimizer step: what the trainer repeats and `bench` measures. Nothing is allocated on its way.
public final class TrainingStep {
  public let model: any Model
  public let store: ParameterStore
  public let optimizer: any Optimizer
  public let averager: GradientAverager
  public let recorder: PhaseRecorder
  private let clipNorm: Float?
  private let outputSize: Int
  private let outputGradient: AlignedBuffer<Float>

  /// - Parameters:
  ///   - clipNorm: gradients longer than this are scaled down to it (Pascanu et al. 2013, algorithm 1).
  ///   - recorder: learns of each phase of the step, and of each bucket of gradients.
  public init(
    model: any Model, store: ParameterStore, optimizer: any Optimizer, averager: GradientAverager, clipNorm: Double? = nil,
    recorder: PhaseRecorder = PhaseRecorder()
  ) {
    self.model = model
    self.store = store
    self.optimizer = optimizer
    self.averager = averager
    self.recorder = recorder
    averager.observer = recorder
    self.clipNorm = clipNorm.map { Float($0) }
    outputSize = model.outputShape.reduce(1, *)
    outputGradient = AlignedBuffer(count: model.capacity * outputSize)
  }

  /// Adds the gradients of one batch of this rank.
  ///
  /// - Parameters:
  ///   - inputs, targets: `[count] + shape` of the model.
  ///   - globalCount: samples of the whole step, over all ranks and batches.
  ///   - isLast: no batch of this step follows on this rank: finished gradients may leave.
  /// - Returns: the sum of the losses of the batch.
  public func accumulate(
    inputs: UnsafePointer<Float>, targets: UnsafePointer<Float>, count: Int, pass: Pass, globalCount: Int, isLast: Bool
  ) -> Double {
    guard count > 0 else { return 0 }
    recorder.enter(.forward)
    let prediction = model.forward(inputs, batch: count, pass: pass)
    let loss = RelativeL2().sum(
      prediction: prediction, target: targets, batch: count, size: outputSize, scale: 1 / Float(globalCount),
      gradient: outputGradient.pointer)
    recorder.enter(.backward)
    model.backward(
      outputGradient: outputGradient.pointer, batch: count, pass: pass, observer: isLast ? averager : nil)
    return loss
  }

  /// Waits for the gradients of all ranks and returns their norm, the same on every rank. Collective.
  public func average() throws -> Double {
    recorder.enter(.averaging)
    try averager.finish()
    return sumOfSquares(store.gradients.pointer, count: store.count).squareRoot()
  }

  /// Clears the gradients without an update.
  public func discard() { store.gradients.buffer.update(repeating: 0) }

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
  }
}
