import KitiHDF5

/// What can be said of a damaged file.
enum CheckpointIntegrity {
  /// Checks every byte, in this process alone.
  ///
  /// - Throws: `KitiError`, `.badData` if anything differs from what was written, `.usage` if there is no such file.
  static func check(_ path: String) throws {
    let seal = try CheckpointSeal.read(path)
    let blocks = try CheckpointSeal.blockHashes(path, length: seal.length, rank: 0, of: 1)
    guard CheckpointSeal.combine(blocks) == seal.contentsHash else { throw damage(path) }
  }

  /// The error for a file whose bytes do not match their hash, with the first data set that is damaged if one is.
  static func damage(_ path: String) -> KitiError {
    let place = firstDamage(path)
    return KitiError(
      .badData, "\(path): the checkpoint is damaged, or was changed after it was written: \(place).",
      remedy: CheckpointSeal.other)
  }

  /// An error of the HDF5 layer in a file whose bytes are as they were written.
  static func error(_ error: HDF5Error, _ path: String) -> KitiError {
    switch error.code {
    case .missingFile, .inaccessibleFile, .locked:
      KitiError(.usage, "\(error)", remedy: "")
    default:
      KitiError(.badData, "\(path): the checkpoint cannot be read: \(error)", remedy: CheckpointSeal.other)
    }
  }

  /// The file's structure may be damaged, so what it says of sizes is never believed beyond the size of the file.
  private static func firstDamage(_ path: String) -> String {
    do {
      let file = try HDF5File.open(path)
      defer { try? file.close() }
      for dataSet in try CheckpointTree.dataSets(in: file.root) {
        guard try isIntact(dataSet, path) else { return "first in \(dataSet.path)" }
      }
    } catch {
      return "\((error as? HDF5Error)?.object ?? "its structure") cannot be read"
    }
    return "the arrays are as they were written, but something beside them is not"
  }

  /// Whether the elements have their checksum.
  static func isIntact(_ dataSet: DataSet, _ path: String) throws -> Bool {
    let fileBytes = try CheckpointDisk(path, .read).byteCount
    let hash: UInt64
    switch dataSet.kind {
    case .float32:
      guard dataSet.elementCount <= fileBytes / MemoryLayout<Float>.size else { return false }
      let values = AlignedBuffer<Float>(count: dataSet.elementCount)
      try dataSet.read(into: values.buffer)
      hash = CheckpointSeal.hash(UnsafeRawBufferPointer(values.buffer))
    case .fixedString(let bytes):
      guard dataSet.elementCount == 1, bytes <= fileBytes else { return false }
      hash = CheckpointHeader.hash(of: try dataSet.readStrings()[0])
    default:
      return false
    }
    return try CheckpointTree.checksum(of: dataSet) == hash
  }
}
