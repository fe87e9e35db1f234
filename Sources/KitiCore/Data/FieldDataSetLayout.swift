import KitiHDF5

/// What a new file of fields holds: everything but the values.
public struct FieldDataSetLayout: DataSetLayout {
  public typealias Input = Float
  public typealias Target = Float

  /// A value of an attribute of the file.
  public enum Attribute: Sendable, Equatable {
    case text(String)
    case integer(Int)
    case unsigned(UInt64)
    case number(Double)
  }

  /// What the data are: the attribute `kind`.
  public var kind: String
  /// Where they come from: the attribute `source`.
  public var source: String
  /// Samples of `/train`, at least 1.
  public var trainCount: Int
  /// Samples of `/test`, at least 1.
  public var testCount: Int
  /// Points of an input and of a target, at least 1.
  public var points: Int
  /// Further attributes, by name.
  public var attributes: [String: Attribute]

  public init(
    kind: String, source: String, trainCount: Int, testCount: Int, points: Int, attributes: [String: Attribute] = [:]
  ) {
    self.kind = kind
    self.source = source
    self.trainCount = trainCount
    self.testCount = testCount
    self.points = points
    self.attributes = attributes
  }

  public var inputSize: Int { points }
  public var targetSize: Int { points }

  public func sampleCount(_ split: DataSplit) -> Int { split == .train ? trainCount : testCount }

  /// Bytes of all inputs and targets.
  public var byteCount: Int { (trainCount + testCount) * 2 * points * MemoryLayout<Float>.size }

  /// Bytes of the file, about: each chunk takes an entry of an index, which may be half empty.
  public var estimatedFileBytes: Int {
    byteCount + (1 << 16) + 128 * 2 * DataSplit.allCases.reduce(0) { $0 + sampleCount($1) / samplesPerChunk + 1 }
  }

  /// Samples of a chunk: what is read for one sample should be a page, not many samples that it does not need.
  var samplesPerChunk: Int { max(1, 4096 / (points * MemoryLayout<Float>.size)) }

  /// Throws unless the layout can be made.
  public func check() throws {
    guard trainCount > 0, testCount > 0, trainCount < UInt32.max, testCount < UInt32.max else {
      throw KitiError(
        .usage, "A data set of \(trainCount) training and \(testCount) test samples cannot be made.",
        remedy: "Ask for at least one sample of each, and fewer than 2^32.")
    }
    // Larger samples could make a file of more bytes than are counted in 63 bits.
    guard (1...1 << 26).contains(points) else {
      throw KitiError(
        .usage, "Samples of \(points) points cannot be written.", remedy: "Give a resolution from 1 to \(1 << 26).")
    }
  }

  /// Makes the groups, arrays and attributes. Collective in parallel files.
  public func make(in file: HDF5File, created: String) throws(HDF5Error) {
    try file.attributes.set("kind", to: kind)
    try file.attributes.set("source", to: source)
    try file.attributes.set("created", to: created)
    for (name, value) in attributes.sorted(by: { $0.key < $1.key }) {
      switch value {
      case .text(let text): try file.attributes.set(name, to: text)
      case .integer(let integer): try file.attributes.set(name, to: integer)
      case .unsigned(let integer): try file.attributes.set(name, to: integer)
      case .number(let number): try file.attributes.set(name, to: number)
      }
    }
    for split in DataSplit.allCases {
      for name in ["inputs", "targets"] {
        try file.root.createDataSet(
          "\(split.rawValue)/\(name)", of: Float.self, shape: [sampleCount(split), points],
          chunks: [samplesPerChunk, points])
      }
    }
  }
}
