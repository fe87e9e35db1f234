import Foundation

/// A file that grows under a temporary name in the folder of its final one, and gets that name when it is complete.
struct PendingFile {
  let path: String

  /// Beside the final name, so that renaming moves no bytes. The same each time: what an interrupted run left is
  /// found by the next and not forgotten.
  var temporaryPath: String { path + ".partial" }

  private var folder: String {
    let folder = (path as NSString).deletingLastPathComponent
    return folder.isEmpty ? "." : folder
  }

  /// Checks that the file may be made and that there is room for it.
  /// - Throws: `KitiError`: `.usage` when it exists and may not be replaced, or there is no such folder; `.failed`
  ///   when the disk is too full.
  func prepare(overwrite: Bool, byteCount: Int) throws {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    guard !path.isEmpty, !path.hasSuffix("/"), !path.utf8.contains(0), !isFolder.boolValue else {
      throw KitiError(.usage, "'\(path)' is no name for a file.", remedy: "Give the path of a file to write.")
    }
    guard overwrite || !exists else { throw existing }
    var information = statvfs()
    guard statvfs(folder, &information) == 0 else {
      throw KitiError(
        .usage, "The file \(path) cannot be made: the folder \(folder) cannot be used (\(Self.reason)).",
        remedy: "Make the folder, or choose another.")
    }
    let free = Int(clamping: information.f_bavail).multipliedReportingOverflow(by: Int(information.f_frsize))
    guard free.overflow || free.partialValue >= byteCount else {
      throw KitiError(
        .failed,
        "The file \(path) needs \(Self.mebibytes(byteCount)) MiB, and its disk has "
          + "\(Self.mebibytes(free.partialValue)) MiB free.",
        remedy: "Make room, or choose another folder.")
    }
  }

  /// Gives the complete temporary file its name, once everything is on disk.
  func publish(overwrite: Bool) throws {
    try synchronize(temporaryPath)
    if overwrite {
      guard rename(temporaryPath, path) == 0 else { throw failure("could not get its name") }
    } else if link(temporaryPath, path) == 0 {
      // A hard link, unlike a renaming, never replaces a file that came up meanwhile.
      unlink(temporaryPath)
    } else {
      guard errno != EEXIST, !FileManager.default.fileExists(atPath: path) else { throw existing }
      guard rename(temporaryPath, path) == 0 else { throw failure("could not get its name") }
    }
    // The name is the folder's data. Some file systems refuse this; the file itself is safe by then.
    try? synchronize(folder)
  }

  /// Removes the temporary file.
  func discard() {
    unlink(temporaryPath)
  }

  private func synchronize(_ path: String) throws {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { throw failure("could not be opened again") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw failure("could not be brought to disk") }
  }

  private var existing: KitiError {
    KitiError(
      .usage, "The file \(path) exists already.", remedy: "Choose another name, or give --overwrite to replace it.")
  }

  private func failure(_ what: String) -> KitiError {
    KitiError(
      .failed, "The file \(path) \(what): \(Self.reason).",
      remedy: "Check that the disk has room and works, then run again.")
  }

  /// The text of the last failed system call.
  private static var reason: String { String(cString: strerror(errno)) }

  private static func mebibytes(_ bytes: Int) -> Int { (bytes + (1 << 20) - 1) >> 20 }
}
