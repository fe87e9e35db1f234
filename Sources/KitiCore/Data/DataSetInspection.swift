import Foundation
import KitiHDF5

/// What a data set file holds, from reading all of it.
public struct DataSetInspection: Sendable {
  /// One array of the file.
  public struct Array: Sendable {
    /// Its place in the file.
    public var path: String
    public var shape: [Int]
    /// Extents of one chunk; `nil` when the elements lie in one piece.
    public var chunkShape: [Int]?
    /// Over the finite values; NaN if there are none.
    public var minimum: Double
    public var maximum: Double
    public var mean: Double
    public var standardDeviation: Double
    /// Values that are infinite or not a number.
    public var nonFiniteCount: Int
    /// The first sample with such a value.
    public var firstNonFiniteSample: Int?
  }

  public var path: String
  public var kind: String
  /// Bytes of the file.
  public var fileBytes: Int
  /// The file's attributes as text, sorted by name.
  public var attributes: [(name: String, value: String)]
  public var sampleCounts: [DataSplit: Int]
  /// The classes of images with the numbers of their training and test samples; empty where there are no classes.
  public var classes: [(name: String, train: Int, test: Int)]
  /// Inputs and targets of the training and then of the test samples.
  public var arrays: [Array]

  /// Reads a whole file, a few MiB at a time.
  /// - Throws: `KitiError` as `FieldDataSet` and `ImageDataSet` do, for every part that cannot be read.
  public init(path: String) throws {
    let file = try DataSetFile(path: path, kind: nil)
    self.path = path
    kind = file.kind
    let part: (DataSplit) -> DataSetFile.Part
    if ImageKind(rawValue: file.kind) != nil {
      let images = try ImageDataSet(file: file, augmentation: .none, residentLimit: 0)
      part = images.part
      let counts = (images.classCounts(.train), images.classCounts(.test))
      classes = images.classes.indices.map { (images.classes[$0], counts.0[$0], counts.1[$0]) }
    } else {
      part = try FieldDataSet(file: file).part
      classes = []
    }
    sampleCounts = Dictionary(uniqueKeysWithValues: DataSplit.allCases.map { ($0, part($0).sampleCount) })
    do {
      fileBytes = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
      let attributes = file.file.attributes
      self.attributes = try attributes.names().map { ($0, try Self.text(of: $0, attributes)) }
      arrays = try DataSplit.allCases.flatMap { split in
        [try Self.inspect(part(split).inputs), try Self.inspect(part(split).targets)]
      }
    } catch let error as HDF5Error {
      throw KitiError(dataSet: error)
    }
  }

  /// Throws if there are values that no training survives.
  /// - Throws: `KitiError` of kind `.badData` that names the array and the sample.
  public func requireFiniteValues() throws {
    for array in arrays {
      guard let sample = array.firstNonFiniteSample else { continue }
      throw KitiError(
        .badData,
        "The data set \(path), \(array.path), has \(array.nonFiniteCount) values that are infinite or not a number, "
          + "the first in sample \(sample).",
        remedy: "Make it again or remove these samples: training on them fails.")
    }
  }

  private static func inspect(_ array: DataSet) throws(HDF5Error) -> Array {
    switch array.kind {
    case .uint8: try inspect(array) { (value: UInt8) in Double(value) }
    case .int32: try inspect(array) { (value: Int32) in Double(value) }
    default: try inspect(array) { (value: Float) in Double(value) }
    }
  }

  private static func inspect<Element: HDF5Element>(
    _ array: DataSet, _ number: (Element) -> Double
  ) throws(HDF5Error) -> Array {
    let size = array.shape.dropFirst().reduce(1, *)
    let rows = max(1, min(array.shape[0], (4 << 20) / (size * MemoryLayout<Element>.size)))
    let buffer = AlignedBuffer<Element>(count: rows * size)
    var statistics = Statistics()
    var firstNonFinite: Int?
    var start = 0
    while start < array.shape[0] {
      let block = start..<min(start + rows, array.shape[0])
      let values = UnsafeMutableBufferPointer(rebasing: buffer.buffer[..<(block.count * size)])
      try array.read(.rows(block), into: values)
      for sample in block {
        let first = (sample - start) * size
        let bad = statistics.nonFiniteCount
        for value in values[first..<first + size] { statistics.add(number(value)) }
        if statistics.nonFiniteCount > bad { firstNonFinite = firstNonFinite ?? sample }
      }
      start = block.upperBound
    }
    let count = Double(statistics.count)
    let mean = statistics.sum / count
    return Array(
      path: array.path, shape: array.shape, chunkShape: array.chunkShape,
      minimum: statistics.count > 0 ? statistics.minimum : .nan,
      maximum: statistics.count > 0 ? statistics.maximum : .nan, mean: mean,
      standardDeviation: max(0, statistics.squares / count - mean * mean).squareRoot(),
      nonFiniteCount: statistics.nonFiniteCount, firstNonFiniteSample: firstNonFinite)
  }

  private struct Statistics {
    var count = 0
    var nonFiniteCount = 0
    var minimum = Double.infinity
    var maximum = -Double.infinity
    var sum = 0.0
    var squares = 0.0

    mutating func add(_ value: Double) {
      guard value.isFinite else { return nonFiniteCount += 1 }
      count += 1
      minimum = min(minimum, value)
      maximum = max(maximum, value)
      sum += value
      squares += value * value
    }
  }

  private static func text(of name: String, _ attributes: Attributes) throws(HDF5Error) -> String {
    func list<Element: HDF5Element>(_ type: Element.Type) throws(HDF5Error) -> String {
      try attributes.readArray(name, as: type).map { "\($0)" }.joined(separator: ", ")
    }
    switch try attributes.description(of: name).kind {
    case .float32: return try list(Float.self)
    case .float64: return try list(Double.self)
    case .int8: return try list(Int8.self)
    case .int16: return try list(Int16.self)
    case .int32: return try list(Int32.self)
    case .int64: return try list(Int64.self)
    case .uint8: return try list(UInt8.self)
    case .uint16: return try list(UInt16.self)
    case .uint32: return try list(UInt32.self)
    case .uint64: return try list(UInt64.self)
    case .variableString, .fixedString: return try attributes.readStrings(name).joined(separator: ", ")
    case .other(let other): return "(\(other))"
    }
  }
}
