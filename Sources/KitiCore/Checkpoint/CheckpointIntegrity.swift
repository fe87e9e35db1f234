import KitiHDF5

/// Whether a file is as it was written.
///
/// HDF5 must not see a file before this is known: damage in a file's structure (not in its arrays) can crash the
/// library, or make it ask for any amount of memory.
enum CheckpointIntegrity {
  /// Checks every byte, in this process alone.
  ///
  /// - Throws: `KitiError`, `.badData` if anything differs from what was written, `.usage` if there is no such file.
  @discardableResult
  static func check(_ path: String) throws -> CheckpointSeal {
    let seal = try CheckpointSeal.read(path)
    let blocks = try CheckpointSeal.blockHashes(path, length: seal.length, rank: 0, of: 1)
    try compare(blocks, with: seal, path)
    return seal
  }

  /// - Throws: `KitiError`, `.badData` if these are not the hashes of the blocks that were sealed.
  static func compare(_ blockHashes: [UInt64], with seal: CheckpointSeal, _ path: String) throws {
    guard CheckpointSeal.combine(blockHashes) == seal.contentsHash else {
      throw KitiError(
        .badData,
        "\(path): the checkpoint is damaged, or was changed after it was written: its bytes do not match their hash.",
        remedy: CheckpointSeal.other)
    }
  }

  /// The error for an array whose values are not those of its checksum.
  static func mismatch(_ object: String, _ path: String) -> KitiError {
    KitiError(
      .badData, "\(path): the checkpoint is damaged: the values of \(object) do not match their checksum.",
      remedy: CheckpointSeal.other)
  }

  /// An error of HDF5 in a file whose bytes are as they were written.
  static func error(_ error: HDF5Error, _ path: String) -> KitiError {
    switch error.code {
    case .missingFile, .inaccessibleFile, .locked:
      KitiError(.usage, "\(error)", remedy: "")
    default:
      KitiError(.badData, "\(path): the checkpoint cannot be read: \(error)", remedy: CheckpointSeal.other)
    }
  }
}
