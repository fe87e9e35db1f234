import KitiMPI

/// Test metrics: every sample of a split exactly once, over all ranks.
public struct Evaluation {
  private let model: any Model
  private let objective: any Objective
  private let dataSet: any SampleSource
  private let views: [SampleView]
  private let inputs: AlignedBuffer<Float>
  private let targets: AlignedBuffer<Float>
  /// The mean over several views; empty for one.
  private let mean: AlignedBuffer<Float>

  /// - Parameter views: whose predictions for a sample are averaged.
  public init(model: any Model, objective: any Objective, dataSet: any SampleSource, views: TestViews = .plain) {
    self.model = model
    self.objective = objective
    self.dataSet = dataSet
    self.views = views.looks.map { .look($0) }
    inputs = AlignedBuffer(count: model.capacity * dataSet.inputShape.reduce(1, *))
    targets = AlignedBuffer(count: model.capacity * dataSet.targetShape.reduce(1, *))
    mean = AlignedBuffer(count: self.views.count > 1 ? model.capacity * model.outputShape.reduce(1, *) : 0)
  }

  /// The metrics of a split. Collective.
  public func run(
    _ split: DataSplit, communicator: Communicator
  ) throws -> (values: [MetricValue], samples: Int) {
    let plan = EvaluationPlan(
      sampleCount: dataSet.sampleCount(split), batch: model.capacity, rank: communicator.rank,
      worldSize: communicator.size)
    let sums = try communicator.agreeing {
      var sums = objective.metrics.map { _ in 0.0 }
      for batch in plan.batches {
        let prediction = try predict(batch, of: split)
        objective.measure(prediction: prediction, target: targets.pointer, batch: batch.count, sums: &sums)
      }
      return sums
    }
    let samples = dataSet.sampleCount(split)
    let totals = try communicator.allreduce(sums, .sum)
    return (
      zip(objective.metrics, totals).map { MetricValue(metric: $0, value: $1 / Double(samples)) }, samples
    )
  }

  private func predict(_ batch: Range<Int>, of split: DataSplit) throws -> UnsafePointer<Float> {
    guard views.count > 1 else { return try predict(batch, of: split, seenAs: views[0]) }
    let (sum, size) = (mean.pointer, batch.count * model.outputShape.reduce(1, *))
    sum.update(repeating: 0, count: size)
    for view in views {
      let prediction = try predict(batch, of: split, seenAs: view)
      add(sum, prediction, scale: 1 / Float(views.count), count: size, into: sum)
    }
    return UnsafePointer(sum)
  }

  private func predict(
    _ batch: Range<Int>, of split: DataSplit, seenAs view: SampleView
  ) throws -> UnsafePointer<Float> {
    let inputSize = dataSet.inputShape.reduce(1, *)
    let targetSize = dataSet.targetShape.reduce(1, *)
    for (row, sample) in batch.enumerated() {
      try dataSet.read(
        split, sample: sample, view: view,
        input: UnsafeMutableBufferPointer(start: inputs.pointer + row * inputSize, count: inputSize),
        target: UnsafeMutableBufferPointer(start: targets.pointer + row * targetSize, count: targetSize))
    }
    return model.forward(inputs.pointer, batch: batch.count, pass: .evaluation)
  }
}
