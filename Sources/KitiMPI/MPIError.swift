import CMPI

/// A failed or wrongly called MPI operation.
///
/// Wrong arguments (a buffer that does not fit its counts, a root that is no rank) are found before the
/// library is called, on the ranks that see them; the other ranks may be waiting by then. A program that
/// catches an `MPIError` can seldom go on: it should report it and call `MPI.abort(status:)`.
public struct MPIError: Error, Sendable, CustomStringConvertible {
  /// The kind of failure, as the MPI standard numbers it (`MPI_ERR_…`).
  public struct ErrorClass: RawRepresentable, Hashable, Sendable {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }

    public static let buffer = Self(rawValue: MPI_ERR_BUFFER)
    public static let count = Self(rawValue: MPI_ERR_COUNT)
    public static let tag = Self(rawValue: MPI_ERR_TAG)
    public static let communicator = Self(rawValue: MPI_ERR_COMM)
    public static let rank = Self(rawValue: MPI_ERR_RANK)
    public static let request = Self(rawValue: MPI_ERR_REQUEST)
    public static let root = Self(rawValue: MPI_ERR_ROOT)
    public static let argument = Self(rawValue: MPI_ERR_ARG)
    public static let truncate = Self(rawValue: MPI_ERR_TRUNCATE)
    public static let other = Self(rawValue: MPI_ERR_OTHER)
  }

  /// The MPI function that failed or was called wrongly, for example `MPI_Allreduce`.
  public let operation: String
  /// The library's return code; for wrong arguments, the number of the class.
  public let code: Int32
  public let errorClass: ErrorClass
  /// What went wrong: the library's own text, or what is wrong with the arguments and what would be right.
  public let message: String
  /// The rank in the world on which it happened, or −1 if MPI was not running.
  public let rank: Int

  public var description: String {
    let place = rank < 0 ? "" : " on rank \(rank)"
    return "\(operation) failed\(place): \(message) (MPI error code \(code))"
  }
}

extension MPIError {
  /// The error for a return code of the library.
  init(code: Int32, operation: StaticString) {
    var errorClass: Int32 = 0
    if MPI_Error_class(code, &errorClass) != MPI_SUCCESS { errorClass = MPI_ERR_UNKNOWN }
    var length: Int32 = 0
    var text = [CChar](repeating: 0, count: Int(MPI_MAX_ERROR_STRING) + 1)
    let known = MPI_Error_string(code, &text, &length) == MPI_SUCCESS
    self.init(
      operation: "\(operation)", code: code, errorClass: ErrorClass(rawValue: errorClass),
      message: known ? String(text, length: length) : "the MPI library has no text for this error",
      rank: MPI.worldRank)
  }

  /// The error for arguments that the library was never called with.
  init(invalid errorClass: ErrorClass, in operation: StaticString, _ message: String) {
    self.init(
      operation: "\(operation)", code: errorClass.rawValue, errorClass: errorClass, message: message,
      rank: MPI.worldRank)
  }

  /// Makes a call of the library and throws its failure. A watchdog can see the main thread in it.
  @inline(__always)
  static func check(
    _ call: @autoclosure () throws(MPIError) -> Int32, _ operation: StaticString
  ) throws(MPIError) {
    Activity.begin(.communication, operation)
    defer { Activity.end() }
    let code = try call()
    if code != MPI_SUCCESS { throw MPIError(code: code, operation: operation) }
  }
}

extension String {
  /// The first `length` bytes of a text that a C function wrote, without the zero byte that some versions count.
  init(_ text: [CChar], length: Int32) {
    self.init(decoding: text.prefix(Int(length)).prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
