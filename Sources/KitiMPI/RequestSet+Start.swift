import CMPI

extension RequestSet {
  /// Starts reducing a buffer element by element over all ranks, in place.
  ///
  /// - Parameter buffer: as many elements on every rank; it holds the result after the wait.
  /// - Throws: `MPIError` if the set has no room (class `.request`) or the library refuses.
  @inlinable
  public func startAllreduce<T: MPIElement>(
    inPlace buffer: UnsafeMutableBufferPointer<T>, _ operation: ReductionOperation<T>,
    on communicator: Communicator
  ) throws(MPIError) {
    try startAllreduceRaw(
      buffer.baseAddress, buffer.count, ElementKind(T.self), operation.handle, communicator)
  }

  /// Starts copying the root's buffer to every rank.
  ///
  /// - Parameter buffer: as many elements on every rank.
  @inlinable
  public func startBroadcast<T: MPIElement>(
    _ buffer: UnsafeMutableBufferPointer<T>, root: Int, on communicator: Communicator
  ) throws(MPIError) {
    try startBroadcastRaw(buffer.baseAddress, buffer.count, ElementKind(T.self), root, communicator)
  }

  /// Starts reducing element by element over all ranks and giving block i of the result to rank i.
  ///
  /// - Parameters:
  ///   - send: `size` blocks, in the order of ranks.
  ///   - receive: one block, as many elements on every rank; elsewhere in memory.
  @inlinable
  public func startReduceScatter<T: MPIElement>(
    _ send: UnsafeBufferPointer<T>, into receive: UnsafeMutableBufferPointer<T>,
    _ operation: ReductionOperation<T>, on communicator: Communicator
  ) throws(MPIError) {
    try startReduceScatterRaw(
      send.baseAddress, send.count, receive.baseAddress, receive.count, ElementKind(T.self),
      operation.handle, communicator)
  }

  /// Starts completing on every rank a buffer of `size` blocks of which each rank has filled its own,
  /// block `rank`.
  ///
  /// - Parameter buffer: as many elements on every rank, a multiple of `size`.
  @inlinable
  public func startAllgather<T: MPIElement>(
    inPlace buffer: UnsafeMutableBufferPointer<T>, on communicator: Communicator
  ) throws(MPIError) {
    try startAllgatherRaw(buffer.baseAddress, buffer.count, ElementKind(T.self), communicator)
  }

  /// Starts sending a buffer to a rank.
  @inlinable
  public func startSend<T: MPIElement>(
    _ buffer: UnsafeBufferPointer<T>, to destination: Int, tag: Int, on communicator: Communicator
  ) throws(MPIError) {
    try startSendRaw(buffer.baseAddress, buffer.count, ElementKind(T.self), destination, tag, communicator)
  }

  /// Starts receiving a message into a buffer.
  ///
  /// - Parameter buffer: a short message fills only the beginning; a longer one is an error of the class `.truncate`.
  @inlinable
  public func startReceive<T: MPIElement>(
    into buffer: UnsafeMutableBufferPointer<T>, from source: Int, tag: Int, on communicator: Communicator
  ) throws(MPIError) {
    try startReceiveRaw(buffer.baseAddress, buffer.count, ElementKind(T.self), source, tag, communicator)
  }

  /// Starts a barrier: it is complete when every rank has started it.
  public func startBarrier(on communicator: Communicator) throws(MPIError) {
    try communicator.requireUsable("MPI_Ibarrier")
    try requireRoom(for: 1, "MPI_Ibarrier")
    try add("MPI_Ibarrier") { MPI_Ibarrier(communicator.handle, $0) }
  }
}

extension RequestSet {
  @usableFromInline
  func startSendRaw(
    _ address: UnsafeRawPointer?, _ count: Int, _ kind: ElementKind, _ destination: Int, _ tag: Int,
    _ communicator: Communicator
  ) throws(MPIError) {
    try communicator.requireUsable("MPI_Isend")
    let destination = try communicator.rawPartner(destination, "destination", "MPI_Isend")
    let tag = try communicator.rawTag(tag, "MPI_Isend")
    try requireRoom(for: 1, "MPI_Isend")
    // MPI frees a datatype once the operations that use it are complete.
    let block = try Block(count, of: kind, wholeOperation: count)
    try add("MPI_Isend") {
      MPI_Isend(placeholder(address), block.count, block.datatype, destination, tag, communicator.handle, $0)
    }
  }

  @usableFromInline
  func startReceiveRaw(
    _ address: UnsafeMutableRawPointer?, _ count: Int, _ kind: ElementKind, _ source: Int, _ tag: Int,
    _ communicator: Communicator
  ) throws(MPIError) {
    try communicator.requireUsable("MPI_Irecv")
    let source = try communicator.rawPartner(source, "source", "MPI_Irecv")
    let tag = try communicator.rawTag(tag, "MPI_Irecv")
    try requireRoom(for: 1, "MPI_Irecv")
    let block = try Block(count, of: kind, wholeOperation: count)
    try add("MPI_Irecv") {
      MPI_Irecv(placeholder(address), block.count, block.datatype, source, tag, communicator.handle, $0)
    }
  }

  @usableFromInline
  func startAllreduceRaw(
    _ address: UnsafeMutableRawPointer?, _ count: Int, _ kind: ElementKind, _ operation: OpaquePointer,
    _ communicator: Communicator
  ) throws(MPIError) {
    try communicator.requireUsable("MPI_Iallreduce")
    try requireRoom(for: Chunks.count(of: count), "MPI_Iallreduce")
    for chunk in Chunks(of: count) {
      try add("MPI_Iallreduce") {
        MPI_Iallreduce(
          kiti_in_place(), address! + chunk.offset * kind.stride, chunk.count, kind.datatype, operation,
          communicator.handle, $0)
      }
    }
  }

  @usableFromInline
  func startBroadcastRaw(
    _ address: UnsafeMutableRawPointer?, _ count: Int, _ kind: ElementKind, _ root: Int,
    _ communicator: Communicator
  ) throws(MPIError) {
    try communicator.requireUsable("MPI_Ibcast")
    try communicator.requireRoot(root, "MPI_Ibcast")
    try requireRoom(for: Chunks.count(of: count), "MPI_Ibcast")
    for chunk in Chunks(of: count) {
      try add("MPI_Ibcast") {
        MPI_Ibcast(
          address! + chunk.offset * kind.stride, chunk.count, kind.datatype, Int32(root),
          communicator.handle, $0)
      }
    }
  }

  @usableFromInline
  func startReduceScatterRaw(
    _ send: UnsafeRawPointer?, _ sendCount: Int, _ receive: UnsafeMutableRawPointer?, _ receiveCount: Int,
    _ kind: ElementKind, _ operation: OpaquePointer, _ communicator: Communicator
  ) throws(MPIError) {
    let size = communicator.size
    try communicator.requireUsable("MPI_Ireduce_scatter_block")
    try communicator.require(
      "the send buffer", holds: sendCount, elements: receiveCount * size, "MPI_Ireduce_scatter_block")
    guard sendCount > 0 else { return }
    if sendCount <= LargeCount.limit {
      try requireRoom(for: 1, "MPI_Ireduce_scatter_block")
      return try add("MPI_Ireduce_scatter_block") {
        MPI_Ireduce_scatter_block(
          send, receive, Int32(receiveCount), kind.datatype, operation, communicator.handle, $0)
      }
    }
    // Too large to count: each block is reduced to its owner, all in flight together.
    try requireRoom(for: Chunks.count(of: receiveCount) * size, "MPI_Ireduce")
    for owner in 0..<size {
      for chunk in Chunks(of: receiveCount) {
        try add("MPI_Ireduce") {
          MPI_Ireduce(
            send! + (owner * receiveCount + chunk.offset) * kind.stride,
            receive! + chunk.offset * kind.stride, chunk.count, kind.datatype, operation, Int32(owner),
            communicator.handle, $0)
        }
      }
    }
  }

  @usableFromInline
  func startAllgatherRaw(
    _ address: UnsafeMutableRawPointer?, _ count: Int, _ kind: ElementKind, _ communicator: Communicator
  ) throws(MPIError) {
    let block = count / communicator.size
    try communicator.requireUsable("MPI_Iallgather")
    try communicator.require(
      "the buffer", holds: count, elements: block * communicator.size, "MPI_Iallgather")
    guard count > 0 else { return }
    if count <= LargeCount.limit {
      try requireRoom(for: 1, "MPI_Iallgather")
      return try add("MPI_Iallgather") {
        MPI_Iallgather(
          kiti_in_place(), 0, kind.datatype, address, Int32(block), kind.datatype, communicator.handle, $0)
      }
    }
    // Too large to count: each rank broadcasts its block, all in flight together.
    try requireRoom(for: Chunks.count(of: block) * communicator.size, "MPI_Ibcast")
    for owner in 0..<communicator.size {
      try startBroadcastRaw(
        address! + owner * block * kind.stride, block, kind, owner, communicator)
    }
  }
}
