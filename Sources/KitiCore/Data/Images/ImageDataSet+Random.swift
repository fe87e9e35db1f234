extension ImageDataSet {
  /// Writes a file of random images in ten classes: something to measure with. Of this rank alone.
  /// - Throws: as `DataSetWriter.write`.
  public static func writeRandom(to path: String, trainCount: Int, testCount: Int, shape: ImageShape) throws {
    // Uniform numbers from 0 to 1 have the deviation 1 / √12.
    let layout = ImageDataSetLayout(
      kind: ImageKind.images.rawValue, source: "random numbers; made by kiti-dist", shape: shape,
      classes: (0..<10).map { "\($0)" }, mean: Array(repeating: 0.5, count: shape.channels),
      standardDeviation: Array(repeating: (1.0 / 12).squareRoot(), count: shape.channels), trainCount: trainCount,
      testCount: testCount)
    let words = AlignedBuffer<UInt32>(count: shape.size)
    try ImageDataSetWriter(path: path, layout: layout, communicator: .single).write(overwrite: false) {
      split, samples, images, labels in
      for (row, sample) in samples.enumerated() {
        let number = split == .train ? sample : trainCount + sample
        RandomStream(seed: 1, stream: UInt64(number), domain: .dataSet).fillWords(words.buffer, at: .init())
        for place in 0..<shape.size {
          images[row * shape.size + place] = UInt8(truncatingIfNeeded: words.pointer[place])
        }
        labels[row] = Int32(sample % 10)
      }
    }
  }
}
