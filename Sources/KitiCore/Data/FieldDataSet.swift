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

  let file: HDF5File
  private let train: Part
  private let test: Part

  /// The two arrays of a split.
  struct Part {
    let inputs: DataSet
    let targets: DataSet
    var sampleCount: Int { inputs.shape[0] }
  }

  /// Opens a file and checks that it holds data of this kind in the right layout.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - kind: what its attribute `kind` must say.
  /// - Throws: `KitiError`, naming the file and the array in it: `.usage` when the file is missing or must not be
  ///   read; `.badData` when it is not HDF5, cut short, of another kind, or lacks an array, or when an array has
  ///   another type or shape, no samples, or not as many as its counterpart.
  public convenience init(path: String, kind: String) throws {
    try self.init(path: path)
    guard self.kind == kind else {
      throw KitiError(
        .badData, "The data set \(path) is of kind '\(self.kind)', and kind '\(kind)' is needed.",
        remedy: "Give the path of a data set of that kind, or change the kind in the configuration.")
    }
  }

  /// Opens a file of any kind.
  /// - Throws: as `init(path:kind:)`.
  public init(path: String) throws {
    self.path = path
    do {
      file = try HDF5File.open(path)
      guard try file.attributes.exists("kind") else {
        throw KitiError(
          .badData, "The file \(path) is not a data set of this program: it has no attribute 'kind'.",
          remedy: "Make data sets with 'kiti-dist data make', or set the attribute.")
      }
      kind = try file.attributes.readString("kind")
      train = try Self.part(.train, file)
      test = try Self.part(.test, file)
    } catch let error as HDF5Error {
      throw KitiError(dataSet: error)
    }
    inputShape = Self.sampleShape(train.inputs)
    targetShape = Self.sampleShape(train.targets)
    for (tested, trained) in [(test.inputs, train.inputs), (test.targets, train.targets)]
    where Self.sampleShape(tested) != Self.sampleShape(trained) {
      throw KitiError(
        .badData,
        "The data set \(path) has samples of shape \(Self.sampleShape(trained)) in \(trained.path) and of shape "
          + "\(Self.sampleShape(tested)) in \(tested.path).",
        remedy: "Make the data set again with one resolution.")
    }
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
  func part(_ split: DataSplit) -> Part { split == .train ? train : test }

  private static func part(_ split: DataSplit, _ file: HDF5File) throws -> Part {
    let part = Part(inputs: try array("inputs", split, file), targets: try array("targets", split, file))
    guard part.targets.shape[0] == part.sampleCount else {
      throw KitiError(
        .badData,
        "The data set \(file.path) has \(part.sampleCount) samples in \(part.inputs.path) and "
          + "\(part.targets.shape[0]) in \(part.targets.path).",
        remedy: "Make the data set again: each input needs its target.")
    }
    return part
  }

  private static func array(_ name: String, _ split: DataSplit, _ file: HDF5File) throws -> DataSet {
    let array = try file.root.dataSet("\(split.rawValue)/\(name)")
    let remedy = "Arrays are float32 of shape [samples, points] or [samples, points, channels]."
    guard array.kind == .float32 else {
      throw KitiError(
        .badData, "The data set \(file.path), \(array.path), holds \(array.kind).", remedy: remedy)
    }
    guard array.shape.count == 2 || array.shape.count == 3, !array.shape.dropFirst().contains(0) else {
      throw KitiError(
        .badData, "The data set \(file.path), \(array.path), has the shape \(array.shape).", remedy: remedy)
    }
    guard array.shape[0] > 0 else {
      throw KitiError(
        .badData, "The data set \(file.path), \(array.path), has no samples.",
        remedy: "Make the data set again with samples for training and for testing.")
    }
    return array
  }

  private static func sampleShape(_ array: DataSet) -> [Int] {
    array.shape.count == 2 ? [array.shape[1], 1] : Array(array.shape.dropFirst())
  }
}

extension KitiError {
  /// What a failed reading of a data set means to a person.
  init(dataSet error: HDF5Error) {
    let kind: Kind
    let remedy: String
    switch error.code {
    case .missingFile, .inaccessibleFile:
      (kind, remedy) = (.usage, "Give the path of a data set; 'kiti-dist data make' makes one.")
    case .locked:
      (kind, remedy) = (.failed, "")
    case .notFound, .wrongObject:
      let layout = "A data set has /train and /test, each with inputs and targets."
      (kind, remedy) = (.badData, layout + " Make it again, or rename what it holds.")
    case .closed, .invalidArgument, .wrongShape, .outOfBounds:
      (kind, remedy) = (.usage, "")
    case .truncated:
      (kind, remedy) = (.badData, "")
    default:
      (kind, remedy) = (.badData, "Copy the file again from where it came, or make it again.")
    }
    var described = error
    // The library's own words help where this program has none of its own.
    if error.code != .library && error.code != .damaged { described.libraryMessages = [] }
    self.init(kind, "The data set \(described.description)", remedy: remedy)
  }
}
