import KitiHDF5

/// A data set file opened for reading on this rank: `/train` and `/test`, each with `inputs` and `targets`.
///
/// The file is opened for this process alone, so that no rank waits for another.
struct DataSetFile {
  /// The two arrays of a split.
  struct Part {
    let inputs: DataSet
    let targets: DataSet
    var sampleCount: Int { inputs.shape[0] }
  }

  /// What an array must look like.
  struct Form {
    let elements: ElementKind
    /// How many axes it may have.
    let axes: ClosedRange<Int>
    /// The same in words.
    let words: String
  }

  let path: String
  /// What the data are, as the file's attribute `kind` says.
  let kind: String
  let file: HDF5File

  /// - Parameter wanted: what the attribute `kind` must say; nil for anything.
  /// - Throws: `KitiError`, naming the file: `.usage` when it is missing or must not be read; `.badData` when it is
  ///   not HDF5, cut short or of another kind.
  init(path: String, kind wanted: String?) throws {
    self.path = path
    do {
      file = try HDF5File.open(path)
      guard try file.attributes.exists("kind") else {
        throw KitiError(
          .badData, "The file \(path) is not a data set of this program: it has no attribute 'kind'.",
          remedy: "Make data sets with 'kiti-dist data make' or 'kiti-dist data import', or set the attribute.")
      }
      kind = try file.attributes.readString("kind")
    } catch let error as HDF5Error {
      throw KitiError(dataSet: error)
    }
    guard wanted == nil || kind == wanted else {
      throw KitiError(
        .badData, "The data set \(path) is of kind '\(kind)', and kind '\(wanted!)' is needed.",
        remedy: "Give the path of a data set of that kind, or change the kind in the configuration.")
    }
  }

  /// The arrays of a split.
  /// - Throws: `KitiError` of kind `.badData` that names the array that is missing, has another type or shape, no
  ///   samples, or not as many as its counterpart.
  func part(_ split: DataSplit, inputs: Form, targets: Form) throws -> Part {
    let part = Part(inputs: try array("inputs", split, inputs), targets: try array("targets", split, targets))
    guard part.targets.shape[0] == part.sampleCount else {
      throw KitiError(
        .badData,
        "The data set \(path) has \(part.sampleCount) samples in \(part.inputs.path) and "
          + "\(part.targets.shape[0]) in \(part.targets.path).",
        remedy: "Make the data set again: each input needs its target.")
    }
    return part
  }

  /// Throws unless samples of both arrays have one shape.
  func requireEqualSamples(_ trained: DataSet, _ tested: DataSet) throws {
    let (first, second) = (Array(trained.shape.dropFirst()), Array(tested.shape.dropFirst()))
    guard first != second else { return }
    throw KitiError(
      .badData,
      "The data set \(path) has samples of shape \(first) in \(trained.path) and of shape \(second) in \(tested.path).",
      remedy: "Make the data set again with one shape.")
  }

  private func array(_ name: String, _ split: DataSplit, _ form: Form) throws -> DataSet {
    let array: DataSet
    do throws(HDF5Error) {
      array = try file.root.dataSet("\(split.rawValue)/\(name)")
    } catch {
      throw KitiError(dataSet: error)
    }
    guard array.kind == form.elements else {
      throw KitiError(.badData, "The data set \(path), \(array.path), holds \(array.kind).", remedy: form.words)
    }
    guard form.axes.contains(array.shape.count), !array.shape.dropFirst().contains(0) else {
      throw KitiError(
        .badData, "The data set \(path), \(array.path), has the shape \(array.shape).", remedy: form.words)
    }
    guard array.shape[0] > 0 else {
      throw KitiError(
        .badData, "The data set \(path), \(array.path), has no samples.",
        remedy: "Make the data set again with samples for training and for testing.")
    }
    return array
  }
}

extension KitiError {
  /// What a failed reading of a data set means to a person.
  init(dataSet error: HDF5Error) {
    let kind: Kind
    let remedy: String
    switch error.code {
    case .missingFile, .inaccessibleFile:
      (kind, remedy) = (
        .usage, "Give the path of a data set; 'kiti-dist data make' and 'kiti-dist data import' make them."
      )
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
