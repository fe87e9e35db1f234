import CMPI

/// One non-blocking operation in flight, which owns its memory and gives the result back after the wait.
///
/// The values given to a `start` function are copied, so the caller is free to go on with its own; for large
/// or frequent transfers use a `RequestSet` on the caller's memory instead. All ranks must start the same
/// operations on a communicator in the same order.
///
/// A request that is dropped without `wait()` waits for its operation, since MPI would go on writing to its
/// memory. That can take for ever if another rank does not join; so call `wait()`.
public struct Request<Output>: ~Copyable {
  private let flight: Flight
  private let take: (UnsafeMutableRawPointer) -> Output

  /// - Parameters:
  ///   - byteCount: the memory the operation needs.
  ///   - calls: the most MPI calls it is made of.
  ///   - start: fills the memory and starts the operation.
  ///   - take: makes the result of the memory.
  init(
    byteCount: Int, calls: Int,
    start: (RequestSet, UnsafeMutableRawPointer) throws(MPIError) -> Void,
    take: @escaping (UnsafeMutableRawPointer) -> Output
  ) throws(MPIError) {
    flight = Flight(byteCount: byteCount, calls: calls)
    self.take = take
    try start(flight.requests, flight.memory)
  }

  /// Moves the operation on and tells whether it is complete, so that `wait()` would return at once.
  public func test() throws(MPIError) -> Bool { try flight.requests.poll() }

  /// Returns the result once the operation is complete.
  public consuming func wait() throws(MPIError) -> Output {
    try flight.requests.waitAll()
    return take(flight.memory)
  }
}

/// The memory of a request. It outlives the operation, whatever happens to the request.
private final class Flight {
  let requests: RequestSet
  let memory: UnsafeMutableRawPointer

  init(byteCount: Int, calls: Int) {
    requests = RequestSet(capacity: calls)
    memory = .allocate(byteCount: Swift.max(byteCount, 1), alignment: 64)
  }

  deinit {
    // After a failure nobody knows whether MPI still writes: losing the memory is the safe way.
    if requests.settle() { memory.deallocate() }
  }
}

extension Communicator {
  /// Starts the element-wise reduction of all ranks' arrays, which have the same count.
  public func startAllreduce<T: MPIElement>(
    _ values: [T], _ operation: ReductionOperation<T>
  ) throws(MPIError) -> Request<[T]> {
    try startRequest(values) {
      (requests, buffer) throws(MPIError) in
      try requests.startAllreduce(inPlace: buffer, operation, on: self)
    }
  }

  /// Starts copying the root's array to every rank; all ranks pass arrays of the same count.
  public func startBroadcast<T: MPIElement>(_ values: [T], root: Int) throws(MPIError) -> Request<[T]> {
    try startRequest(values) {
      (requests, buffer) throws(MPIError) in
      try requests.startBroadcast(buffer, root: root, on: self)
    }
  }

  /// Starts the reduction of all ranks' arrays; the result is this rank's block of it.
  ///
  /// - Parameter values: `size` blocks in the order of ranks, as many elements on every rank.
  public func startReduceScatter<T: MPIElement>(
    _ values: [T], _ operation: ReductionOperation<T>
  ) throws(MPIError) -> Request<[T]> {
    let block = values.count / size
    let stride = MemoryLayout<T>.stride
    // The received block lies before the sent ones, where the result is taken from.
    return try Request(
      byteCount: (block + values.count) * stride, calls: Swift.max(1, Chunks.count(of: block) * size),
      start: { (requests, memory) throws(MPIError) in
        let storage = memory.bindMemory(to: T.self, capacity: block + values.count)
        let send = UnsafeMutableBufferPointer(start: storage + block, count: values.count)
        _ = send.initialize(fromContentsOf: values)
        let receive = UnsafeMutableBufferPointer(start: storage, count: block)
        try requests.startReduceScatter(UnsafeBufferPointer(send), into: receive, operation, on: self)
      },
      take: { Self.array($0, block) })
  }

  /// Starts collecting all ranks' arrays, which have the same count, one after another.
  public func startAllgather<T: MPIElement>(_ values: [T]) throws(MPIError) -> Request<[T]> {
    let total = values.count * size
    return try Request(
      byteCount: total * MemoryLayout<T>.stride,
      calls: Swift.max(1, Chunks.count(of: values.count) * size),
      start: { (requests, memory) throws(MPIError) in
        let buffer = UnsafeMutableBufferPointer(
          start: memory.bindMemory(to: T.self, capacity: total), count: total)
        let own = buffer[(rank * values.count)..<((rank + 1) * values.count)]
        _ = UnsafeMutableBufferPointer(rebasing: own).initialize(fromContentsOf: values)
        try requests.startAllgather(inPlace: buffer, on: self)
      },
      take: { Self.array($0, total) })
  }

  /// Starts a barrier; its wait returns when every rank has started it.
  public func startBarrier() throws(MPIError) -> Request<Void> {
    try Request(
      byteCount: 0, calls: 1,
      start: { (requests, _) throws(MPIError) in try requests.startBarrier(on: self) },
      take: { _ in })
  }

  /// A request whose memory begins as `values` and becomes the result.
  private func startRequest<T: MPIElement>(
    _ values: [T], _ start: (RequestSet, UnsafeMutableBufferPointer<T>) throws(MPIError) -> Void
  ) throws(MPIError) -> Request<[T]> {
    let count = values.count
    return try Request(
      byteCount: count * MemoryLayout<T>.stride, calls: Chunks.count(of: count),
      start: { (requests, memory) throws(MPIError) in
        let buffer = UnsafeMutableBufferPointer(
          start: memory.bindMemory(to: T.self, capacity: count), count: count)
        _ = buffer.initialize(fromContentsOf: values)
        try start(requests, buffer)
      },
      take: { Self.array($0, count) })
  }

  private static func array<T: MPIElement>(_ memory: UnsafeMutableRawPointer, _ count: Int) -> [T] {
    Array(UnsafeBufferPointer(start: memory.assumingMemoryBound(to: T.self), count: count))
  }
}
