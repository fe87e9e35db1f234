import Glibc
import KitiHDF5
import KitiMPI

/// Writes one checkpoint: under a temporary name, then read back, then renamed.
package struct CheckpointWriter {
  /// The moments at which a test may make a rank fail or damage the file.
  package enum Moment: Sendable { case created, arraysWritten, closed, sealed }

  /// What the names of unfinished files end with.
  static let temporarySuffix = ".partial"

  let path: String
  let communicator: Communicator
  private let temporary: String
  /// A small file that gives its space back when HDF5 needs a little to close a file on a full disk: if it finds
  /// none, the library crashes.
  private let ballast: String
  private static let ballastBytes = 65536
  /// Off in tests that fill the disk up.
  package var checksFreeSpace = true
  /// Called on every rank at each moment; what it throws counts as this rank's failure.
  package var atMoment: (Moment, _ temporary: String) throws -> Void = { _, _ in }

  package init(_ path: String, _ communicator: Communicator) {
    self.path = path
    self.communicator = communicator
    temporary = path + Self.temporarySuffix
    ballast = path + ".ballast" + Self.temporarySuffix
  }

  package func write(
    _ store: ParameterStore, _ optimizerState: [(name: String, buffer: AlignedBuffer<Float>)], _ state: TrainingState,
    _ configuration: String, shard: OptimizerShard? = nil,
    otherState: [(name: String, buffer: AlignedBuffer<Float>)] = [], residual: AlignedBuffer<Float>? = nil
  ) throws {
    do {
      let arrays = try together {
        try CheckpointArrays(
          store, optimizerState, shard ?? OptimizerShard(whole: store.count), otherState: otherState, residual: residual,
          communicator)
      }
      try arrays.collectShards()
      // Attributes must be the same on all ranks, and rank 0's clock is not the others'.
      let header = CheckpointHeader(
        state: TrainingState(words: try communicator.broadcast(state.words, root: 0)),
        configuration: try communicator.broadcast(configuration, root: 0))
      let hashes = try arrays.hashes(communicator)
      try compareWithNext(arrays, hashes)
      try prepare(arrays, header)
      try writeFile(arrays, hashes, header)
      try readBack(arrays, hashes, header)
      try sealAndRename()
    } catch let error as AgreedFailure {
      try communicator.barrier()
      if communicator.rank == 0 {
        unlink(temporary)
        unlink(ballast)
      }
      throw error
    }
  }

  private func together<Result>(_ body: () throws -> Result) throws -> Result {
    try communicator.agreeing {
      do {
        return try body()
      } catch let error as MPIError {
        throw error
      } catch let error as KitiError where error.kind == .failed {
        throw error
      } catch {
        // A file that a rank does not find is wrong usage elsewhere, and here a folder that ranks do not share.
        throw KitiError(
          .failed, "\(path): the checkpoint could not be written: \((error as? KitiError)?.problem ?? "\(error)")",
          remedy: "Check the disk, its free space, and that all ranks share it; older checkpoints are untouched.")
      }
    }
  }

  private var next: Int { (communicator.rank + 1) % communicator.size }

  /// Checks that ranks hold the same values, as far as each rank's share in another's memory tells: a file put together
  /// from different ones would be of no model at all.
  private func compareWithNext(_ arrays: CheckpointArrays, _ hashes: [UInt64]) throws {
    try together {
      for ((array, owner), hash) in zip(zip(arrays.arrays, arrays.owners), hashes)
      where owner == next && array.isReplicated {
        guard array.hash == hash else {
          throw KitiError(
            .failed, "\(path): the checkpoint was not written: ranks hold different values of \(array.path).",
            remedy: "Go on from an older checkpoint, and check the memory and disks of the machines.")
        }
      }
    }
  }

  /// Makes the file's folder if need be, checks what can be known before, and removes what an earlier attempt left.
  private func prepare(_ arrays: CheckpointArrays, _ header: CheckpointHeader) throws {
    let folder = CheckpointDisk.folder(of: path)
    if communicator.rank == 0 { mkdir(folder, 0o777) }
    try communicator.barrier()
    try together {
      guard CheckpointDisk.isFolder(folder) else {
        throw KitiError(
          .failed, "\(path): the checkpoint cannot be written: there is no folder \(folder), and it cannot be made.",
          remedy: "Make it, on a file system that all ranks share.")
      }
      guard communicator.rank == 0 else { return }
      guard !CheckpointDisk.isFolder(path) else {
        throw KitiError(
          .failed, "\(path): the checkpoint cannot be written: this is a folder.",
          remedy: "Remove it or give another name.")
      }
      unlink(temporary)
      let needed = Self.byteEstimate(arrays, header)
      let free = try CheckpointDisk.freeBytes(in: folder)
      guard !checksFreeSpace || needed <= free else { throw tooLittleSpace(needed, free: free) }
      try CheckpointDisk.makeFile(ballast, byteCount: Self.ballastBytes)
    }
  }

  private func tooLittleSpace(_ needed: Int, free: Int) -> KitiError {
    KitiError(
      .failed,
      "\(path): the checkpoint cannot be written: it needs \(Self.mebibytes(needed)) MiB, and the disk has "
        + "\(Self.mebibytes(free)) MiB free.",
      remedy: "Free some space, keep fewer checkpoints (checkpoint.keep) or choose another folder (--output).")
  }

  /// The file's size, rather too large: a data set's description takes less than 4 KiB, with the groups it needs.
  private static func byteEstimate(_ arrays: CheckpointArrays, _ header: CheckpointHeader) -> Int {
    let numbers = arrays.arrays.reduce(0) { $0 + $1.count }
    return numbers * MemoryLayout<Float>.size + arrays.arrays.count * 4096 + header.configuration.utf8.count + 65536
  }

  private static func mebibytes(_ bytes: Int) -> String {
    let tenths = (bytes * 10 + (1 << 19)) >> 20
    return "\(tenths / 10).\(tenths % 10)"
  }

  private func writeFile(_ arrays: CheckpointArrays, _ hashes: [UInt64], _ header: CheckpointHeader) throws {
    let file = try together {
      try HDF5File.create(
        temporary, ifExists: .replace, userBlockBytes: CheckpointSeal.byteCount, locking: .off,
        communicator: communicator)
    }
    do {
      try together {
        guard communicator.rank == 0 else { return }
        // Others may have filled the disk since it was looked at, or the user has a quota.
        defer { unlink(ballast) }
        let needed = Self.byteEstimate(arrays, header)
        if try !CheckpointDisk(temporary, .readWrite).reserve(needed) {
          throw tooLittleSpace(needed, free: try CheckpointDisk.freeBytes(in: CheckpointDisk.folder(of: path)))
        }
      }
      let dataSets = try together {
        try header.write(to: file.root)
        for group in arrays.groups { try file.root.createGroup(group) }
        return try zip(arrays.arrays, hashes).map { array, hash in
          let dataSet = try file.root.createDataSet(array.path, of: Float.self, shape: array.shape)
          try dataSet.attributes.set(CheckpointArrays.checksum, to: hash)
          return dataSet
        }
      }
      try together {
        try atMoment(.created, temporary)
        for ((array, owner), dataSet) in zip(zip(arrays.arrays, arrays.owners), dataSets)
        where owner == communicator.rank {
          try array.withValues { try dataSet.write(UnsafeBufferPointer($0)) }
        }
        try atMoment(.arraysWritten, temporary)
      }
    } catch let error as KitiError {
      // Closing is collective, and all ranks are here. What it says no longer matters.
      try? file.close()
      throw error
    }
    try together { try file.close() }
  }

  /// Compares what has reached the disk with what was meant: the header, and the arrays of another rank than wrote
  /// them.
  private func readBack(_ arrays: CheckpointArrays, _ hashes: [UInt64], _ header: CheckpointHeader) throws {
    try together {
      try atMoment(.closed, temporary)
      // Every host has its own part of the file in memory.
      try CheckpointDisk(temporary, .read).synchronize()
    }
    try together {
      try CheckpointDisk(temporary, .read).forgetCachedPages()
      let file = try HDF5File.open(temporary)
      defer { try? file.close() }
      guard try CheckpointHeader(from: file.root).isSame(as: header) else { throw mismatch("the state") }
      var memory = AlignedBuffer<Float>(count: 0)
      for ((array, owner), hash) in zip(zip(arrays.arrays, arrays.owners), hashes) where owner == next {
        if memory.count < array.count { memory = AlignedBuffer(count: array.count) }
        let dataSet = try file.root.dataSet(array.path)
        guard dataSet.shape == array.shape, try CheckpointTree.checksum(of: dataSet) == hash else {
          throw mismatch(array.path)
        }
        let copy = CheckpointArray(path: array.path, shape: array.shape, count: array.count, in: memory)
        try copy.withValues { try dataSet.read(into: $0) }
        guard copy.hash == hash else { throw mismatch(array.path) }
      }
    }
  }

  private func mismatch(_ object: String) -> KitiError {
    KitiError(
      .failed, "\(path): the checkpoint was written, but reading it back gave other values in \(object).",
      remedy: "The disk or the file system damages data: check it. Older checkpoints are untouched.")
  }

  private func sealAndRename() throws {
    // Rank 0's answer, since a network file system may tell the others later.
    let length = try communicator.broadcast(try together { try CheckpointDisk(temporary, .read).byteCount }, root: 0)
    let mine = try together {
      try CheckpointSeal.blockHashes(temporary, length: length, rank: communicator.rank, of: communicator.size)
    }
    let blocks = try communicator.allgather(varying: mine).flatMap { $0 }
    let seal = CheckpointSeal(length: length, contentsHash: CheckpointSeal.combine(blocks))
    try together {
      if communicator.rank == 0 {
        let file = try CheckpointDisk(temporary, .readWrite)
        try file.write(seal.bytes, at: 0)
        try file.synchronize()
        file.forgetCachedPages()
      }
      try atMoment(.sealed, temporary)
    }
    try together {
      guard communicator.rank == 0 else { return }
      guard try CheckpointSeal.read(temporary) == seal else { throw mismatch("its header") }
      try CheckpointDisk.renameFile(temporary, to: path)
      try CheckpointDisk.synchronizeFolder(CheckpointDisk.folder(of: path))
    }
  }
}
