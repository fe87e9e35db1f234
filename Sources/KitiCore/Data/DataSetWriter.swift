import KitiHDF5
import KitiMPI

/// What a new data set file holds: everything but the values.
public protocol DataSetLayout: Sendable {
  /// The type of the inputs' elements.
  associatedtype Input: HDF5Element
  /// The type of the targets' elements.
  associatedtype Target: HDF5Element

  /// Elements of one input.
  var inputSize: Int { get }
  /// Elements of one target.
  var targetSize: Int { get }
  /// Bytes of the file, about.
  var estimatedFileBytes: Int { get }

  func sampleCount(_ split: DataSplit) -> Int

  /// Throws `KitiError` of kind `.usage` unless the layout can be made.
  func check() throws

  /// Makes the attributes and, for each split, the arrays `inputs` and `targets`. Collective in parallel files.
  func make(in file: HDF5File, created: String) throws(HDF5Error)
}

/// Writes fields.
public typealias FieldDataSetWriter = DataSetWriter<FieldDataSetLayout>

/// Writes images.
public typealias ImageDataSetWriter = DataSetWriter<ImageDataSetLayout>

/// Writes a data set file with all ranks: each makes and writes its own contiguous part of the samples.
///
/// The file has the same contents whatever the number of ranks, and the same bytes if the environment variable
/// `SOURCE_DATE_EPOCH` fixes its date.
public struct DataSetWriter<Layout: DataSetLayout> {
  /// Makes samples of this rank.
  ///
  /// - Parameters:
  ///   - split: the part of the data set.
  ///   - samples: their indices in the split; never empty.
  ///   - inputs: `[samples.count, inputSize]`, to be filled.
  ///   - targets: `[samples.count, targetSize]`, to be filled.
  public typealias Maker = (
    _ split: DataSplit, _ samples: Range<Int>, _ inputs: UnsafeMutableBufferPointer<Layout.Input>,
    _ targets: UnsafeMutableBufferPointer<Layout.Target>
  ) throws -> Void

  public let path: String
  public let layout: Layout
  private let communicator: Communicator
  /// The most samples that a rank makes between two collective writes.
  private let block: Int

  /// - Parameters:
  ///   - path: the file, the same on all ranks, in a folder that all ranks share.
  ///   - layout: the same on all ranks.
  ///   - communicator: the ranks that write.
  ///   - block: the most samples that a rank makes at a time; 32 unless told, but never more than 8 MiB hold.
  /// - Throws: `KitiError` of kind `.usage` for a layout that cannot be made.
  public init(
    path: String, layout: Layout, communicator: Communicator = .world, block: Int? = nil
  ) throws {
    try layout.check()
    self.path = path
    self.layout = layout
    self.communicator = communicator
    let sampleBytes =
      layout.inputSize * MemoryLayout<Layout.Input>.size + layout.targetSize * MemoryLayout<Layout.Target>.size
    self.block = max(1, min(block ?? 32, (8 << 20) / sampleBytes))
  }

  /// Makes all samples and writes the file, which is complete or absent afterwards. Collective.
  ///
  /// It grows under a temporary name beside its own, and gets its name when it is on disk.
  ///
  /// - Parameters:
  ///   - overwrite: whether an existing file is replaced, once the new one is complete.
  ///   - progress: called on every rank with the number of samples that all ranks have written together; may throw
  ///     to give up.
  ///   - make: called on each rank for its own samples, in their order.
  /// - Throws: on all ranks the same `AgreedFailure`: `.usage` for an existing file or no folder to write in,
  ///   `.failed` when the disk is full or writing fails, else what `make` or `progress` throws. The temporary file
  ///   is removed then, and an existing file stays as it was.
  public func write(
    overwrite: Bool, progress: (_ written: Int) throws -> Void = { _ in }, make: Maker
  ) throws {
    let target = PendingFile(path: path)
    try communicator.onFirstRank { try target.begin(overwrite: overwrite, byteCount: layout.estimatedFileBytes) }
    var file: HDF5File?
    do {
      try communicator.onFirstRank { try prepare(target) }
      try communicator.agreeing {
        file = try reporting { () throws(HDF5Error) in
          try HDF5File.open(target.temporaryPath, .readWrite, communicator: communicator)
        }
      }
      var written = 0
      for split in DataSplit.allCases { try write(split, to: file!, &written, progress, make) }
      // One by one: both are collective, and no rank may close while another has failed to flush.
      try communicator.agreeing { try reporting { () throws(HDF5Error) in try file!.flush() } }
      try communicator.agreeing { try reporting { () throws(HDF5Error) in try file!.close() } }
      try communicator.onFirstRank { try target.publish(overwrite: overwrite) }
    } catch {
      // The first error is the one to tell; closing may well fail for the same reason.
      try? file?.close()
      if communicator.rank == 0 { target.discard() }
      try communicator.barrier()
      throw error
    }
  }

  /// Makes the file with everything in it but the values, and takes its whole room on the disk.
  ///
  /// A disk that fills up while several ranks write is more than parallel HDF5 survives: ranks wait for each other
  /// for ever. So one rank does all that needs room, and the others only write to places that are there.
  private func prepare(_ target: PendingFile) throws {
    let created = try CreationDate.now()
    try reporting { () throws(HDF5Error) in
      // A parallel file of one rank: its arrays get their places when they are made.
      let file = try HDF5File.create(
        target.temporaryPath, ifExists: .replace, communicator: .single)
      do throws(HDF5Error) {
        try layout.make(in: file, created: created)
      } catch {
        try? file.close()
        throw error
      }
      try file.close()
    }
    try target.allocate()
  }

  /// Every rank makes as many rounds as the one with the most samples, since writing is collective.
  private func write(
    _ split: DataSplit, to file: HDF5File, _ written: inout Int, _ progress: (Int) throws -> Void, _ make: Maker
  ) throws {
    let whole = 0..<layout.sampleCount(split)
    let mine = whole.part(communicator.rank, of: communicator.size)
    let rounds = (whole.part(0, of: communicator.size).count + block - 1) / block
    let (inputs, targets) = try communicator.agreeing {
      try reporting { () throws(HDF5Error) in
        (
          try file.root.dataSet("\(split.rawValue)/inputs"), try file.root.dataSet("\(split.rawValue)/targets")
        )
      }
    }
    let inputBuffer = AlignedBuffer<Layout.Input>(count: min(block, mine.count) * layout.inputSize)
    let targetBuffer = AlignedBuffer<Layout.Target>(count: min(block, mine.count) * layout.targetSize)
    for round in 0..<rounds {
      let samples = Self.samples(of: mine, round: round, block: block)
      let made = (
        inputs: UnsafeMutableBufferPointer(rebasing: inputBuffer.buffer[..<(samples.count * layout.inputSize)]),
        targets: UnsafeMutableBufferPointer(rebasing: targetBuffer.buffer[..<(samples.count * layout.targetSize)])
      )
      try communicator.agreeing {
        guard !samples.isEmpty else { return }
        try make(split, samples, made.inputs, made.targets)
      }
      try communicator.agreeing {
        try reporting { () throws(HDF5Error) in
          let rows = samples.isEmpty ? Selection.nothing : .rows(samples)
          // Both are tried: the other ranks wait for this one in each.
          var failure: HDF5Error?
          do throws(HDF5Error) {
            try inputs.write(UnsafeBufferPointer(made.inputs), to: rows, transfer: .collective)
          } catch {
            failure = error
          }
          do throws(HDF5Error) {
            try targets.write(UnsafeBufferPointer(made.targets), to: rows, transfer: .collective)
          } catch {
            failure = failure ?? error
          }
          if let failure { throw failure }
        }
      }
      for rank in 0..<communicator.size {
        written += Self.samples(of: whole.part(rank, of: communicator.size), round: round, block: block).count
      }
      try communicator.agreeing { try progress(written) }
    }
  }

  /// The samples that a rank with the part `part` makes in a round.
  private static func samples(of part: Range<Int>, round: Int, block: Int) -> Range<Int> {
    part.dropFirst(round * block).prefix(block)
  }

  /// Turns an error of the file into one of the data set being written.
  private func reporting<Result>(_ body: () throws(HDF5Error) -> Result) throws -> Result {
    do throws(HDF5Error) {
      return try body()
    } catch {
      throw KitiError(
        .failed, "Writing the data set \(path) failed: \(error.description)",
        remedy: "Check that the disk has room and works, then run again; nothing was left behind.")
    }
  }
}
