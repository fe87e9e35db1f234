import KitiHDF5

/// What a new file of images holds: everything but the values.
///
/// Inputs are uint8 `[samples, height, width, channels]`, targets int32 `[samples]`, the numbers of the classes.
public struct ImageDataSetLayout: DataSetLayout {
  public typealias Input = UInt8
  public typealias Target = Int32

  /// What the data are: the attribute `kind`.
  public var kind: String
  /// Where they come from: the attribute `source`.
  public var source: String
  /// What else is to be known of them: the attribute `note`.
  public var note: String?
  public var shape: ImageShape
  /// The names of the classes.
  public var classes: [String]
  /// For each channel, of the training images, with pixels from 0 to 1.
  public var mean: [Double]
  public var standardDeviation: [Double]
  /// Images of `/train` and of `/test`, at least 1 of each.
  public var trainCount: Int
  public var testCount: Int

  public init(
    kind: String, source: String, note: String? = nil, shape: ImageShape, classes: [String], mean: [Double],
    standardDeviation: [Double], trainCount: Int, testCount: Int
  ) {
    self.kind = kind
    self.source = source
    self.note = note
    self.shape = shape
    self.classes = classes
    self.mean = mean
    self.standardDeviation = standardDeviation
    self.trainCount = trainCount
    self.testCount = testCount
  }

  public var inputSize: Int { shape.size }
  public var targetSize: Int { 1 }

  public func sampleCount(_ split: DataSplit) -> Int { split == .train ? trainCount : testCount }

  /// Bytes of all images and labels.
  public var byteCount: Int { (trainCount + testCount) * (shape.size + MemoryLayout<Int32>.size) }

  public var estimatedFileBytes: Int {
    byteCount + (1 << 17) + DataSplit.allCases.reduce(0) { sum, split in
      // Chunks are whole, and each takes an entry of an index, which may be half empty.
      sum + samplesPerChunk * shape.size + Self.labelsPerChunk * MemoryLayout<Int32>.size
        + 256 * (sampleCount(split) / samplesPerChunk + sampleCount(split) / Self.labelsPerChunk + 2)
    }
  }

  /// Images of a chunk: 64 KiB are read at once by who takes all, and are no great loss to who takes one.
  var samplesPerChunk: Int { max(1, (64 << 10) / shape.size) }

  private static let labelsPerChunk = 4096

  /// The most bytes of an image.
  static let maximumSize = 1 << 26

  public func check() throws {
    guard trainCount > 0, testCount > 0, trainCount < Int32.max, testCount < Int32.max else {
      throw KitiError(
        .usage, "A data set of \(trainCount) training and \(testCount) test images cannot be made.",
        remedy: "Give at least one image for each, and fewer than 2^31.")
    }
    let extents = [shape.height, shape.width]
    guard extents.allSatisfy({ (1...1 << 16).contains($0) }), [1, 3].contains(shape.channels),
      shape.size <= Self.maximumSize
    else {
      throw KitiError(
        .usage, "Images of \(shape.height) x \(shape.width) pixels with \(shape.channels) channels cannot be written.",
        remedy: "Give smaller images with 1 or 3 channels.")
    }
  }

  public func make(in file: HDF5File, created: String) throws(HDF5Error) {
    try file.attributes.set("kind", to: kind)
    try file.attributes.set("source", to: source)
    try file.attributes.set("created", to: created)
    if let note { try file.attributes.set("note", to: note) }
    try file.attributes.set("classes", to: classes)
    try file.attributes.set("mean", to: mean)
    try file.attributes.set("std", to: standardDeviation)
    for split in DataSplit.allCases {
      let count = sampleCount(split)
      let extents = [shape.height, shape.width, shape.channels]
      try file.root.createDataSet(
        "\(split.rawValue)/inputs", of: UInt8.self, shape: [count] + extents, chunks: [samplesPerChunk] + extents)
      try file.root.createDataSet(
        "\(split.rawValue)/targets", of: Int32.self, shape: [count], chunks: [Self.labelsPerChunk])
    }
  }
}
