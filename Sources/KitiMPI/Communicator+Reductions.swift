import CMPI

extension Communicator {
  /// Reduces element by element over all ranks; every rank gets the result, in the same memory.
  ///
  /// - Parameter buffer: as many elements on every rank. Does not allocate.
  @inlinable
  public func allreduce<T: MPIElement>(
    inPlace buffer: UnsafeMutableBufferPointer<T>, _ operation: ReductionOperation<T>
  ) throws(MPIError) {
    try allreduceRaw(nil, buffer.baseAddress, buffer.count, ElementKind(T.self), operation.handle)
  }

  /// Reduces `send` element by element over all ranks into `receive` on every rank.
  ///
  /// - Parameter receive: as many elements as `send`, elsewhere in memory.
  @inlinable
  public func allreduce<T: MPIElement>(
    _ send: UnsafeBufferPointer<T>, into receive: UnsafeMutableBufferPointer<T>,
    _ operation: ReductionOperation<T>
  ) throws(MPIError) {
    try require("the receive buffer", holds: receive.count, elements: send.count, "MPI_Allreduce")
    try allreduceRaw(
      send.baseAddress, receive.baseAddress, send.count, ElementKind(T.self), operation.handle)
  }

  /// The element-wise reduction of all ranks' arrays, which have the same count.
  public func allreduce<T: MPIElement>(
    _ values: [T], _ operation: ReductionOperation<T>
  ) throws(MPIError) -> [T] {
    var result = values
    try result.withUnsafeMutableBufferPointer { (buffer) throws(MPIError) in
      try allreduce(inPlace: buffer, operation)
    }
    return result
  }

  /// The reduction of one value from each rank.
  public func allreduce<T: MPIElement>(
    _ value: T, _ operation: ReductionOperation<T>
  ) throws(MPIError) -> T {
    var result = value
    try withUnsafeMutablePointer(to: &result) { (pointer) throws(MPIError) in
      try allreduce(inPlace: UnsafeMutableBufferPointer(start: pointer, count: 1), operation)
    }
    return result
  }

  /// Reduces element by element over all ranks into the root's own buffer; the others' stay as they are.
  public func reduce<T: MPIElement>(
    inPlace buffer: UnsafeMutableBufferPointer<T>, _ operation: ReductionOperation<T>, root: Int
  ) throws(MPIError) {
    try reduceRaw(
      rank == root ? nil : UnsafeRawPointer(buffer.baseAddress), rank == root ? buffer.baseAddress : nil,
      buffer.count, ElementKind(T.self), operation.handle, root)
  }

  /// Reduces `send` element by element over all ranks into the root's `receive`.
  ///
  /// - Parameter receive: as many elements as `send` on the root; not looked at elsewhere.
  public func reduce<T: MPIElement>(
    _ send: UnsafeBufferPointer<T>, into receive: UnsafeMutableBufferPointer<T>?,
    _ operation: ReductionOperation<T>, root: Int
  ) throws(MPIError) {
    if rank == root {
      try require("the root's receive buffer", holds: receive?.count ?? 0, elements: send.count, "MPI_Reduce")
    }
    try reduceRaw(
      send.baseAddress, receive?.baseAddress, send.count, ElementKind(T.self), operation.handle, root)
  }

  /// The element-wise reduction of all ranks' arrays on the root, nil elsewhere.
  public func reduce<T: MPIElement>(
    _ values: [T], _ operation: ReductionOperation<T>, root: Int
  ) throws(MPIError) -> [T]? {
    var result = values
    try result.withUnsafeMutableBufferPointer { (buffer) throws(MPIError) in
      try reduce(inPlace: buffer, operation, root: root)
    }
    return rank == root ? result : nil
  }

  /// The reduction of one value from each rank on the root, nil elsewhere.
  public func reduce<T: MPIElement>(
    _ value: T, _ operation: ReductionOperation<T>, root: Int
  ) throws(MPIError) -> T? {
    try reduce([value], operation, root: root)?.first
  }

  /// Reduces element by element over this rank and those before it.
  public func inclusiveScan<T: MPIElement>(
    inPlace buffer: UnsafeMutableBufferPointer<T>, _ operation: ReductionOperation<T>
  ) throws(MPIError) {
    try requireUsable("MPI_Scan")
    for chunk in Chunks(of: buffer.count) {
      try MPIError.check(
        MPI_Scan(
          kiti_in_place(), buffer.baseAddress! + chunk.offset, chunk.count, T.mpiDatatype,
          operation.handle, handle),
        "MPI_Scan")
    }
  }

  /// The reduction of the values of this rank and those before it.
  public func inclusiveScan<T: MPIElement>(
    _ value: T, _ operation: ReductionOperation<T>
  ) throws(MPIError) -> T {
    var result = value
    try withUnsafeMutablePointer(to: &result) { (pointer) throws(MPIError) in
      try inclusiveScan(inPlace: UnsafeMutableBufferPointer(start: pointer, count: 1), operation)
    }
    return result
  }

  /// Reduces element by element over the ranks before this one; rank 0's buffer stays as it is.
  public func exclusiveScan<T: MPIElement>(
    inPlace buffer: UnsafeMutableBufferPointer<T>, _ operation: ReductionOperation<T>
  ) throws(MPIError) {
    try requireUsable("MPI_Exscan")
    for chunk in Chunks(of: buffer.count) {
      try MPIError.check(
        MPI_Exscan(
          kiti_in_place(), buffer.baseAddress! + chunk.offset, chunk.count, T.mpiDatatype,
          operation.handle, handle),
        "MPI_Exscan")
    }
  }

  /// The reduction of the values of the ranks before this one; nil on rank 0, which has none before it.
  public func exclusiveScan<T: MPIElement>(
    _ value: T, _ operation: ReductionOperation<T>
  ) throws(MPIError) -> T? {
    var result = value
    try withUnsafeMutablePointer(to: &result) { (pointer) throws(MPIError) in
      try exclusiveScan(inPlace: UnsafeMutableBufferPointer(start: pointer, count: 1), operation)
    }
    return rank == 0 ? nil : result
  }
}

extension Communicator {
  /// Without a `send` address the operation is in place.
  @usableFromInline
  func allreduceRaw(
    _ send: UnsafeRawPointer?, _ receive: UnsafeMutableRawPointer?, _ count: Int, _ kind: ElementKind,
    _ operation: OpaquePointer
  ) throws(MPIError) {
    try requireUsable("MPI_Allreduce")
    for chunk in Chunks(of: count) {
      let offset = chunk.offset * kind.stride
      try MPIError.check(
        MPI_Allreduce(
          send.map { $0 + offset } ?? UnsafeRawPointer(kiti_in_place()), receive! + offset, chunk.count,
          kind.datatype, operation, handle),
        "MPI_Allreduce")
    }
  }

  /// Without a `send` address the operation is in place, which only the root may ask for.
  func reduceRaw(
    _ send: UnsafeRawPointer?, _ receive: UnsafeMutableRawPointer?, _ count: Int, _ kind: ElementKind,
    _ operation: OpaquePointer, _ root: Int
  ) throws(MPIError) {
    try requireUsable("MPI_Reduce")
    try requireRoot(root, "MPI_Reduce")
    for chunk in Chunks(of: count) {
      let offset = chunk.offset * kind.stride
      try MPIError.check(
        MPI_Reduce(
          send.map { $0 + offset } ?? UnsafeRawPointer(kiti_in_place()), receive.map { $0 + offset },
          chunk.count, kind.datatype, operation, Int32(root), handle),
        "MPI_Reduce")
    }
  }
}
