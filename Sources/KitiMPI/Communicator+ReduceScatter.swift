import CMPI

extension Communicator {
  /// Reduces element by element over all ranks and gives block i of the result to rank i.
  ///
  /// - Parameters:
  ///   - send: `size` blocks, in the order of ranks.
  ///   - receive: one block, as many elements on every rank; elsewhere in memory.
  public func reduceScatter<T: MPIElement>(
    _ send: UnsafeBufferPointer<T>, into receive: UnsafeMutableBufferPointer<T>,
    _ operation: ReductionOperation<T>
  ) throws(MPIError) {
    try requireUsable("MPI_Reduce_scatter_block")
    try require(
      "the send buffer", holds: send.count, elements: receive.count * size, "MPI_Reduce_scatter_block")
    guard send.count > 0 else { return }
    if send.count > LargeCount.limit {
      let counts = [Int](repeating: receive.count, count: size)
      return try reduceEachBlock(send, counts, receive, operation)
    }
    try MPIError.check(
      MPI_Reduce_scatter_block(
        send.baseAddress, receive.baseAddress, Int32(receive.count), T.mpiDatatype, operation.handle, handle),
      "MPI_Reduce_scatter_block")
  }

  /// Reduces element by element over all ranks and gives rank i its `counts[i]` elements of the result.
  ///
  /// - Parameters:
  ///   - send: the blocks of all ranks one after another.
  ///   - counts: elements for each rank, the same on every rank.
  ///   - receive: this rank's block, `counts[rank]` elements; elsewhere in memory.
  public func reduceScatter<T: MPIElement>(
    _ send: UnsafeBufferPointer<T>, counts: [Int], into receive: UnsafeMutableBufferPointer<T>,
    _ operation: ReductionOperation<T>
  ) throws(MPIError) {
    try requireUsable("MPI_Reduce_scatter")
    try require("the counts", counts, fill: send.count, "MPI_Reduce_scatter")
    try require("the receive buffer", holds: receive.count, elements: counts[rank], "MPI_Reduce_scatter")
    guard send.count > 0 else { return }
    if send.count > LargeCount.limit {
      return try reduceEachBlock(send, counts, receive, operation)
    }
    try MPIError.check(
      MPI_Reduce_scatter(
        send.baseAddress, placeholder(UnsafeMutableRawPointer(receive.baseAddress)),
        counts.map(Int32.init), T.mpiDatatype, operation.handle, handle),
      "MPI_Reduce_scatter")
  }

  /// This rank's block of the element-wise reduction of all ranks' arrays, whose count is a multiple of `size`.
  public func reduceScatter<T: MPIElement>(
    _ values: [T], _ operation: ReductionOperation<T>
  ) throws(MPIError) -> [T] {
    try makeArray(values.count / size) { (receive) throws(MPIError) in
      try values.withUnsafeBufferPointer { (send) throws(MPIError) in
        try reduceScatter(send, into: receive, operation)
      }
    }
  }

  /// This rank's `counts[rank]` elements of the element-wise reduction of all ranks' arrays.
  public func reduceScatter<T: MPIElement>(
    _ values: [T], counts: [Int], _ operation: ReductionOperation<T>
  ) throws(MPIError) -> [T] {
    try require("the counts", counts, fill: values.count, "MPI_Reduce_scatter")
    return try makeArray(counts[rank]) { (receive) throws(MPIError) in
      try values.withUnsafeBufferPointer { (send) throws(MPIError) in
        try reduceScatter(send, counts: counts, into: receive, operation)
      }
    }
  }

  /// The way for buffers too large to count: each block is reduced to its owner in turn. Slower, since the
  /// blocks do not travel at the same time.
  private func reduceEachBlock<T: MPIElement>(
    _ send: UnsafeBufferPointer<T>, _ counts: [Int], _ receive: UnsafeMutableBufferPointer<T>,
    _ operation: ReductionOperation<T>
  ) throws(MPIError) {
    var offset = 0
    for (owner, count) in counts.enumerated() {
      try reduceRaw(
        send.baseAddress! + offset, receive.baseAddress, count, ElementKind(T.self), operation.handle, owner)
      offset += count
    }
  }
}
