import CXXHash

/// The first 4,096 bytes of a checkpoint, which HDF5 leaves to us: what the file is, how long, and a hash of every
/// byte, as text that `head -c 400` shows.
///
/// ```
/// kiti-dist checkpoint
/// header <16 hexadecimal digits>     XXH3 of these 4,096 bytes with the digits replaced by zeros
/// format 1
/// length <bytes of the whole file>
/// contents <16 hexadecimal digits>   XXH3 of the XXH3s of the rest of the file, in blocks of 1 MiB
/// ```
/// What any format has in common: the first line, the header hash and the third line. It is written last, so that a file
/// without it was never finished.
package struct CheckpointSeal: Sendable, Equatable {
  package static let byteCount = 4096
  package static let currentFormat = 1
  /// Hashed one by one, so that ranks can divide the work; a part of the format.
  package static let blockBytes = 1 << 20

  private static let firstLine = "kiti-dist checkpoint\n"
  private static let headerHashField = firstLine.utf8.count + "header ".utf8.count
  private static let hashDigits = 16

  /// Bytes of the whole file.
  package var length: Int
  package var contentsHash: UInt64

  package init(length: Int, contentsHash: UInt64) {
    self.length = length
    self.contentsHash = contentsHash
  }

  /// The seal as it stands in the file.
  package var bytes: [UInt8] {
    let zeros = String(repeating: "0", count: Self.hashDigits)
    let text =
      Self.firstLine + "header \(zeros)\nformat \(Self.currentFormat)\nlength \(length)\n"
      + "contents \(Self.digits(contentsHash))\n\n"
      + "An HDF5 file that begins at byte \(Self.byteCount): h5py and h5dump read it as it is.\n"
      + "'kiti-dist inspect FILE --verify' shows what it holds and checks every byte.\n"
    var bytes = Array(text.utf8)
    bytes += [UInt8](repeating: 0, count: Self.byteCount - bytes.count)
    Self.setHeaderHash(Self.hash(bytes), in: &bytes)
    return bytes
  }

  /// Reads and checks the seal of a file, and the file's length against it.
  ///
  /// - Throws: `KitiError`: `.usage` if there is no such file; `.badData` if it is no checkpoint, was never finished, is
  ///   cut short, has a damaged seal, or was written by a newer version of the program.
  package static func read(_ path: String) throws -> CheckpointSeal {
    let file = try CheckpointDisk(path, .read)
    let fileBytes = try file.byteCount
    var bytes = [UInt8](repeating: 0, count: byteCount)
    let count = try bytes.withUnsafeMutableBytes { try file.read($0, at: 0) }
    let magic = Array(firstLine.utf8)
    guard count == byteCount else {
      if bytes.starts(with: magic.prefix(count)) {
        throw cutShort(path, "it has \(fileBytes) bytes, less than the header of a checkpoint")
      }
      throw notCheckpoint(path)
    }
    guard bytes.starts(with: magic) else {
      if bytes.allSatisfy({ $0 == 0 }), fileBytes > byteCount {
        throw KitiError(
          .badData, "\(path): this checkpoint was never finished: the run was stopped while writing it.", remedy: other)
      }
      throw notCheckpoint(path)
    }
    var zeroed = bytes
    let field = headerHashField..<headerHashField + hashDigits
    zeroed.replaceSubrange(field, with: repeatElement(UInt8(ascii: "0"), count: hashDigits))
    let hash = digits(hash(zeroed))
    guard hash.utf8.elementsEqual(bytes[field]) else { throw damagedHeader(path) }
    return try parse(bytes, path: path, fileBytes: fileBytes)
  }

  private static func parse(_ bytes: [UInt8], path: String, fileBytes: Int) throws -> CheckpointSeal {
    let lines = bytes.prefix { $0 != 0 }.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    func value(_ line: Int, _ key: String) -> String? {
      guard line < lines.count, let text = String(validating: lines[line], as: UTF8.self) else { return nil }
      return text.hasPrefix(key + " ") ? String(text.dropFirst(key.count + 1)) : nil
    }
    guard let format = value(2, "format").flatMap({ Int($0) }) else { throw damagedHeader(path) }
    guard format <= currentFormat else {
      throw KitiError(
        .badData, "\(path): the checkpoint has format \(format), and this program reads formats up to \(currentFormat).",
        remedy: "Read it with the version of kiti-dist that wrote it, or a newer one.")
    }
    guard let length = value(3, "length").flatMap({ Int($0) }),
      let contents = value(4, "contents").flatMap({ UInt64($0, radix: 16) }), length >= byteCount
    else { throw damagedHeader(path) }
    let seal = CheckpointSeal(length: length, contentsHash: contents)
    guard seal.bytes == bytes else { throw damagedHeader(path) }
    guard fileBytes >= length else {
      throw cutShort(path, "it has \(fileBytes) of \(length) bytes")
    }
    guard fileBytes == length else {
      throw KitiError(
        .badData, "\(path): the checkpoint is damaged: \(fileBytes - length) bytes follow its end.", remedy: other)
    }
    return seal
  }

  /// The hashes of a rank's share of the blocks behind the seal, read from the file.
  ///
  /// - Parameter length: of the whole file.
  package static func blockHashes(_ path: String, length: Int, rank: Int, of ranks: Int) throws -> [UInt64] {
    let file = try CheckpointDisk(path, .read)
    let blocks = (length - byteCount + blockBytes - 1) / blockBytes
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: blockBytes, alignment: 64)
    defer { memory.deallocate() }
    return try (blocks * rank / ranks..<blocks * (rank + 1) / ranks).map { block in
      let start = byteCount + block * blockBytes
      let part = UnsafeMutableRawBufferPointer(rebasing: memory[..<min(blockBytes, length - start)])
      guard try file.read(part, at: start) == part.count else {
        throw cutShort(path, "it ended before byte \(start + part.count)")
      }
      return hash(UnsafeRawBufferPointer(part))
    }
  }

  /// The hash of the file's contents from those of all its blocks.
  package static func combine(_ blockHashes: [UInt64]) -> UInt64 {
    blockHashes.map(\.littleEndian).withUnsafeBytes { hash($0) }
  }

  /// XXH3, 64 bits.
  package static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 { XXH3_64bits(bytes.baseAddress, bytes.count) }

  private static func hash(_ bytes: [UInt8]) -> UInt64 { bytes.withUnsafeBytes { hash($0) } }

  package static func setHeaderHash(_ hash: UInt64, in bytes: inout [UInt8]) {
    bytes.replaceSubrange(headerHashField..<headerHashField + hashDigits, with: digits(hash).utf8)
  }

  package static func digits(_ hash: UInt64) -> String {
    let text = String(hash, radix: 16)
    return String(repeating: "0", count: hashDigits - text.count) + text
  }
}

extension CheckpointSeal {
  static let other = "Use another checkpoint of the run, or an undamaged copy of this one."

  private static func notCheckpoint(_ path: String) -> KitiError {
    KitiError(
      .badData, "\(path): this is not a checkpoint of kiti-dist, or its first bytes are damaged.",
      remedy: "Give the path of a checkpoint, step-….h5 in a run's folder checkpoints.")
  }

  private static func damagedHeader(_ path: String) -> KitiError {
    KitiError(.badData, "\(path): the checkpoint is damaged: its header does not match its hash.", remedy: other)
  }

  private static func cutShort(_ path: String, _ detail: String) -> KitiError {
    KitiError(.badData, "\(path): the checkpoint is cut short: \(detail).", remedy: other)
  }
}
