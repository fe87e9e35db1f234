import CMPI

extension Communicator {
  /// Returns once every rank has come here.
  public func barrier() throws(MPIError) {
    try requireUsable("MPI_Barrier")
    try MPIError.check(MPI_Barrier(handle), "MPI_Barrier")
  }

  /// Copies the root's buffer to every rank.
  ///
  /// - Parameter buffer: as many elements on every rank. Does not allocate.
  @inlinable
  public func broadcast<T: MPIElement>(
    _ buffer: UnsafeMutableBufferPointer<T>, root: Int
  ) throws(MPIError) {
    try broadcastRaw(buffer.baseAddress, buffer.count, ElementKind(T.self), root)
  }

  /// The root's array, on every rank; what the others pass does not matter, not even its count.
  public func broadcast<T: MPIElement>(_ values: [T], root: Int) throws(MPIError) -> [T] {
    let count = try broadcast(values.count, root: root)
    return try makeArray(count) { (buffer) throws(MPIError) in
      if rank == root { _ = buffer.update(fromContentsOf: values) }
      try broadcast(buffer, root: root)
    }
  }

  /// The root's value, on every rank.
  public func broadcast<T: MPIElement>(_ value: T, root: Int) throws(MPIError) -> T {
    var result = value
    try withUnsafeMutablePointer(to: &result) { (pointer) throws(MPIError) in
      try broadcast(UnsafeMutableBufferPointer(start: pointer, count: 1), root: root)
    }
    return result
  }

  /// The root's text, on every rank.
  public func broadcast(_ text: String, root: Int) throws(MPIError) -> String {
    String(decoding: try broadcast(Array(text.utf8), root: root), as: UTF8.self)
  }

  @usableFromInline
  func broadcastRaw(
    _ address: UnsafeMutableRawPointer?, _ count: Int, _ kind: ElementKind, _ root: Int
  ) throws(MPIError) {
    try requireUsable("MPI_Bcast")
    try requireRoot(root, "MPI_Bcast")
    for chunk in Chunks(of: count) {
      try MPIError.check(
        MPI_Bcast(
          address! + chunk.offset * kind.stride, chunk.count, kind.datatype, Int32(root), handle),
        "MPI_Bcast")
    }
  }
}
