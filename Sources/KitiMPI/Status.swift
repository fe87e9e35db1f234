import CMPI

/// What is known of a message: where it came from, its tag and its size.
public struct Status: Sendable, Equatable {
  /// The sender's rank in the communicator.
  public let source: Int
  public let tag: Int
  public let byteCount: Int

  /// The number of elements of a type, or nil if the message is not a whole number of them.
  public func count<T: MPIElement>(of _: T.Type) -> Int? {
    byteCount.isMultiple(of: MemoryLayout<T>.stride) ? byteCount / MemoryLayout<T>.stride : nil
  }

  init(_ raw: MPI_Status) throws(MPIError) {
    var raw = raw
    // The wide count: messages may be longer than an int can say.
    var bytes: MPI_Count = 0
    try MPIError.check(MPI_Get_elements_x(&raw, kiti_type_byte(), &bytes), "MPI_Get_elements_x")
    source = Int(raw.MPI_SOURCE)
    tag = Int(raw.MPI_TAG)
    byteCount = Int(bytes)
  }
}
