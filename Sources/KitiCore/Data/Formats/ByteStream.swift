import CArchive
import Glibc

/// The bytes of a file, gzipped or not, or of one member of a tar archive, in their order.
///
/// Nothing is ever written: an archive's members are only read. Memory is that of libarchive, less than a MiB.
final class ByteStream {
  /// What errors call it: the file, and the member in it.
  let name: String

  private let archive: OpaquePointer

  /// Opens a file.
  /// - Throws: `KitiError`: `.usage` for a file that is missing or must not be read, `.badData` for one that is no
  ///   plain file or is empty.
  init(path: String) throws {
    name = path
    archive = try Self.open(path, as: archive_read_support_format_raw)
    var entry: OpaquePointer?
    guard archive_read_next_header(archive, &entry) == ARCHIVE_OK else { throw damaged }
  }

  /// Opens a member of a tar archive.
  /// - Parameter index: the member's place in the archive, counted from 0.
  init(archive path: String, member: String, index: Int) throws {
    name = "\(path), \(member)"
    archive = try Self.open(path, as: archive_read_support_format_tar)
    var entry: OpaquePointer?
    for _ in 0...index {
      guard archive_read_next_header(archive, &entry) >= ARCHIVE_WARN else { throw damaged }
    }
  }

  deinit { archive_read_free(archive) }

  /// Fills a buffer, or as much of it as there is; returns the count.
  /// - Throws: `KitiError` of kind `.badData` when the compressed bytes or the archive are damaged or cut short.
  func read(_ buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    var filled = 0
    while filled < buffer.count {
      let count = archive_read_data(archive, buffer.baseAddress! + filled, buffer.count - filled)
      guard count >= 0 else { throw damaged }
      if count == 0 { break }
      filled += count
    }
    return filled
  }

  /// Fills a buffer completely.
  /// - Parameter what: what the bytes are, for the error when there are too few.
  func readAll(_ buffer: UnsafeMutableRawBufferPointer, _ what: @autoclosure () -> String) throws {
    guard try read(buffer) == buffer.count else {
      throw KitiError(
        .badData, "The file \(name) is cut short: it ends before or within \(what()).", remedy: Self.remedy)
    }
  }

  /// Goes on by `count` bytes, or to the end.
  func skip(_ count: Int) throws {
    try withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { scratch in
      var left = count
      while left > 0 {
        let part = UnsafeMutableRawBufferPointer(rebasing: scratch[..<min(left, scratch.count)])
        guard try read(part) == part.count else { return }
        left -= part.count
      }
    }
  }

  /// The rest as text, of which there may be 64 KiB.
  func readText() throws -> String {
    var bytes = [UInt8](repeating: 0, count: (64 << 10) + 1)
    let count = try bytes.withUnsafeMutableBytes { try read($0) }
    guard count < bytes.count, let text = String(validating: bytes[..<count], as: UTF8.self) else {
      throw KitiError(.badData, "The file \(name) is no text of at most 64 KiB in UTF-8.", remedy: Self.remedy)
    }
    return text
  }

  static let remedy = "Fetch it again from its publisher."

  private var damaged: KitiError { Self.damaged(name, archive) }

  static func damaged(_ name: String, _ archive: OpaquePointer) -> KitiError {
    let reason = archive_error_string(archive).map { " (\(String(cString: $0)))" } ?? ""
    return KitiError(.badData, "The file \(name) is damaged or cut short\(reason).", remedy: remedy)
  }

  /// A reader of one format, with or without gzip around it. The caller frees it.
  static func open(_ path: String, as format: (OpaquePointer?) -> Int32) throws -> OpaquePointer {
    try requirePlainFile(path)
    guard let archive = archive_read_new() else { fatalError("out of memory for reading \(path)") }
    guard archive_read_support_filter_gzip(archive) >= ARCHIVE_WARN, format(archive) >= ARCHIVE_WARN,
      archive_read_open_filename(archive, path, 1 << 17) == ARCHIVE_OK
    else {
      let error = damaged(path, archive)
      archive_read_free(archive)
      throw error
    }
    return archive
  }

  /// Bytes of a file. What is no plain file is an error: opening a pipe would wait for ever.
  @discardableResult
  static func requirePlainFile(_ path: String) throws -> Int {
    var status = stat()
    guard !path.utf8.contains(0), stat(path, &status) == 0, access(path, R_OK) == 0 else {
      throw KitiError(
        .usage, "The file \(path) cannot be read: \(String(cString: strerror(errno))).",
        remedy: "Give the path of the publisher's files.")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw KitiError(.badData, "\(path) is no plain file.", remedy: "Give the path of the publisher's files.")
    }
    return Int(status.st_size)
  }
}
