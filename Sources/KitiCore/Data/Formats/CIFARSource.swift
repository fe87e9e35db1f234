/// CIFAR-10 and CIFAR-100 in the binary form of their publisher (Krizhevsky, "Learning multiple layers of features
/// from tiny images", 2009; https://www.cs.toronto.edu/~kriz/cifar.html), as a folder or as the archive.
///
/// A record is one label byte (CIFAR-100: the coarse, then the fine label, of which the fine one is taken) and a
/// 32 × 32 image, the red, the green and the blue plane after each other.
public final class CIFARSource: ImageSource {
  /// What tells the two data sets apart.
  public enum Edition: Sendable {
    case cifar10, cifar100
  }

  public let origin: String
  public let shape = ImageShape(height: 32, width: 32, channels: 3)
  public let classes: [String]

  private struct Batch {
    var name: String
    var records: Range<Int>
  }

  /// What the labels of a record are less than.
  private let labelLimits: [Int]
  private let set: FileSet
  private let batches: [DataSplit: [Batch]]
  private let record: AlignedBuffer<UInt8>
  /// Where the last reading ended.
  private var position: (split: DataSplit, sample: Int, batch: Int, stream: ByteStream)?

  /// Looks for the files and checks their sizes.
  /// - Throws: `KitiError`: `.usage` when there is nothing at `path`, `.badData` when a file is missing, cut short
  ///   or not of this form.
  public init(path: String, edition: Edition) throws {
    let form = Form(edition)
    let names = form.files.values.flatMap { $0 } + [form.classFile]
    set = try FileSet(path: path, names: Set(names), subfolder: form.subfolder)
    origin = form.origin
    labelLimits = form.labelLimits
    record = AlignedBuffer(count: form.labelLimits.count + shape.size)
    var batches: [DataSplit: [Batch]] = [:]
    for split in DataSplit.allCases {
      batches[split] = try Self.batches(form.files[split]!, limit: form.limit(split), record.count, set)
    }
    self.batches = batches
    let text = try set.open(form.classFile).readText()
    classes = text.split(whereSeparator: \.isNewline).map { String($0) }.filter { !$0.isEmpty }
    let classCount = form.labelLimits.last!
    guard classes.count == classCount, Set(classes).count == classes.count else {
      throw KitiError(
        .badData, "The file \(try set.file(form.classFile).place) in \(path) names \(classes.count) classes, not "
          + "\(classCount) different ones.",
        remedy: ByteStream.remedy)
    }
  }

  public func sampleCount(_ split: DataSplit) -> Int { batches[split]?.last?.records.upperBound ?? 0 }

  public func read(
    _ split: DataSplit, _ samples: Range<Int>, images: UnsafeMutableBufferPointer<UInt8>,
    labels: UnsafeMutableBufferPointer<Int32>
  ) throws {
    precondition(samples.upperBound <= sampleCount(split), "the samples are there")
    precondition(images.count == samples.count * shape.size && labels.count == samples.count, "the buffers fit")
    for (row, sample) in samples.enumerated() {
      let (stream, number) = try seek(split, sample)
      try stream.readAll(UnsafeMutableRawBufferPointer(record.buffer), "record \(number)")
      for (place, limit) in labelLimits.enumerated() where record.pointer[place] >= limit {
        throw KitiError(
          .badData,
          "The file \(stream.name) has the label \(record.pointer[place]) in record \(number), and labels are less "
            + "than \(limit).",
          remedy: "Check that it is a file of this data set, or fetch it again.")
      }
      labels[row] = Int32(record.pointer[labelLimits.count - 1])
      interleave(UnsafePointer(record.pointer + labelLimits.count), images.baseAddress! + row * shape.size)
      position?.sample += 1
    }
  }

  /// Planes `[3, 32 · 32]` to pixels `[32 · 32, 3]`.
  private func interleave(_ planes: UnsafePointer<UInt8>, _ pixels: UnsafeMutablePointer<UInt8>) {
    let area = shape.height * shape.width
    for pixel in 0..<area {
      pixels[3 &* pixel] = planes[pixel]
      pixels[3 &* pixel &+ 1] = planes[area &+ pixel]
      pixels[3 &* pixel &+ 2] = planes[2 &* area &+ pixel]
    }
  }

  /// The stream of a sample's file, about to give the sample, and the sample's number in the file.
  private func seek(_ split: DataSplit, _ sample: Int) throws -> (ByteStream, number: Int) {
    let all = batches[split]!
    let index = all.firstIndex { $0.records.contains(sample) }!
    let first = all[index].records.lowerBound
    if let position, position.split == split, position.batch == index, position.sample <= sample {
      try position.stream.skip((sample - position.sample) * record.count)
      self.position?.sample = sample
      return (position.stream, sample - first)
    }
    let stream = try set.open(all[index].name)
    try stream.skip((sample - first) * record.count)
    position = (split, sample, index, stream)
    return (stream, sample - first)
  }

  /// - Parameter limit: the records of a file as published; a smaller selection is welcome, more is something else.
  private static func batches(_ names: [String], limit: Int, _ recordBytes: Int, _ set: FileSet) throws -> [Batch] {
    var batches: [Batch] = []
    for name in names {
      let file = try set.file(name)
      let (count, rest) = file.byteCount.quotientAndRemainder(dividingBy: recordBytes)
      guard rest == 0, (1...limit).contains(count) else {
        throw KitiError(
          .badData,
          "The file \(file.place) in \(set.path) has \(file.byteCount) bytes, which is not 1 to \(limit) records of "
            + "\(recordBytes) bytes: it is cut short, or not of this data set.",
          remedy: ByteStream.remedy)
      }
      if let first = batches.first, first.records.count != count {
        throw KitiError(
          .badData,
          "The file \(file.place) in \(set.path) has \(count) records, and \(first.name) has \(first.records.count).",
          remedy: "The batches of this data set are of one size. " + ByteStream.remedy)
      }
      let start = batches.last?.records.upperBound ?? 0
      batches.append(Batch(name: name, records: start..<start + count))
    }
    return batches
  }
}

/// Names and numbers of one of the two data sets.
private struct Form {
  let origin: String
  let subfolder: String
  /// The numbers of classes of a record's labels, the wanted one last.
  let labelLimits: [Int]
  let classFile: String
  let files: [DataSplit: [String]]
  private let trainLimit: Int

  init(_ edition: CIFARSource.Edition) {
    switch edition {
    case .cifar10:
      origin = "CIFAR-10, binary version (Krizhevsky, 2009); imported by kiti-dist"
      subfolder = "cifar-10-batches-bin"
      (labelLimits, classFile) = ([10], "batches.meta.txt")
      files = [.train: (1...5).map { "data_batch_\($0).bin" }, .test: ["test_batch.bin"]]
      trainLimit = 10_000
    case .cifar100:
      origin = "CIFAR-100, binary version, fine labels (Krizhevsky, 2009); imported by kiti-dist"
      subfolder = "cifar-100-binary"
      (labelLimits, classFile) = ([20, 100], "fine_label_names.txt")
      files = [.train: ["train.bin"], .test: ["test.bin"]]
      trainLimit = 50_000
    }
  }

  /// The records of one file.
  func limit(_ split: DataSplit) -> Int { split == .train ? trainLimit : 10_000 }
}
