import KitiMPI

/// Turns published images into a data set file, with all ranks: each reads and writes its own part.
///
/// The training images are read twice, for their statistics and then to be written, so that memory does not grow with
/// their number. The file is the same whatever the number of ranks.
public struct ImageImport {
  public let kind: ImageKind
  public let source: any ImageSource
  /// The attribute `note`.
  public let note: String?

  public init(kind: ImageKind, source: any ImageSource, note: String? = nil) {
    self.kind = kind
    self.source = source
    self.note = note
  }

  /// Images that `progress` counts to: the training images twice.
  public var work: Int { 2 * source.sampleCount(.train) + source.sampleCount(.test) }

  /// Reads all images and writes the file, which is complete or absent afterwards. Collective.
  ///
  /// - Parameters:
  ///   - path, overwrite: as `DataSetWriter` has them.
  ///   - progress: called on every rank with the images that all ranks together have read, about; may throw to give
  ///     up.
  /// - Returns: what the file holds.
  /// - Throws: on all ranks the same `AgreedFailure`, with the errors of the source and of `DataSetWriter.write`.
  @discardableResult
  public func write(
    to path: String, overwrite: Bool, communicator: Communicator = .world,
    progress: (_ read: Int) throws -> Void = { _ in }
  ) throws -> ImageDataSetLayout {
    // What cannot be written should be known before minutes of reading.
    let target = PendingFile(path: path)
    var layout = layout()
    try communicator.agreeing { try layout.check() }
    try communicator.onFirstRank { try target.check(overwrite: overwrite, byteCount: layout.estimatedFileBytes) }
    let statistics = try measure(communicator, progress)
    layout.mean = statistics.mean
    layout.standardDeviation = statistics.standardDeviation
    let writer = try communicator.agreeing {
      try ImageDataSetWriter(path: path, layout: layout, communicator: communicator, block: block)
    }
    let measured = source.sampleCount(.train)
    try writer.write(overwrite: overwrite, progress: { try progress(measured + $0) }) {
      try source.read($0, $1, images: $2, labels: $3)
    }
    return layout
  }

  /// Images that are read at a time.
  private var block: Int { max(1, min(1024, (1 << 20) / source.shape.size)) }

  private func layout() -> ImageDataSetLayout {
    let zeros = Array(repeating: 0.0, count: source.shape.channels)
    return ImageDataSetLayout(
      kind: kind.rawValue, source: source.origin, note: note, shape: source.shape, classes: source.classes,
      mean: zeros, standardDeviation: zeros, trainCount: source.sampleCount(.train),
      testCount: source.sampleCount(.test))
  }

  private func measure(_ communicator: Communicator, _ progress: (Int) throws -> Void) throws -> ImageStatistics {
    var statistics = ImageStatistics(channels: source.shape.channels)
    let whole = 0..<source.sampleCount(.train)
    let mine = whole.part(communicator.rank, of: communicator.size)
    try communicator.agreeing {
      let images = AlignedBuffer<UInt8>(count: min(block, mine.count) * source.shape.size)
      let labels = AlignedBuffer<Int32>(count: min(block, mine.count))
      for start in stride(from: mine.lowerBound, to: mine.upperBound, by: block) {
        let samples = start..<min(start + block, mine.upperBound)
        let filled = UnsafeMutableBufferPointer(rebasing: images.buffer[..<(samples.count * source.shape.size)])
        try source.read(
          .train, samples, images: filled, labels: .init(rebasing: labels.buffer[..<samples.count]))
        statistics.add(UnsafeBufferPointer(filled))
        try progress(min(whole.count, (samples.upperBound - mine.lowerBound) * communicator.size))
      }
    }
    try statistics.combine(communicator)
    return statistics
  }
}
