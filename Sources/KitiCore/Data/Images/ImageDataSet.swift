import KitiHDF5
import Synchronization

/// A file of images with classes, opened for reading on this rank. May be shared between threads.
///
/// Layout: `/train` and `/test`, each with `inputs`, uint8 `[samples, height, width, channels]`, and `targets`, int32
/// `[samples]`, the numbers of the classes; attributes `classes`, `mean` and `std` (of each channel of the training
/// images, with pixels from 0 to 1).
///
/// Training takes samples in random order, so the stored bytes of both splits are kept in memory when they are no
/// more than `residentLimit`; else each sample is read from the file when it is asked for.
public final class ImageDataSet: SampleSource, @unchecked Sendable {
  /// Bytes of images that each rank keeps in memory unless told otherwise: 1 GiB. CIFAR takes 176 MiB.
  public static let residentLimit = 1 << 30

  public let path: String
  /// What the data are, as the file's attribute `kind` says.
  public let kind: String
  public let shape: ImageShape
  /// The names of the classes.
  public let classes: [String]
  /// Of each channel of the training images, with pixels from 0 to 1.
  public let mean: [Double]
  public let standardDeviation: [Double]
  public let augmentation: ImageAugmentation

  public var inputShape: [Int] { [shape.height, shape.width, shape.channels] }
  public var targetShape: [Int] { [1] }
  public var classCount: Int? { classes.count }

  private let view: ImageView
  private let train: Split
  private let test: Split

  /// The images of a split.
  private final class Split: Sendable {
    let part: DataSetFile.Part
    let labels: AlignedBuffer<Int32>
    /// All images; nil when they are read one by one.
    let images: AlignedBuffer<UInt8>?
    /// Room for one image, taken in turns.
    let scratch: Mutex<AlignedBuffer<UInt8>>

    init(part: DataSetFile.Part, labels: AlignedBuffer<Int32>, images: AlignedBuffer<UInt8>?, scratchSize: Int) {
      self.part = part
      self.labels = labels
      self.images = images
      scratch = Mutex(AlignedBuffer(count: scratchSize))
    }
  }

  /// Opens a file, checks that it holds images of this kind in the right layout, and reads the labels.
  ///
  /// - Parameters:
  ///   - kind: what its attribute `kind` must say; nil for any kind.
  ///   - augmentation: what the view `.training` shows.
  ///   - residentLimit: bytes of images to keep in memory, at most.
  /// - Throws: `KitiError`, naming the file and the place in it: `.usage` when the file is missing or must not be read,
  ///   or the augmentation does not fit the images; `.badData` when it is not HDF5, cut short, of another kind,
  ///   lacks something, or has a label that is no class.
  public convenience init(
    path: String, kind: String? = nil, augmentation: ImageAugmentation = .none,
    residentLimit: Int = ImageDataSet.residentLimit
  ) throws {
    try self.init(
      file: DataSetFile(path: path, kind: kind), augmentation: augmentation, residentLimit: residentLimit)
  }

  init(file: DataSetFile, augmentation: ImageAugmentation, residentLimit: Int) throws {
    path = file.path
    kind = file.kind
    self.augmentation = augmentation
    let parts = try DataSplit.allCases.map { try file.part($0, inputs: Self.imageForm, targets: Self.labelForm) }
    try file.requireEqualSamples(parts[0].inputs, parts[1].inputs)
    let extents = parts[0].inputs.shape
    shape = ImageShape(height: extents[1], width: extents[2], channels: extents[3])
    guard [1, 3].contains(shape.channels), shape.height < 1 << 20, shape.width < 1 << 20,
      shape.size <= ImageDataSetLayout.maximumSize
    else {
      throw KitiError(
        .badData, "The data set \(path), \(parts[0].inputs.path), has the shape \(extents).",
        remedy: Self.imageForm.words)
    }
    try augmentation.check(shape, path)
    let attributes = ImageAttributes(file: file.file)
    classes = try attributes.classes()
    mean = try attributes.numbers("mean", channels: shape.channels)
    standardDeviation = try attributes.numbers("std", channels: shape.channels)
    view = ImageView(
      shape: shape, mean: mean, standardDeviation: standardDeviation, padding: augmentation.padding)
    let isResident = parts.reduce(0) { $0 + $1.inputs.elementCount } <= residentLimit
    train = try Self.open(parts[0], classCount: classes.count, isResident: isResident)
    test = try Self.open(parts[1], classCount: classes.count, isResident: isResident)
  }

  public func sampleCount(_ split: DataSplit) -> Int { self.split(split).part.sampleCount }

  /// Reads one sample. Allocates nothing.
  ///
  /// - Parameters:
  ///   - sample: its index in the split.
  ///   - view: as it is, as a look shows it, or augmented as training sees it.
  ///   - input: `inputShape`, filled on return; normalised to mean 0 and deviation 1 over the training split.
  ///   - target: one element: the number of the class.
  /// - Throws: `KitiError`: `.usage` for an index or buffers that do not fit, `.badData` when it cannot be read.
  public func read(
    _ split: DataSplit, sample: Int, view: SampleView = .plain, input: UnsafeMutableBufferPointer<Float>,
    target: UnsafeMutableBufferPointer<Float>
  ) throws {
    let part = self.split(split)
    guard (0..<part.labels.count).contains(sample) else {
      throw KitiError(
        .usage, "Sample \(sample) of \(path), /\(split.rawValue), was asked for; there are \(part.labels.count).",
        remedy: "Ask for a sample from 0 to \(part.labels.count - 1).")
    }
    guard input.count == shape.size, target.count == 1 else {
      throw KitiError(
        .usage, "A sample of \(path) has \(shape.size) numbers and 1 label, and there is room for \(input.count) and "
          + "\(target.count).",
        remedy: "")
    }
    let look =
      switch view {
      case .look(let look): look
      case .training(let seed, let epoch): augmentation.look(seed: seed, epoch: epoch, sample: sample, shape: shape)
      }
    target[0] = Float(part.labels.pointer[sample])
    if let images = part.images {
      self.view.show(images.pointer + sample * shape.size, look, input.baseAddress!)
    } else {
      try part.scratch.withLock { scratch in
        do throws(HDF5Error) {
          try part.part.inputs.read(.rows(sample..<sample + 1), into: scratch.buffer)
        } catch {
          throw KitiError(dataSet: error)
        }
        self.view.show(scratch.pointer, look, input.baseAddress!)
      }
    }
  }

  /// The arrays of a split.
  func part(_ split: DataSplit) -> DataSetFile.Part { self.split(split).part }

  /// How many samples of a split each class has.
  public func classCounts(_ split: DataSplit) -> [Int] {
    var counts = Array(repeating: 0, count: classes.count)
    for label in self.split(split).labels.buffer { counts[Int(label)] += 1 }
    return counts
  }

  private func split(_ split: DataSplit) -> Split { split == .train ? train : test }

  private static let imageForm = DataSetFile.Form(
    elements: .uint8, axes: 4...4,
    words: "Images are uint8 of shape [samples, height, width, channels], with 1 or 3 channels.")
  private static let labelForm = DataSetFile.Form(
    elements: .int32, axes: 1...1, words: "The numbers of classes are int32 of shape [samples].")

  private static func open(_ part: DataSetFile.Part, classCount: Int, isResident: Bool) throws -> Split {
    let labels = AlignedBuffer<Int32>(count: part.sampleCount)
    let images = isResident ? AlignedBuffer<UInt8>(count: part.inputs.elementCount) : nil
    do throws(HDF5Error) {
      try part.targets.read(into: labels.buffer)
      if let images { try part.inputs.read(into: images.buffer) }
    } catch {
      throw KitiError(dataSet: error)
    }
    if let sample = labels.buffer.firstIndex(where: { !(0..<Int32(classCount)).contains($0) }) {
      throw KitiError(
        .badData,
        "The data set \(part.targets.file.path), \(part.targets.path), has the label \(labels.buffer[sample]) in sample "
          + "\(sample), and there are \(classCount) classes.",
        remedy: "Make it again, or give the names of all classes in the attribute 'classes'.")
    }
    let size = part.inputs.shape.dropFirst().reduce(1, *)
    return Split(part: part, labels: labels, images: images, scratchSize: isResident ? 0 : size)
  }
}

/// The attributes of a file of images.
private struct ImageAttributes {
  let file: HDF5File

  func classes() throws -> [String] {
    let classes = try reading("classes") { () throws(HDF5Error) in try file.attributes.readStrings("classes") }
    guard (1...1 << 20).contains(classes.count) else {
      throw wrong("classes", "names \(classes.count) classes")
    }
    return classes
  }

  func numbers(_ name: String, channels: Int) throws -> [Double] {
    let numbers = try reading(name) { () throws(HDF5Error) in try file.attributes.readArray(name, as: Double.self) }
    guard numbers.count == channels, numbers.allSatisfy({ $0.isFinite && $0 >= 0 && $0 <= 1 }) else {
      throw wrong(name, "is \(numbers)")
    }
    return numbers
  }

  private func reading<Result>(_ name: String, _ body: () throws(HDF5Error) -> Result) throws -> Result {
    do {
      guard try file.attributes.exists(name) else { throw wrong(name, "is missing") }
      return try body()
    } catch let error as HDF5Error {
      throw KitiError(dataSet: error)
    }
  }

  private func wrong(_ name: String, _ problem: String) -> KitiError {
    KitiError(
      .badData, "The attribute '\(name)' of the data set \(file.path) \(problem).",
      remedy: "Images have the names of their classes in 'classes', and a float64 from 0 to 1 for each channel in "
        + "'mean' and in 'std'. Import them again with 'kiti-dist data import'.")
  }
}
