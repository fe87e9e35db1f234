import CMPI

// Blocks of one size, that of `send` or `receive`, the same on every rank.
extension Communicator {
  /// Collects one block from every rank on the root, in the order of ranks.
  ///
  /// - Parameters:
  ///   - send: this rank's block, as many elements on every rank.
  ///   - receive: `size` blocks on the root; not looked at elsewhere.
  public func gather<T: MPIElement>(
    _ send: UnsafeBufferPointer<T>, into receive: UnsafeMutableBufferPointer<T>?, root: Int
  ) throws(MPIError) {
    try requireUsable("MPI_Gather")
    try requireRoot(root, "MPI_Gather")
    if rank == root {
      try require(
        "the root's receive buffer", holds: receive?.count ?? 0, elements: send.count * size, "MPI_Gather")
    }
    guard send.count > 0 else { return }
    let block = try Block(send.count, of: ElementKind(T.self), wholeOperation: send.count * size)
    try MPIError.check(
      MPI_Gather(
        send.baseAddress, block.count, block.datatype, receive?.baseAddress, block.count, block.datatype,
        Int32(root), handle),
      "MPI_Gather")
  }

  /// All ranks' arrays, which have the same count, one after another on the root; nil elsewhere.
  public func gather<T: MPIElement>(_ values: [T], root: Int) throws(MPIError) -> [T]? {
    guard rank == root else {
      try values.withUnsafeBufferPointer { (send) throws(MPIError) in
        try gather(send, into: nil, root: root)
      }
      return nil
    }
    return try makeArray(values.count * size) { (receive) throws(MPIError) in
      try values.withUnsafeBufferPointer { (send) throws(MPIError) in
        try gather(send, into: receive, root: root)
      }
    }
  }

  /// One value from every rank, in the order of ranks, on the root; nil elsewhere.
  public func gather<T: MPIElement>(_ value: T, root: Int) throws(MPIError) -> [T]? {
    try gather([value], root: root)
  }

  /// Collects one block from every rank on every rank, in the order of ranks.
  ///
  /// - Parameters:
  ///   - send: this rank's block, as many elements on every rank.
  ///   - receive: `size` blocks; elsewhere in memory.
  public func allgather<T: MPIElement>(
    _ send: UnsafeBufferPointer<T>, into receive: UnsafeMutableBufferPointer<T>
  ) throws(MPIError) {
    try requireUsable("MPI_Allgather")
    try require(
      "the receive buffer", holds: receive.count, elements: send.count * size, "MPI_Allgather")
    guard send.count > 0 else { return }
    let block = try Block(send.count, of: ElementKind(T.self), wholeOperation: receive.count)
    try MPIError.check(
      MPI_Allgather(
        send.baseAddress, block.count, block.datatype, receive.baseAddress, block.count, block.datatype,
        handle),
      "MPI_Allgather")
  }

  /// Completes on every rank a buffer of `size` blocks of which each rank has filled its own, block `rank`.
  public func allgather<T: MPIElement>(
    inPlace buffer: UnsafeMutableBufferPointer<T>
  ) throws(MPIError) {
    try requireUsable("MPI_Allgather")
    try requireWholeBlocks("the buffer", buffer.count, "MPI_Allgather")
    guard buffer.count > 0 else { return }
    let block = try Block(buffer.count / size, of: ElementKind(T.self), wholeOperation: buffer.count)
    try MPIError.check(
      MPI_Allgather(
        kiti_in_place(), 0, block.datatype, buffer.baseAddress, block.count, block.datatype, handle),
      "MPI_Allgather")
  }

  /// All ranks' arrays, which have the same count, one after another.
  public func allgather<T: MPIElement>(_ values: [T]) throws(MPIError) -> [T] {
    try makeArray(values.count * size) { (receive) throws(MPIError) in
      try values.withUnsafeBufferPointer { (send) throws(MPIError) in
        try allgather(send, into: receive)
      }
    }
  }

  /// One value from every rank, in the order of ranks.
  public func allgather<T: MPIElement>(_ value: T) throws(MPIError) -> [T] {
    try allgather([value])
  }

  /// Gives block i of the root's buffer to rank i.
  ///
  /// - Parameters:
  ///   - send: `size` blocks on the root; not looked at elsewhere.
  ///   - receive: one block, as many elements on every rank.
  public func scatter<T: MPIElement>(
    _ send: UnsafeBufferPointer<T>?, into receive: UnsafeMutableBufferPointer<T>, root: Int
  ) throws(MPIError) {
    try requireUsable("MPI_Scatter")
    try requireRoot(root, "MPI_Scatter")
    if rank == root {
      try require(
        "the root's send buffer", holds: send?.count ?? 0, elements: receive.count * size, "MPI_Scatter")
    }
    guard receive.count > 0 else { return }
    let block = try Block(receive.count, of: ElementKind(T.self), wholeOperation: receive.count * size)
    try MPIError.check(
      MPI_Scatter(
        send?.baseAddress, block.count, block.datatype, receive.baseAddress, block.count, block.datatype,
        Int32(root), handle),
      "MPI_Scatter")
  }

  /// This rank's part of the root's array, which is cut into `size` equal parts; what the others pass does
  /// not matter.
  public func scatter<T: MPIElement>(_ values: [T], root: Int) throws(MPIError) -> [T] {
    // The root's count travels before it is checked, so that a wrong one is an error on every rank.
    let total = try broadcast(values.count, root: root)
    try requireWholeBlocks("the root's array", total, "MPI_Scatter")
    return try makeArray(total / size) { (receive) throws(MPIError) in
      try values.withUnsafeBufferPointer { (send) throws(MPIError) in
        try scatter(rank == root ? send : nil, into: receive, root: root)
      }
    }
  }

  /// Sends block i of `send` to rank i, whose blocks arrive in `receive` in the order of ranks.
  ///
  /// - Parameters:
  ///   - send: `size` blocks, as many elements on every rank.
  ///   - receive: as many elements; elsewhere in memory.
  public func allToAll<T: MPIElement>(
    _ send: UnsafeBufferPointer<T>, into receive: UnsafeMutableBufferPointer<T>
  ) throws(MPIError) {
    try requireUsable("MPI_Alltoall")
    try requireWholeBlocks("the send buffer", send.count, "MPI_Alltoall")
    try require("the receive buffer", holds: receive.count, elements: send.count, "MPI_Alltoall")
    guard send.count > 0 else { return }
    let block = try Block(send.count / size, of: ElementKind(T.self), wholeOperation: send.count)
    try MPIError.check(
      MPI_Alltoall(
        send.baseAddress, block.count, block.datatype, receive.baseAddress, block.count, block.datatype,
        handle),
      "MPI_Alltoall")
  }

  /// Part `rank` of every rank's array, in the order of ranks; all arrays are cut into `size` equal parts.
  public func allToAll<T: MPIElement>(_ values: [T]) throws(MPIError) -> [T] {
    try makeArray(values.count) { (receive) throws(MPIError) in
      try values.withUnsafeBufferPointer { (send) throws(MPIError) in
        try allToAll(send, into: receive)
      }
    }
  }

  private func requireWholeBlocks(
    _ what: StaticString, _ count: Int, _ operation: StaticString
  ) throws(MPIError) {
    guard count.isMultiple(of: size) else {
      throw MPIError(
        invalid: .count, in: operation,
        "\(what) holds \(count) elements, which is not one equal block for each of \(size) ranks")
    }
  }
}
