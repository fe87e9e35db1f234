import CMPI

/// How counts beyond MPI 3.1's `int` are carried.
///
/// Element-wise collectives (broadcast and reductions) go out in several calls. Messages and gather-like
/// collectives go out in one call with a derived datatype that stands for a whole block, because a message
/// cut into pieces would lose its size for a probe, and displacements could not be expressed.
package enum LargeCount {
  /// The most elements that one MPI call counts.
  ///
  /// Far below 2³¹: libraries multiply counts by element sizes, and keeping each piece at 1 GiB at most
  /// costs nothing. Only tests change it, on all ranks alike and while nothing is in flight.
  nonisolated(unsafe) package static var limit = 1 << 27
}

/// A count cut into pieces of at most `LargeCount.limit`.
struct Chunks: Sequence, IteratorProtocol {
  private var offset = 0
  private let total: Int
  private let limit: Int

  init(of total: Int) {
    self.total = total
    limit = LargeCount.limit
  }

  static func count(of total: Int) -> Int { (total + LargeCount.limit - 1) / LargeCount.limit }

  mutating func next() -> (offset: Int, count: Int32)? {
    guard offset < total else { return nil }
    let count = Swift.min(limit, total - offset)
    defer { offset += count }
    return (offset, Int32(count))
  }
}

/// A number of consecutive elements as MPI wants them: a datatype and a count of it.
struct Block: ~Copyable {
  let datatype: OpaquePointer
  let count: Int32
  private let isDerived: Bool

  /// A block of `total` elements, where all blocks of the operation together hold `wholeOperation`.
  ///
  /// All ranks must come to the same decision in an operation whose type signatures are compared block by
  /// block, hence the second number.
  init(_ total: Int, of kind: ElementKind, wholeOperation: Int) throws(MPIError) {
    if wholeOperation <= LargeCount.limit {
      datatype = kind.datatype
      count = Int32(total)
      isDerived = false
    } else {
      datatype = try DerivedType.make(total, of: kind, displacement: 0)
      count = 1
      isDerived = true
    }
  }

  deinit {
    if isDerived { DerivedType.free(datatype) }
  }
}

enum DerivedType {
  /// A committed datatype of `total` consecutive elements that begin `displacement` elements into a buffer.
  static func make(
    _ total: Int, of kind: ElementKind, displacement: Int
  ) throws(MPIError) -> OpaquePointer {
    let limit = LargeCount.limit
    let chunk = try contiguous(Int32(limit), of: kind.datatype)
    defer { free(chunk) }
    let wholeChunks = try contiguous(Int32(total / limit), of: chunk)
    defer { free(wholeChunks) }
    // The remainder follows the whole chunks: two blocks at explicit byte addresses.
    var lengths: [Int32] = [1, Int32(total % limit)]
    var addresses = [displacement * kind.stride, (displacement + total / limit * limit) * kind.stride]
    var types: [OpaquePointer?] = [wholeChunks, kind.datatype]
    var made: OpaquePointer?
    try MPIError.check(
      MPI_Type_create_struct(2, &lengths, &addresses, &types, &made), "MPI_Type_create_struct")
    try MPIError.check(MPI_Type_commit(&made), "MPI_Type_commit")
    return made!
  }

  static func free(_ datatype: OpaquePointer) {
    var raw: OpaquePointer? = datatype
    MPI_Type_free(&raw)
  }

  private static func contiguous(
    _ count: Int32, of element: OpaquePointer
  ) throws(MPIError) -> OpaquePointer {
    var made: OpaquePointer?
    try MPIError.check(MPI_Type_contiguous(count, element, &made), "MPI_Type_contiguous")
    return made!
  }
}

/// An address for empty buffers, which have none: some entry points of the library reject a null pointer
/// even with a count of zero. It is never read or written.
func placeholder(_ address: UnsafeRawPointer?) -> UnsafeRawPointer {
  address ?? UnsafeRawPointer(bitPattern: 64)!
}

func placeholder(_ address: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer {
  address ?? UnsafeMutableRawPointer(bitPattern: 64)!
}

/// An array filled by a body that may fail.
func makeArray<T: MPIElement>(
  _ count: Int, _ fill: (UnsafeMutableBufferPointer<T>) throws(MPIError) -> Void
) throws(MPIError) -> [T] {
  var failure: MPIError?
  let array = [T](unsafeUninitializedCapacity: count) { storage, initialized in
    do throws(MPIError) {
      try fill(UnsafeMutableBufferPointer(rebasing: storage[..<count]))
      initialized = count
    } catch {
      failure = error
    }
  }
  if let failure { throw failure }
  return array
}
