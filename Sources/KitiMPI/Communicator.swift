import CMPI
import Synchronization

/// A group of ranks that talk to each other, and the place where every operation starts.
///
/// Every operation that is not point to point is collective: all ranks of the communicator must call it,
/// in the same order. Counts are 64 bits wide; messages beyond what MPI 3.1's `int` can count go out in
/// pieces or as derived datatypes. Buffers may be empty. Blocking operations return when the buffers may be
/// used again.
///
/// A communicator may be shared between threads as far as the thread level MPI was started with allows.
/// It is never freed on its own, since freeing is collective: see `free()`.
public final class Communicator: @unchecked Sendable {
  /// The raw `MPI_Comm`, for other libraries such as parallel HDF5.
  public let handle: OpaquePointer
  /// This process's number in the communicator, from 0.
  public let rank: Int
  /// How many ranks there are.
  public let size: Int

  private let isPredefined: Bool
  private let isFreed = Atomic<Bool>(false)

  private init(handle: OpaquePointer, isPredefined: Bool = false) throws(MPIError) {
    var rank: Int32 = 0
    var size: Int32 = 0
    try MPIError.check(MPI_Comm_rank(handle, &rank), "MPI_Comm_rank")
    try MPIError.check(MPI_Comm_size(handle, &size), "MPI_Comm_size")
    try MPIError.check(
      MPI_Comm_set_errhandler(handle, kiti_errors_return()), "MPI_Comm_set_errhandler")
    self.handle = handle
    self.rank = Int(rank)
    self.size = Int(size)
    self.isPredefined = isPredefined
  }

  /// All ranks of the program. Traps unless MPI is running.
  public static var world: Communicator {
    MPI.requireRunning("Communicator.world")
    return worldInstance
  }

  /// This rank alone. Traps unless MPI is running.
  public static var single: Communicator {
    MPI.requireRunning("Communicator.single")
    return singleInstance
  }

  private static let worldInstance = predefined(kiti_comm_world())
  private static let singleInstance = predefined(kiti_comm_self())

  private static func predefined(_ handle: OpaquePointer) -> Communicator {
    do throws(MPIError) {
      return try Communicator(handle: handle, isPredefined: true)
    } catch {
      fatalError("\(error)")
    }
  }

  /// Divides the communicator into one for each colour. Collective.
  ///
  /// - Parameters:
  ///   - color: ranks with the same colour (0 or more) come together; nil joins none.
  ///   - key: ranks are numbered by key, and by their rank here where keys are equal.
  /// - Returns: the communicator of this rank's colour, nil for a nil colour.
  public func split(color: Int?, key: Int = 0) throws(MPIError) -> Communicator? {
    try requireUsable("MPI_Comm_split")
    guard color.map({ $0 >= 0 && $0 <= Int32.max }) ?? true, let rawKey = Int32(exactly: key) else {
      throw MPIError(
        invalid: .argument, in: "MPI_Comm_split",
        "colour \(color ?? 0) with key \(key): a colour is nil or 0 … \(Int32.max), a key has 32 bits")
    }
    let rawColor = color.map(Int32.init) ?? MPI_UNDEFINED
    var made: OpaquePointer?
    try MPIError.check(MPI_Comm_split(handle, rawColor, rawKey, &made), "MPI_Comm_split")
    return try Self.adopt(made)
  }

  /// The ranks that share memory with this one, which is the ranks on the same host. Collective.
  public func splitSharedMemory() throws(MPIError) -> Communicator {
    try requireUsable("MPI_Comm_split_type")
    var made: OpaquePointer?
    try MPIError.check(
      MPI_Comm_split_type(handle, Int32(MPI_COMM_TYPE_SHARED), 0, kiti_info_null(), &made),
      "MPI_Comm_split_type")
    return try Self.required(made, "MPI_Comm_split_type")
  }

  /// The first of the ranks that run on this rank's host, and whether all ranks run there. Collective.
  public func host() throws(MPIError) -> (firstRank: Int, isOnlyOne: Bool) {
    let neighbours = try splitSharedMemory()
    let first = try neighbours.broadcast(rank, root: 0)
    try neighbours.free()
    return (first, try allreduce(first, .maximum) == 0)
  }

  /// The same ranks with messages of their own, which never meet those of the original. Collective.
  public func duplicate() throws(MPIError) -> Communicator {
    try requireUsable("MPI_Comm_dup")
    var made: OpaquePointer?
    try MPIError.check(MPI_Comm_dup(handle, &made), "MPI_Comm_dup")
    return try Self.required(made, "MPI_Comm_dup")
  }

  /// Gives the communicator back to MPI; every later use of it throws. Collective.
  ///
  /// - Throws: `MPIError` for `world` and `single`, which live as long as MPI, and on a second call.
  public func free() throws(MPIError) {
    try requireUsable("MPI_Comm_free")
    guard !isPredefined else {
      throw MPIError(
        invalid: .communicator, in: "MPI_Comm_free", "the world and single communicators cannot be freed")
    }
    isFreed.store(true, ordering: .releasing)
    var raw: OpaquePointer? = handle
    try MPIError.check(MPI_Comm_free(&raw), "MPI_Comm_free")
  }

  private static func adopt(_ handle: OpaquePointer?) throws(MPIError) -> Communicator? {
    guard let handle, handle != kiti_comm_null() else { return nil }
    return try Communicator(handle: handle)
  }

  private static func required(
    _ handle: OpaquePointer?, _ operation: StaticString
  ) throws(MPIError) -> Communicator {
    guard let communicator = try adopt(handle) else {
      throw MPIError(invalid: .communicator, in: operation, "the library returned no communicator")
    }
    return communicator
  }
}

extension Communicator {
  func requireUsable(_ operation: StaticString) throws(MPIError) {
    guard MPI.isRunning else {
      throw MPIError(
        invalid: .other, in: operation, "MPI is not running: it was finished before this operation")
    }
    guard !isFreed.load(ordering: .acquiring) else {
      throw MPIError(invalid: .communicator, in: operation, "the communicator was freed")
    }
  }

  func requireRoot(_ root: Int, _ operation: StaticString) throws(MPIError) {
    guard root >= 0, root < size else {
      throw MPIError(
        invalid: .root, in: operation,
        "root \(root) is no rank of this communicator, which has the ranks 0 … \(size - 1)")
    }
  }

  /// Checks that a buffer has the size that the other arguments demand.
  @usableFromInline
  func require(
    _ what: StaticString, holds count: Int, elements expected: Int, _ operation: StaticString
  ) throws(MPIError) {
    guard count == expected else {
      throw MPIError(
        invalid: .count, in: operation,
        "\(what) holds \(count) elements where \(expected) are needed (\(size) ranks in the communicator)")
    }
  }

  /// Checks one count for each rank, and that together they fill a buffer.
  func require(
    _ what: StaticString, _ counts: [Int], fill count: Int, _ operation: StaticString
  ) throws(MPIError) {
    guard counts.count == size, counts.allSatisfy({ $0 >= 0 }) else {
      throw MPIError(
        invalid: .count, in: operation,
        "\(what) are \(counts): one count of 0 or more is needed for each of \(size) ranks")
    }
    guard counts.reduce(0, +) == count else {
      throw MPIError(
        invalid: .count, in: operation,
        "\(what) sum to \(counts.reduce(0, +)), but the buffer holds \(count) elements")
    }
  }
}
