import KitiMPI

extension Model {
  /// Starts a run: rank 0 makes what comes from training samples, and every rank takes its parameters and statistics.
  /// Collective.
  ///
  /// The samples are spread evenly over the training split, which may be sorted, and seen as they are.
  func start(from dataSet: any SampleSource, store: ParameterStore, communicator: Communicator) throws {
    try communicator.onFirstRank {
      let total = dataSet.sampleCount(.train)
      let count = min(preparationCount, total)
      guard count > 0 else { return }
      let (inputSize, targetSize) = (dataSet.inputShape.reduce(1, *), dataSet.targetShape.reduce(1, *))
      let inputs = AlignedBuffer<Float>(count: count * inputSize)
      let target = AlignedBuffer<Float>(count: targetSize)
      for row in 0..<count {
        try dataSet.read(
          .train, sample: row * total / count, view: .plain,
          input: UnsafeMutableBufferPointer(start: inputs.pointer + row * inputSize, count: inputSize),
          target: target.buffer)
      }
      prepare(from: inputs.pointer, count: count)
    }
    try communicator.broadcast(store.values.buffer, root: 0)
  }
}
