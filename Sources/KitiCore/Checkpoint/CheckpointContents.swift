import KitiHDF5

/// What a checkpoint holds, for people.
public struct CheckpointContents: Sendable {
  public struct Array: Sendable {
    /// Absolute: `/model/head/weight`.
    public var path: String
    public var shape: [Int]
    /// The element type's name: `float32`.
    public var type: String
    public var count: Int
    /// XXH3, 64 bits, of the little-endian bytes.
    public var checksum: UInt64
    /// Of the finite values; `nil` if there are none.
    public var minimum: Float?
    public var maximum: Float?
    public var mean: Double?
    /// How many values are infinite or not a number.
    public var notFiniteCount: Int
  }

  public var path: String
  /// The program that wrote it.
  public var program: String
  public var formatVersion: Int
  /// The file's size.
  public var byteCount: Int
  public var state: TrainingState
  /// The YAML text.
  public var configuration: String
  /// Trainable numbers of the model.
  public var parameterCount: Int
  /// Numbers that the optimizer keeps.
  public var optimizerCount: Int
  /// Names of the optimizer's states: `mean`, `square`.
  public var optimizerStates: [String]
  /// Sorted by path.
  public var arrays: [Array]
  /// Whether each array was also compared with its own checksum, as HDF5 returns it.
  public var isVerified: Bool
}

extension Checkpoint {
  /// Reads what a checkpoint holds, in this process alone, a data set at a time.
  ///
  /// Every byte is checked in any case, before HDF5 sees the file.
  /// - Parameter verify: also compares each array, as HDF5 returns it, with its own checksum.
  /// - Throws: `KitiError`: `.badData` if the file is no checkpoint, cut short, damaged or of a newer format; `.usage` if
  ///   there is no such file.
  public static func contents(_ path: String, verify: Bool) throws -> CheckpointContents {
    let seal = try CheckpointIntegrity.check(path)
    do {
      let file = try HDF5File.open(path)
      defer { try? file.close() }
      let header = try CheckpointHeader(from: file.root)
      let arrays = try CheckpointTree.dataSets(in: file.root).filter { $0.kind == .float32 }.map {
        try CheckpointContents.Array($0, verify: verify)
      }
      func count(_ group: String) -> Int {
        arrays.filter { $0.path.hasPrefix(group + "/") }.reduce(0) { $0 + $1.count }
      }
      return CheckpointContents(
        path: path, program: try file.attributes.readString("program"),
        formatVersion: try file.attributes.read("formatVersion"), byteCount: seal.length, state: header.state,
        configuration: header.configuration, parameterCount: count(CheckpointArrays.model),
        optimizerCount: count(CheckpointArrays.optimizer),
        optimizerStates: try file.root.group(CheckpointArrays.optimizer).children().map(\.name), arrays: arrays,
        isVerified: verify)
    } catch let error as HDF5Error {
      throw CheckpointIntegrity.error(error, path)
    }
  }
}

extension CheckpointContents.Array {
  init(_ dataSet: DataSet, verify: Bool) throws {
    let values: [Float] = try dataSet.read()
    guard let checksum = try CheckpointTree.checksum(of: dataSet),
      !verify || values.withUnsafeBytes({ CheckpointSeal.hash($0) }) == checksum
    else { throw CheckpointIntegrity.mismatch(dataSet.path, dataSet.file.path) }
    var (low, high, sum, finite) = (Float.infinity, -Float.infinity, 0.0, 0)
    for value in values where value.isFinite {
      low = min(low, value)
      high = max(high, value)
      sum += Double(value)
      finite += 1
    }
    self.init(
      path: dataSet.path, shape: dataSet.shape, type: "\(dataSet.kind)", count: values.count, checksum: checksum,
      minimum: finite > 0 ? low : nil, maximum: finite > 0 ? high : nil, mean: finite > 0 ? sum / Double(finite) : nil,
      notFiniteCount: values.count - finite)
  }
}
