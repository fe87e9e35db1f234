import CMPI
import Glibc

/// Memory that the ranks of a communicator read and write without messages, where all of them run on one host: a region
/// for each rank, filled with zeros at first.
///
/// POSIX shared memory, reserved before anyone writes to it, so that a file system too small for it is found out at
/// once and not by a signal later. Its name is gone before `init` returns: nothing of it outlives the ranks, however
/// they end. An MPI window has neither property, and to free one takes all ranks.
public final class SharedMemory: @unchecked Sendable {
  /// Bytes of each rank's region, whole pages.
  public let bytesPerRank: Int

  private let base: UnsafeMutableRawPointer
  private let communicator: Communicator

  /// Nil on all ranks if they do not see one another's shared memory, as on several hosts, or if there is too little of
  /// it. Collective.
  ///
  /// - Parameter bytesPerRank: rounded up to whole pages. Each rank reserves the pages of its own region.
  public init?(bytesPerRank: Int, communicator: Communicator) throws(MPIError) {
    let page = sysconf(Int32(_SC_PAGESIZE))
    let bytes = max(1, (bytesPerRank + page - 1) / page) * page
    self.bytesPerRank = bytes
    self.communicator = communicator
    let token = try communicator.broadcast(UInt64.random(in: 1...UInt64.max), root: 0)
    let name = "/kiti-dist-" + String(token, radix: 16)
    let total = bytes * communicator.size
    let isFirst = communicator.rank == 0
    var descriptor: Int32 = -1
    if isFirst {
      descriptor = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0o600)
      if descriptor >= 0, ftruncate(descriptor, total) != 0 {
        close(descriptor)
        descriptor = -1
      }
    }
    try communicator.barrier()
    if !isFirst { descriptor = shm_open(name, O_RDWR, 0o600) }
    let mapped = descriptor < 0 ? nil : Self.map(descriptor, bytes, at: communicator.rank * bytes, of: total)
    if descriptor >= 0 { close(descriptor) }
    let isThere = try communicator.allreduce(mapped == nil ? 0 : 1, .minimum) == 1
    if isFirst { shm_unlink(name) }
    guard isThere, let mapped else {
      if let mapped { munmap(mapped, total) }
      return nil
    }
    base = mapped
  }

  deinit { munmap(base, bytesPerRank * communicator.size) }

  /// Where a rank's region begins.
  public func region(of rank: Int) -> UnsafeMutableRawPointer { base + rank * bytesPerRank }

  /// Looks of `wait` before it gives the core away between them.
  private static let patience = 1_000

  /// Waits for what other ranks write to the memory; to a watchdog this is one operation.
  ///
  /// MPI's own messages move on meanwhile: what this rank has sent may still need it before a rank that is waited for
  /// can go on.
  ///
  /// - Parameter isDone: looks at the memory, without calling MPI; called until true.
  public func wait(_ operation: StaticString, until isDone: () throws(MPIError) -> Bool) throws(MPIError) {
    if try isDone() { return }
    Activity.begin(.communication, operation)
    defer { Activity.end() }
    var turns = 0
    while try !isDone() {
      turns += 1
      if turns < Self.patience { continue }
      sched_yield()
      if turns % Self.patience == 0 { try communicator.moveMessages(operation) }
    }
  }

  /// Reserves this rank's region, and maps all of them.
  private static func map(
    _ descriptor: Int32, _ bytes: Int, at offset: Int, of total: Int
  ) -> UnsafeMutableRawPointer? {
    guard posix_fallocate(descriptor, offset, bytes) == 0,
      let mapped = mmap(nil, total, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), mapped != MAP_FAILED
    else { return nil }
    return mapped
  }
}

extension Communicator {
  /// Lets the library work on messages that are under way: it does so in its calls only. Leaves no trace as an activity.
  fileprivate func moveMessages(_ operation: StaticString) throws(MPIError) {
    var found: Int32 = 0
    let code = MPI_Iprobe(Int32(MPI_ANY_SOURCE), Int32(MPI_ANY_TAG), handle, &found, nil)
    guard code == MPI_SUCCESS else { throw MPIError(code: code, operation: operation) }
  }
}
