import KitiHDF5

/// A data set file opened for reading on this rank.
///
/// The file is opened for this process alone, so that no rank waits for another; a rank reads nothing but the
/// samples it asks for. May be shared between threads.
///
/// Layout: `/train` and `/test`, each with `inputs` and `targets`, float32 `[samples, points]` or
/// `[samples, points, channels]`. Values are not looked at: NaN is read like any other number.
public final class FieldDataSet: SampleSource, @unchecked Sendable {
  public let path: String
  /// What the data are, as the file's attribute `kind` says.
  public let kind: String
  /// The shape of one input, `[points, channels]`; fields stored without channels have one.
  public let inputShape: [Int]
  /// The shape of one target, `[points, channels]`.
  public let targetShape: [Int]
  public var classCount: Int? { nil }

  private let train: DataSetFile.Part
  private let test: DataSetFile.Part

  /// Opens a file and checks that it holds data of this kind in the right layout.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - kind: what its attribute `kind` must say; nil for any kind.
  /// - Throws: `KitiError`, naming the file and the array in it: `.usage` when the file is missing or must not be
  ///   read; `.badData` when it is not HDF5, cut short, of another kind, or lacks an array, or when an array has
  ///   another type or shape, no samples, or not as many as its counterpart.
  public convenience init(path: String, kind: String? = nil) throws {
    try self.init(file: DataSetFile(path: path, kind: kind))
  }

  init(file: DataSetFile) throws {
    path = file.path
    kind = file.kind
    train = try file.part(.train, inputs: Self.form, targets: Self.form)
    test = try file.part(.test, inputs: Self.form, targets: Self.form)
    try file.requireEqualSamples(train.inputs, test.inputs)
    try file.requireEqualSamples(train.targets, test.targets)
    inputShape = Self.sampleShape(train.inputs)
    targetShape = Self.sampleShape(train.targets)
  }

  public func sampleCount(_ split: DataSplit) -> Int { part(split).sampleCount }

  /// Reads one sample. Allocates nothing.
  ///
  /// - Parameters:
  ///   - sample: its index in the split.
  ///   - view: fields are not augmented.
  ///   - input: `inputShape`, filled on return.
  ///   - target: `targetShape`, filled on return.
  /// - Throws: `KitiError`: `.usage` for an index or buffers that do not fit, `.badData` when it cannot be read.
  public func read(
    _ split: DataSplit, sample: Int, view: SampleView = .plain, input: UnsafeMutableBufferPointer<Float>,
    target: UnsafeMutableBufferPointer<Float>
  ) throws {
    let part = part(split)
    guard (0..<part.sampleCount).contains(sample) else {
      throw KitiError(
        .usage, "Sample \(sample) of \(path), /\(split.rawValue), was asked for; there are \(part.sampleCount).",
        remedy: "Ask for a sample from 0 to \(part.sampleCount - 1).")
    }
    do throws(HDF5Error) {
      try part.inputs.read(.rows(sample..<sample + 1), into: input)
      try part.targets.read(.rows(sample..<sample + 1), into: target)
    } catch {
      throw KitiError(dataSet: error)
    }
  }

  /// The arrays of a split.
  func part(_ split: DataSplit) -> DataSetFile.Part { split == .train ? train : test }

  private static let form = DataSetFile.Form(
    elements: .float32, axes: 2...3,
    words: "Arrays are float32 of shape [samples, points] or [samples, points, channels].")

  private static func sampleShape(_ array: DataSet) -> [Int] {
    array.shape.count == 2 ? [array.shape[1], 1] : Array(array.shape.dropFirst())
  }
}
