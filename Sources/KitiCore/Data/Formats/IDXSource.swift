/// MNIST and Fashion-MNIST in their publishers' form (IDX, described at http://yann.lecun.com/exdb/mnist/; Xiao,
/// Rasul and Vollgraf, "Fashion-MNIST", 2017): a folder with four files, each plain or gzipped.
///
/// A file has a magic number (0, 0, 8 for bytes, the number of axes), an extent for each axis (32 bits, the high byte
/// first) and the bytes. Images have the axes [samples, height, width], labels [samples].
public final class IDXSource: ImageSource {
  /// What tells the two data sets apart.
  public enum Edition: Sendable {
    case mnist, fashionMNIST
  }

  public let origin: String
  public let shape: ImageShape
  public let classes: [String]

  private let parts: [DataSplit: Part]
  private var position: Position?

  /// The files of a split, whose headers agree.
  private struct Part {
    var images: String
    var labels: String
    var header: IDXHeader
  }

  /// Where the last reading ended.
  private struct Position {
    var split: DataSplit
    var sample: Int
    var images: ByteStream
    var labels: ByteStream
  }

  /// Looks for the files and reads their headers.
  /// - Throws: `KitiError`: `.usage` when there is nothing at `path`, `.badData` when a file is missing, cut short
  ///   or not of this form, or images and labels differ in number.
  public init(path: String, edition: Edition) throws {
    var parts: [DataSplit: Part] = [:]
    for (split, prefix) in [(DataSplit.train, "train"), (.test, "t10k")] {
      let images = try Self.find("\(prefix)-images", "idx3-ubyte", in: path)
      let labels = try Self.find("\(prefix)-labels", "idx1-ubyte", in: path)
      let header = try IDXHeader(ByteStream(path: images), axes: 3)
      let labelHeader = try IDXHeader(ByteStream(path: labels), axes: 1)
      guard header.extents[0] == labelHeader.extents[0] else {
        throw KitiError(
          .badData, "\(images) has \(header.extents[0]) images, and \(labels) has \(labelHeader.extents[0]) labels.",
          remedy: ByteStream.remedy)
      }
      parts[split] = Part(images: images, labels: labels, header: header)
    }
    let (train, test) = (parts[.train]!, parts[.test]!)
    guard train.header.extents.dropFirst() == test.header.extents.dropFirst() else {
      throw KitiError(
        .badData,
        "\(train.images) has images of \(train.header.extents[1]) x \(train.header.extents[2]) pixels, and "
          + "\(test.images) of \(test.header.extents[1]) x \(test.header.extents[2]).",
        remedy: ByteStream.remedy)
    }
    self.parts = parts
    shape = ImageShape(height: train.header.extents[1], width: train.header.extents[2], channels: 1)
    switch edition {
    case .mnist:
      origin = "MNIST (LeCun, Cortes and Burges); imported by kiti-dist"
      classes = (0...9).map(String.init)
    case .fashionMNIST:
      origin = "Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017); imported by kiti-dist"
      classes = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
      ]
    }
  }

  public func sampleCount(_ split: DataSplit) -> Int { parts[split]!.header.extents[0] }

  public func read(
    _ split: DataSplit, _ samples: Range<Int>, images: UnsafeMutableBufferPointer<UInt8>,
    labels: UnsafeMutableBufferPointer<Int32>
  ) throws {
    precondition(samples.upperBound <= sampleCount(split), "the samples are there")
    precondition(images.count == samples.count * shape.size && labels.count == samples.count, "the buffers fit")
    let place = try seek(split, samples.lowerBound)
    position = nil
    try place.images.readAll(UnsafeMutableRawBufferPointer(images), "images \(samples.lowerBound) to \(samples.last!)")
    try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: samples.count) { bytes in
      let memory = UnsafeMutableRawBufferPointer(bytes)
      try place.labels.readAll(memory, "labels \(samples.lowerBound) to \(samples.last!)")
      for (row, label) in memory.enumerated() {
        guard label < classes.count else {
          throw KitiError(
            .badData,
            "The file \(place.labels.name) has the label \(label) for image \(samples.lowerBound + row), and there are "
              + "\(classes.count) classes.",
            remedy: "Check that it is a file of this data set, or fetch it again.")
        }
        labels[row] = Int32(label)
      }
    }
    if samples.upperBound == sampleCount(split) {
      try requireEnd(place.images)
      try requireEnd(place.labels)
    }
    position = Position(split: split, sample: samples.upperBound, images: place.images, labels: place.labels)
  }

  /// The streams of a split, about to give a sample.
  private func seek(_ split: DataSplit, _ sample: Int) throws -> Position {
    if let position, position.split == split, position.sample <= sample {
      try position.images.skip((sample - position.sample) * shape.size)
      try position.labels.skip(sample - position.sample)
      return position
    }
    let part = parts[split]!
    let images = try ByteStream(path: part.images)
    let labels = try ByteStream(path: part.labels)
    try images.skip(IDXHeader.byteCount(axes: 3) + sample * shape.size)
    try labels.skip(IDXHeader.byteCount(axes: 1) + sample)
    return Position(split: split, sample: sample, images: images, labels: labels)
  }

  private func requireEnd(_ stream: ByteStream) throws {
    let more = try withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { try stream.read($0) }
    guard more == 0 else {
      throw KitiError(
        .badData, "The file \(stream.name) is longer than its header says.", remedy: ByteStream.remedy)
    }
  }

  /// The path of a file under one of the names that it goes by.
  private static func find(_ stem: String, _ suffix: String, in folder: String) throws -> String {
    let names = ["-\(suffix)", "-\(suffix).gz", ".\(suffix)", ".\(suffix).gz"].map { stem + $0 }
    let set = try FileSet(folder: folder, names: Set(names))
    guard let name = names.first(where: { set.files[$0] != nil }) else {
      throw KitiError(
        .badData, "There is no file \(names[0]), nor \(names[1]), in \(folder).",
        remedy: "Give the folder with the four files of the data set.")
    }
    return try set.file(name).place
  }
}

/// The extents that an IDX file of bytes declares.
struct IDXHeader {
  let extents: [Int]

  static func byteCount(axes: Int) -> Int { 4 + 4 * axes }

  /// Reads a stream's header.
  /// - Throws: `KitiError` of kind `.badData` for a file of another form, or of images that nobody has.
  init(_ stream: ByteStream, axes: Int) throws {
    var bytes = [UInt8](repeating: 0, count: Self.byteCount(axes: axes))
    try bytes.withUnsafeMutableBytes { try stream.readAll($0, "its header") }
    guard bytes[0] == 0, bytes[1] == 0, bytes[2] == 8, Int(bytes[3]) == axes else {
      let digits = bytes[..<4].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
      throw KitiError(
        .badData,
        "The file \(stream.name) begins with \(digits), and an IDX file of bytes along \(axes) axes begins with "
          + "00 00 08 0\(axes).",
        remedy: "Check that it is a file of this data set, or fetch it again.")
    }
    extents = (1...axes).map { axis in
      bytes[4 * axis..<4 * axis + 4].reduce(0) { $0 << 8 | Int($1) }
    }
    guard (1..<1 << 31).contains(extents[0]), extents.dropFirst().allSatisfy({ (1...4096).contains($0) }) else {
      throw KitiError(
        .badData, "The file \(stream.name) declares the extents \(extents).",
        remedy: "Images have from 1 x 1 to 4096 x 4096 pixels, and there is at least one. " + ByteStream.remedy)
    }
  }
}
