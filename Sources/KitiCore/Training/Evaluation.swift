import KitiMPI

/// Test metrics: every sample of a split exactly once, over all ranks.
public struct Evaluation {
  private let model: any Model
  private let objective: any Objective
  private let dataSet: any SampleSource
  private let flipsImages: Bool
  private let inputs: AlignedBuffer<Float>
  private let targets: AlignedBuffer<Float>
  /// The prediction for the images as they are, while that for the flipped ones is made.
  private let prediction: AlignedBuffer<Float>

  /// - Parameter flipsImages: predictions are the mean of those for an image and for its mirror image.
  public init(model: any Model, objective: any Objective, dataSet: any SampleSource, flipsImages: Bool = false) {
    self.model = model
    self.objective = objective
    self.dataSet = dataSet
    self.flipsImages = flipsImages
    inputs = AlignedBuffer(count: model.capacity * dataSet.inputShape.reduce(1, *))
    targets = AlignedBuffer(count: model.capacity * dataSet.targetShape.reduce(1, *))
    prediction = AlignedBuffer(count: flipsImages ? model.capacity * model.outputShape.reduce(1, *) : 0)
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
        try read(batch, of: split)
        let prediction = predict(batch.count)
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

  private func read(_ batch: Range<Int>, of split: DataSplit) throws {
    let inputSize = dataSet.inputShape.reduce(1, *)
    let targetSize = dataSet.targetShape.reduce(1, *)
    for (row, sample) in batch.enumerated() {
      try dataSet.read(
        split, sample: sample, view: .plain,
        input: UnsafeMutableBufferPointer(start: inputs.pointer + row * inputSize, count: inputSize),
        target: UnsafeMutableBufferPointer(start: targets.pointer + row * targetSize, count: targetSize))
    }
  }

  private func predict(_ count: Int) -> UnsafePointer<Float> {
    let plain = model.forward(inputs.pointer, batch: count, pass: .evaluation)
    guard flipsImages else { return plain }
    let size = count * model.outputShape.reduce(1, *)
    prediction.pointer.update(from: plain, count: size)
    flip(count)
    let flipped = model.forward(inputs.pointer, batch: count, pass: .evaluation)
    for index in 0..<size { prediction.pointer[index] = 0.5 * (prediction.pointer[index] + flipped[index]) }
    return UnsafePointer(prediction.pointer)
  }

  /// Exchanges left and right of `[height, width, channels]`.
  private func flip(_ count: Int) {
    let (height, width, channels) = (dataSet.inputShape[0], dataSet.inputShape[1], dataSet.inputShape[2])
    for row in 0..<count * height {
      let line = inputs.pointer + row * width * channels
      for column in 0..<width / 2 {
        for channel in 0..<channels {
          swap(&line[column * channels + channel], &line[(width - 1 - column) * channels + channel])
        }
      }
    }
  }
}
