import KitiHDF5
import KitiMPI

/// Reads one checkpoint: first every byte is checked, then whether the file fits the run, then the values are moved.
struct CheckpointReader {
  let path: String
  let communicator: Communicator

  init(_ path: String, _ communicator: Communicator) {
    self.path = path
    self.communicator = communicator
  }

  func readHeader() throws -> CheckpointHeader {
    try checkEveryByte()
    return try readHeader(then: { _ in })
  }

  func read(
    into store: ParameterStore, _ optimizerState: [(name: String, buffer: AlignedBuffer<Float>)]?,
    _ shard: OptimizerShard, _ otherState: [(name: String, buffer: AlignedBuffer<Float>)], _ residual: AlignedBuffer<Float>?
  ) throws -> CheckpointHeader {
    let arrays = try together {
      try CheckpointArrays(
        store, optimizerState ?? [], shard, otherState: otherState, residual: nil, communicator)
    }
    try checkEveryByte()
    let header = try readHeader { root in
      let fit = CheckpointFit(path: path, root: root)
      try fit.checkModel(store.parameters + store.statistics)
      try fit.checkStates(
        ((optimizerState ?? []) + otherState).map {
          ($0.name, store.parameters + ($0.buffer.count > store.count ? store.statistics : []))
        }, allowsMore: optimizerState == nil)
    }
    try together {
      let file = try HDF5File.open(path)
      defer { try? file.close() }
      for array in arrays.share(of: communicator.rank) { try read(array, from: file.root) }
      if let residual { try read(into: residual, from: file.root) }
    }
    try arrays.distribute(communicator)
    return header
  }

  private func read(_ array: CheckpointArray, from root: Group) throws {
    let dataSet = try root.dataSet(array.path)
    try array.withValues { try dataSet.read(into: $0) }
    guard try CheckpointTree.checksum(of: dataSet) == array.hash else {
      throw CheckpointIntegrity.mismatch(array.path, path)
    }
  }

  /// Adds up what the ranks whose number is this one's, modulo the number of ranks, have kept.
  private func read(into residual: AlignedBuffer<Float>, from root: Group) throws {
    residual.buffer.update(repeating: 0)
    guard try root.exists(CheckpointArrays.residual) else { return }
    let writers = try root.group(CheckpointArrays.residual).children().count
    var memory = residual
    for rank in stride(from: communicator.rank, to: writers, by: communicator.size) {
      try read(
        CheckpointArray(
          path: "\(CheckpointArrays.residual)/\(rank)", shape: [residual.count], count: residual.count, in: memory),
        from: root)
      if memory !== residual {
        add(residual.pointer, memory.pointer, scale: 1, count: residual.count, into: residual.pointer)
      }
      memory = AlignedBuffer(count: residual.count)
    }
  }

  private func together<Result>(_ body: () throws -> Result) throws -> Result {
    try communicator.agreeing {
      do {
        return try body()
      } catch let error as HDF5Error {
        throw CheckpointIntegrity.error(error, path)
      }
    }
  }

  /// Each rank hashes its share of the file's blocks.
  private func checkEveryByte() throws {
    let seal = try together { try CheckpointSeal.read(path) }
    let mine = try together {
      try CheckpointSeal.blockHashes(path, length: seal.length, rank: communicator.rank, of: communicator.size)
    }
    let blocks = try communicator.allgather(varying: mine).flatMap { $0 }
    // Together, since each rank compares with the seal that it has seen itself.
    try together { try CheckpointIntegrity.compare(blocks, with: seal, path) }
  }

  /// Rank 0 reads the header and makes a check of its own; all ranks get the result.
  private func readHeader(then check: (Group) throws -> Void) throws -> CheckpointHeader {
    var header = CheckpointHeader(state: TrainingState(seed: 0, worldSize: 0, globalBatch: 0), configuration: "")
    try together {
      guard communicator.rank == 0 else { return }
      let file = try HDF5File.open(path)
      defer { try? file.close() }
      header = try CheckpointHeader(from: file.root)
      try check(file.root)
    }
    return CheckpointHeader(
      state: TrainingState(words: try communicator.broadcast(header.state.words, root: 0)),
      configuration: try communicator.broadcast(header.configuration, root: 0))
  }
}
