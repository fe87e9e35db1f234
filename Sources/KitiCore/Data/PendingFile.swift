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

  /// Checks that the file may be made and that there is room for it, and makes the empty temporary file.
  /// - Throws: `KitiError`: `.usage` when it exists and may not be replaced, or the folder cannot be written in;
  ///   `.failed` when the disk is too full.
  func begin(overwrite: Bool, byteCount: Int) throws {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    guard !path.isEmpty, !path.hasSuffix("/"), !path.utf8.contains(0), !isFolder.boolValue else {
      throw KitiError(.usage, "'\(path)' is no name for a file.", remedy: "Give the path of a file to write.")
    }
    guard overwrite || !exists else { throw existing }
    try checkRoom(byteCount)
    let descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL, 0o666)
    if descriptor >= 0 {
      close(descriptor)
    } else if errno != EEXIST {
      throw unusable
    } else if !overwrite {
      throw KitiError(
        .usage, "The file \(path) is being made already, or making it was interrupted: \(temporaryPath) is there.",
        remedy: "If no other program writes it, remove it, or give --overwrite to replace it.")
    }
  }

  private func checkRoom(_ byteCount: Int) throws {
    var information = statvfs()
    guard statvfs(folder, &information) == 0 else { throw unusable }
    let (free, overflow) = Int(clamping: information.f_bavail)
      .multipliedReportingOverflow(by: Int(information.f_frsize))
    guard overflow || free >= byteCount else {
      throw KitiError(
        .failed,
        "The file \(path) needs \(Self.mebibytes(byteCount)) MiB, and its disk has \(Self.mebibytes(free)) MiB free.",
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

  private var unusable: KitiError {
    KitiError(
      .usage, "The file \(path) cannot be made in the folder \(folder): \(Self.reason).",
      remedy: "Choose a folder that exists and may be written in.")
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
