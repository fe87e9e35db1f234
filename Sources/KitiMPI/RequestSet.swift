import CMPI

/// A fixed number of non-blocking operations in flight, on memory that belongs to the caller.
///
/// Starting, polling and waiting do not allocate. The memory given to a `start` function must stay where it
/// is, and must not be read or written, until `poll()` has returned true or `waitAll()` has returned. All
/// ranks must start the same collective operations on a communicator in the same order.
///
/// Open MPI without a progress thread moves data only inside MPI calls: call `poll()` now and then.
///
/// One thread at a time may use a set. A set that is dropped with operations in flight waits for them, so that
/// MPI does not write to memory that someone else may own by then.
public final class RequestSet {
  /// The most operations in flight at a time. One that counts more elements than one MPI call can takes
  /// several places.
  public let capacity: Int
  /// The number of operations that are not known to be complete.
  public private(set) var pending = 0

  // The pending requests come first, in any order.
  private let requests: UnsafeMutablePointer<MPI_Request?>
  private let statuses: UnsafeMutablePointer<MPI_Status>
  private let indices: UnsafeMutablePointer<Int32>

  public init(capacity: Int) {
    precondition(capacity >= 0 && capacity <= Int32.max, "a request set of \(capacity) places")
    self.capacity = capacity
    requests = .allocate(capacity: capacity)
    requests.initialize(repeating: kiti_request_null(), count: capacity)
    statuses = .allocate(capacity: capacity)
    statuses.initialize(repeating: MPI_Status(), count: capacity)
    indices = .allocate(capacity: capacity)
    indices.initialize(repeating: 0, count: capacity)
  }

  deinit {
    settle()
    requests.deallocate()
    statuses.deallocate()
    indices.deallocate()
  }

  /// Moves the operations on and tells whether all are complete, after which the set can be used again.
  ///
  /// - Throws: `MPIError` if an operation has failed; the others stay in flight.
  public func poll() throws(MPIError) -> Bool {
    guard pending > 0 else { return true }
    try requireRunning("MPI_Testsome")
    var completed: Int32 = 0
    let code = MPI_Testsome(Int32(pending), requests, &completed, indices, statuses)
    if code != MPI_SUCCESS { try fail(code, "MPI_Testsome", statusCount: max(0, Int(completed))) }
    if completed > 0 { removeCompleted() }
    return pending == 0
  }

  /// Returns when all operations are complete, after which the set can be used again.
  ///
  /// - Throws: `MPIError` if an operation has failed; those that are not complete stay in flight.
  public func waitAll() throws(MPIError) {
    guard pending > 0 else { return }
    try requireRunning("MPI_Waitall")
    Activity.begin(.communication, "MPI_Waitall")
    defer { Activity.end() }
    let code = MPI_Waitall(Int32(pending), requests, statuses)
    if code != MPI_SUCCESS { try fail(code, "MPI_Waitall", statusCount: pending) }
    pending = 0
  }

  /// Checks that an operation of so many MPI calls has room.
  func requireRoom(for calls: Int, _ operation: StaticString) throws(MPIError) {
    guard calls <= capacity - pending else {
      throw MPIError(
        invalid: .request, in: operation,
        "the request set has \(capacity) places of which \(pending) are taken, and \(calls) more are needed: "
          + "wait for the pending operations or make the set larger")
    }
  }

  /// Adds the request that one MPI call makes. Room must have been checked.
  func add(
    _ operation: StaticString, _ call: (UnsafeMutablePointer<MPI_Request?>) -> Int32
  ) throws(MPIError) {
    try MPIError.check(call(requests + pending), operation)
    pending += 1
  }

  /// Waits for whatever is in flight without reporting failures; true if MPI has no memory in use any longer.
  @discardableResult
  func settle() -> Bool {
    guard pending > 0 else { return true }
    guard MPI.isRunning, MPI_Waitall(Int32(pending), requests, statuses) == MPI_SUCCESS else { return false }
    pending = 0
    return true
  }

  private func requireRunning(_ operation: StaticString) throws(MPIError) {
    guard MPI.isRunning else {
      throw MPIError(
        invalid: .other, in: operation, "MPI was finished while \(pending) operations were in flight")
    }
  }

  private func removeCompleted() {
    var kept = 0
    for index in 0..<pending where requests[index] != kiti_request_null() {
      requests[kept] = requests[index]
      kept += 1
    }
    pending = kept
  }

  /// Throws the error of the operation that failed: with several at once the library says only that one did.
  private func fail(_ code: Int32, _ operation: StaticString, statusCount: Int) throws(MPIError) -> Never {
    removeCompleted()
    var code = code
    if code == MPI_ERR_IN_STATUS {
      for index in 0..<statusCount
      where statuses[index].MPI_ERROR != MPI_SUCCESS && statuses[index].MPI_ERROR != MPI_ERR_PENDING {
        code = statuses[index].MPI_ERROR
        break
      }
    }
    throw MPIError(code: code, operation: operation)
  }
}
