import Foundation

/// A folder of PNG and JPEG files, one folder a class: `train/CLASS/*` and `test/CLASS/*`, or `CLASS/*`, of which a
/// share is set aside for testing.
///
/// Classes and files are in the order of their names' bytes. Names that begin with a dot are passed over; links are
/// refused, and nothing outside of the folder is read.
public final class ImageFolderSource: ImageSource {
  /// What to do with images that are not as they should be.
  public struct Options: Sendable {
    /// Height and width to which every image is brought; nil if they all have one size.
    public var size: (height: Int, width: Int)?
    /// 1 or 3 channels for every image; nil if they are all grey or all in color.
    public var channels: Int?
    /// The share of each class that is set aside for testing; nil for folders `train` and `test`.
    public var testFraction: Double?
    /// Decides which files are set aside.
    public var seed: UInt64

    public init(
      size: (height: Int, width: Int)? = nil, channels: Int? = nil, testFraction: Double? = nil, seed: UInt64 = 1
    ) {
      self.size = size
      self.channels = channels
      self.testFraction = testFraction
      self.seed = seed
    }
  }

  public let origin = "PNG and JPEG files; imported by kiti-dist"
  public let shape: ImageShape
  public let classes: [String]

  /// One file. Its path is put together when it is read: there may be millions.
  private struct Sample {
    var label: Int32
    var name: String
  }

  private let options: Options
  /// The folder with the folders of the classes.
  private let folders: [DataSplit: String]
  private let samples: [DataSplit: [Sample]]
  private let file = ImageFile()
  private var resampling: ImageResampling?

  /// Lists the files, and looks at the first one if the options leave something open.
  /// - Throws: `KitiError`: `.usage` when `path` is no folder or the options do not fit it, `.badData` when it holds
  ///   something else than images, or a split would be empty.
  public init(path: String, options: Options) throws {
    self.options = options
    let tree = ImageFolderTree(path: path)
    let top = try tree.folders("")
    let parts = top.filter { $0 == "train" || $0 == "test" }
    if parts.isEmpty {
      (classes, samples) = (top, try Self.divide(tree, classes: top, options))
      folders = [.train: path, .test: path]
    } else {
      guard parts.count == 2, top.count == 2, options.testFraction == nil else {
        throw KitiError(
          .usage, "The folder \(path) holds \(top.joined(separator: ", "))"
            + (options.testFraction == nil ? "." : ", and a share of it is to be set aside for testing."),
          remedy: "Give a folder with train and test, or one with a folder for each class and --test-fraction.")
      }
      (classes, samples) = try Self.join(tree)
      folders = [.train: "\(path)/train", .test: "\(path)/test"]
    }
    for split in DataSplit.allCases where samples[split]!.isEmpty {
      throw KitiError(
        .badData, "The folder \(path) gives no images for \(split == .train ? "training" : "testing").",
        remedy: "Add images, or set aside another share of them.")
    }
    let first = samples[.train]![0]
    try file.readHeader("\(folders[.train]!)/\(classes[Int(first.label)])/\(first.name)")
    shape = ImageShape(
      height: options.size?.height ?? file.header.height, width: options.size?.width ?? file.header.width,
      channels: options.channels ?? (file.header.isGrey ? 1 : 3))
    resampling = options.size.map { ImageResampling(height: $0.height, width: $0.width) }
  }

  public func sampleCount(_ split: DataSplit) -> Int { samples[split]!.count }

  public func read(
    _ split: DataSplit, _ range: Range<Int>, images: UnsafeMutableBufferPointer<UInt8>,
    labels: UnsafeMutableBufferPointer<Int32>
  ) throws {
    precondition(images.count == range.count * shape.size && labels.count == range.count, "the buffers fit")
    let color = AlignedBuffer<UInt8>(count: 3 * shape.height * shape.width)
    for (row, sample) in samples[split]![range].enumerated() {
      let path = "\(folders[split]!)/\(classes[Int(sample.label)])/\(sample.name)"
      try file.decode(path)
      try requireChannels(path)
      try file.pixels.withUnsafeBufferPointer { pixels in
        let (height, width) = (file.header.height, file.header.width)
        if (height, width) == (shape.height, shape.width) {
          _ = color.buffer.update(from: pixels)
        } else if resampling != nil {
          resampling!.resample(pixels, height: height, width: width, into: color.buffer)
        } else {
          throw KitiError(
            .badData, "The file \(path) has \(height) x \(width) pixels, and the first image "
              + "\(shape.height) x \(shape.width).",
            remedy: "Bring all images to one size with --size HEIGHTxWIDTH.")
        }
      }
      store(color, images.baseAddress! + row * shape.size)
      labels[row] = sample.label
    }
  }

  private func requireChannels(_ path: String) throws {
    guard options.channels == nil, file.header.isGrey != (shape.channels == 1) else { return }
    throw KitiError(
      .badData, "The file \(path) is \(file.header.isGrey ? "grey" : "in color"), unlike the first image.",
      remedy: "Say with --channels whether all images become grey (1) or colored (3).")
  }

  /// Stores an image with the channels that are wanted; grey is the luma of ITU-R BT.601.
  private func store(_ color: AlignedBuffer<UInt8>, _ image: UnsafeMutablePointer<UInt8>) {
    guard shape.channels == 1 else {
      image.update(from: color.pointer, count: shape.size)
      return
    }
    for pixel in 0..<shape.size {
      let red = Int(color.pointer[3 * pixel])
      let green = Int(color.pointer[3 * pixel + 1])
      let blue = Int(color.pointer[3 * pixel + 2])
      image[pixel] = UInt8((299 * red + 587 * green + 114 * blue + 500) / 1000)
    }
  }

  /// The classes and samples of folders `train` and `test`.
  private static func join(_ tree: ImageFolderTree) throws -> ([String], [DataSplit: [Sample]]) {
    let classes = try tree.folders("train")
    let tested = try tree.folders("test")
    if let other = tested.first(where: { !classes.contains($0) }) {
      throw KitiError(
        .badData, "The folder \(tree.path)/test has the class '\(other)', and train has not.",
        remedy: "Give images of each class for training.")
    }
    var samples: [DataSplit: [Sample]] = [.train: [], .test: []]
    for (label, name) in classes.enumerated() {
      for split in DataSplit.allCases where split == .train || tested.contains(name) {
        let files = try tree.files("\(split.rawValue)/\(name)")
        samples[split]! += files.map { Sample(label: Int32(label), name: $0) }
      }
    }
    return (classes, samples)
  }

  /// The samples of one folder a class, of which a share is drawn for testing.
  private static func divide(
    _ tree: ImageFolderTree, classes: [String], _ options: Options
  ) throws -> [DataSplit: [Sample]] {
    guard let fraction = options.testFraction, fraction > 0, fraction < 1 else {
      throw KitiError(
        .usage, "The folder \(tree.path) has no folders train and test, and no share is set aside for testing.",
        remedy: "Give --test-fraction, a number between 0 and 1.")
    }
    var samples: [DataSplit: [Sample]] = [.train: [], .test: []]
    for (label, name) in classes.enumerated() {
      let files = try tree.files(name)
      let order = AlignedBuffer<UInt32>(count: files.count)
      let words = AlignedBuffer<UInt32>(count: files.count)
      let stream = RandomStream(seed: options.seed, stream: UInt64(label), domain: .dataSet)
      Permutation.fill(order.buffer, words: words.buffer, from: stream, at: .init())
      let isTested = Set(order.buffer.prefix(Int((fraction * Double(files.count)).rounded())))
      for (index, name) in files.enumerated() {
        samples[isTested.contains(UInt32(index)) ? .test : .train]!.append(Sample(label: Int32(label), name: name))
      }
    }
    return samples
  }
}

/// What lies in a folder of images.
private struct ImageFolderTree {
  let path: String

  /// The folders in a folder, of which there is at least one.
  func folders(_ place: String) throws -> [String] {
    let folder = place.isEmpty ? path : "\(path)/\(place)"
    let names = try list(folder)
    for name in names {
      guard kind("\(folder)/\(name)") == S_IFDIR else {
        throw KitiError(
          .badData, "'\(folder)/\(name)' is no folder.",
          remedy: "The images of each class lie in a folder of their own.")
      }
    }
    guard !names.isEmpty else {
      throw KitiError(
        .badData, "The folder \(folder) holds no folder.",
        remedy: "The images of each class lie in a folder of their own.")
    }
    return names
  }

  /// The names of the images in a folder.
  func files(_ place: String) throws -> [String] {
    let folder = "\(path)/\(place)"
    let names = try list(folder)
    for name in names {
      let file = "\(folder)/\(name)"
      guard kind(file) == S_IFREG, [".png", ".jpg", ".jpeg"].contains(where: name.lowercased().hasSuffix) else {
        throw KitiError(
          .badData, "'\(file)' is no PNG or JPEG file.", remedy: "Take it out of the folder; links are not followed.")
      }
    }
    return names
  }

  private func list(_ folder: String) throws -> [String] {
    do {
      let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { !$0.hasPrefix(".") }
      return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    } catch {
      throw KitiError(
        .usage, "The folder \(folder) cannot be read: \((error as NSError).localizedDescription)",
        remedy: "Give the path of a folder of images.")
    }
  }

  private func kind(_ path: String) -> mode_t? {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
  }
}
