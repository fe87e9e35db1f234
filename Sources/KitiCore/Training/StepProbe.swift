import KitiMPI

/// Measures what a step of a configuration takes on this rank alone: its phases, and when gradients are final.
public final class StepProbe {
  public let parameterCount: Int
  /// Arrays of optimizer state.
  public let stateCount: Int

  private let model: any Model
  private let objective: any Objective
  private let store: ParameterStore
  private let optimizer: any Optimizer
  private let rank: Int
  private let inputs: AlignedBuffer<Float>
  private let targets: AlignedBuffer<Float>
  private let indices: AlignedBuffer<Int>
  private let outputGradient: AlignedBuffer<Float>
  private var step = 0

  /// - Parameters:
  ///   - samples: what its model is to see.
  ///   - batch: samples of a pass.
  public init(_ configuration: Configuration, samples: RandomSamples, batch: Int, rank: Int) throws {
    model = try Experiment.model(configuration, dataSet: samples, capacity: batch)
    objective = Experiment.objective(configuration.training, dataSet: samples)
    store = ParameterStore(model, seed: 1)
    optimizer = Experiment.optimizer(
      configuration.optimizer, store: store, shard: OptimizerShard(whole: store.count))
    self.rank = rank
    parameterCount = store.count
    stateCount = optimizer.state.count
    let (inputSize, targetSize) = (samples.inputShape.reduce(1, *), samples.targetShape.reduce(1, *))
    inputs = AlignedBuffer(count: batch * inputSize)
    targets = AlignedBuffer(count: batch * targetSize)
    indices = AlignedBuffer(count: batch)
    outputGradient = AlignedBuffer(count: batch * model.outputShape.reduce(1, *))
    for sample in 0..<batch {
      indices.pointer[sample] = sample
      samples.read(
        .train, sample: rank * batch + sample, view: .plain,
        input: UnsafeMutableBufferPointer(start: inputs.pointer + sample * inputSize, count: inputSize),
        target: UnsafeMutableBufferPointer(start: targets.pointer + sample * targetSize, count: targetSize))
    }
  }

  /// The medians over some steps after two to warm up.
  ///
  /// - Parameter steps: at least 1; half as many are made with a quarter of the batch, for what does not depend on it.
  public func measure(steps: Int) -> StepPhases {
    let batch = model.capacity
    for _ in 0..<2 { _ = self.step(samples: batch) }
    let whole = (0..<steps).map { _ in self.step(samples: batch) }
    let small = max(1, batch / 4)
    let parts = (0..<(steps + 1) / 2).map { _ in self.step(samples: small) }
    var phases = Self.medians(whole)
    let (large, little) = (phases.forward + phases.backward, Self.medians(parts))
    if small < batch {
      let perSample = (large - little.forward - little.backward) / Double(batch - small)
      phases.fixed = min(large, max(0, large - perSample * Double(batch)))
    }
    return phases
  }

  private static func medians(_ steps: [StepPhases]) -> StepPhases {
    func median(_ value: (StepPhases) -> Double) -> Double { steps.map(value).sorted()[(steps.count - 1) / 2] }
    var result = steps[0]
    (result.forward, result.backward) = (median(\.forward), median(\.backward))
    result.update = median(\.update)
    for index in result.readiness.indices { result.readiness[index].seconds = median { $0.readiness[index].seconds } }
    return result
  }

  private func step(samples: Int) -> StepPhases {
    let pass = Pass(
      isTraining: true, seed: 1, step: UInt64(step), rank: rank, sampleIndices: indices.pointer)
    let start = MPI.wallTime
    let prediction = model.forward(inputs.pointer, batch: samples, pass: pass)
    _ = objective.loss(
      prediction: prediction, target: targets.pointer, batch: samples, scale: 1 / Float(samples),
      gradient: outputGradient.pointer)
    let turn = MPI.wallTime
    let clock = ReadinessClock(start: turn)
    model.backward(outputGradient: outputGradient.pointer, batch: samples, pass: pass, observer: clock)
    let end = MPI.wallTime
    step += 1
    // A learning rate of zero does all of the work and cannot diverge, whatever the random samples.
    optimizer.update(
      values: store.values.pointer, gradients: store.gradients.pointer, range: 0..<store.count, learningRate: 0,
      step: step, gradientScale: 1)
    return StepPhases(
      samples: samples, forward: turn - start, backward: end - turn, update: MPI.wallTime - end,
      readiness: clock.readiness)
  }

  private final class ReadinessClock: GradientObserver {
    private let start: Double
    private(set) var readiness: [StepPhases.Readiness] = []

    init(start: Double) { self.start = start }

    func gradientsFinished(_ count: Int) {
      readiness.append(.init(seconds: MPI.wallTime - start, count: count))
    }
  }
}

/// Measures γ: seconds of adding a byte of one array to another, with arrays as long as a bucket.
public func measureSummation(bytes: Int = 1 << 19, turns: Int = 20) -> Double {
  let count = bytes / MemoryLayout<Float>.stride
  let (sum, terms) = (AlignedBuffer<Float>(count: count), AlignedBuffer<Float>(count: count))
  let seconds = (0..<turns).map { _ in
    let start = MPI.wallTime
    add(sum.pointer, terms.pointer, scale: 1, count: count, into: sum.pointer)
    return MPI.wallTime - start
  }
  return seconds.sorted()[turns / 2] / Double(bytes)
}
