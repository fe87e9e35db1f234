import KitiMPI

/// Test metrics: every sample of a split exactly once, over all ranks.
public enum Evaluation {
  /// The mean relative L2 error over a split. Collective.
  public static func relativeL2(
    model: any Model, dataSet: FieldDataSet, split: DataSplit, communicator: Communicator
  ) throws -> (mean: Double, samples: Int) {
    let inputSize = dataSet.inputShape.reduce(1, *)
    let targetSize = dataSet.targetShape.reduce(1, *)
    let plan = EvaluationPlan(
      sampleCount: dataSet.sampleCount(split), batch: model.capacity, rank: communicator.rank,
      worldSize: communicator.size)
    let inputs = AlignedBuffer<Float>(count: model.capacity * inputSize)
    let targets = AlignedBuffer<Float>(count: model.capacity * targetSize)
    let sum = try communicator.agreeing {
      var sum = 0.0
      for batch in plan.batches {
        for (row, sample) in batch.enumerated() {
          try dataSet.read(
            split, sample: sample,
            input: UnsafeMutableBufferPointer(start: inputs.pointer + row * inputSize, count: inputSize),
            target: UnsafeMutableBufferPointer(start: targets.pointer + row * targetSize, count: targetSize))
        }
        let prediction = model.forward(inputs.pointer, batch: batch.count, pass: .evaluation)
        sum += RelativeL2().sum(
          prediction: prediction, target: targets.pointer, batch: batch.count, size: targetSize, scale: 1,
          gradient: nil)
      }
      return sum
    }
    let samples = dataSet.sampleCount(split)
    return (try communicator.allreduce(sum, .sum) / Double(samples), samples)
  }
}
