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
  /// - Throws: `KitiError`: `.usage` when it exists and may not be replaced, or the folder is not there; `.failed` when
  ///   the disk is too full.
  func check(overwrite: Bool, byteCount: Int) throws {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    guard !path.isEmpty, !path.hasSuffix("/"), !path.utf8.contains(0), !isFolder.boolValue else {
      throw KitiError(.usage, "'\(path)' is no name for a file.", remedy: "Give the path of a file to write.")
    }
    guard overwrite || !exists else { throw existing }
    try checkRoom(byteCount)
  }

  /// Checks as `check` does, and makes the empty temporary file.
  /// - Throws: `KitiError` as `check` does, and `.usage` when the folder cannot be written in.
  func begin(overwrite: Bool, byteCount: Int) throws {
    try check(overwrite: overwrite, byteCount: byteCount)
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
    do {
      // Quotas and limits show only when the room is taken.
      try allocate(byteCount)
    } catch {
      discard()
      throw error
    }
  }

  /// Takes the room on the disk for the whole temporary file: writing to it cannot fill the disk afterwards.
  /// - Throws: `KitiError` of kind `.failed` when there is too little.
  func allocate() throws {
    var status = stat()
    guard stat(temporaryPath, &status) == 0 else { throw failure("could not be looked at", errno) }
    try allocate(Int(status.st_size))
  }

  private func allocate(_ byteCount: Int) throws {
    let descriptor = open(temporaryPath, O_RDWR)
    guard descriptor >= 0 else { throw failure("could not be opened", errno) }
    defer { close(descriptor) }
    var status: Int32
    repeat { status = posix_fallocate(descriptor, 0, off_t(byteCount)) } while status == EINTR
    // File systems that cannot tell beforehand say so.
    guard status == 0 || status == EOPNOTSUPP || status == EINVAL else {
      throw failure("did not get the \(Self.mebibytes(byteCount)) MiB on its disk that it needs", status)
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
      guard rename(temporaryPath, path) == 0 else { throw failure("could not get its name", errno) }
    } else if link(temporaryPath, path) == 0 {
      // A hard link, unlike a renaming, never replaces a file that came up meanwhile.
      unlink(temporaryPath)
    } else {
      guard errno != EEXIST, !FileManager.default.fileExists(atPath: path) else { throw existing }
      guard rename(temporaryPath, path) == 0 else { throw failure("could not get its name", errno) }
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
    guard descriptor >= 0 else { throw failure("could not be opened again", errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw failure("could not be brought to disk", errno) }
  }

  private var existing: KitiError {
    KitiError(
      .usage, "The file \(path) exists already.", remedy: "Choose another name, or give --overwrite to replace it.")
  }

  private var unusable: KitiError {
    KitiError(
      .usage, "The file \(path) cannot be made in the folder \(folder): \(Self.text(errno)).",
      remedy: "Choose a folder that exists and may be written in.")
  }

  private func failure(_ what: String, _ code: Int32) -> KitiError {
    KitiError(
      .failed, "The file \(path) \(what): \(Self.text(code)).",
      remedy: "Check that the disk has room and works, then run again.")
  }

  private static func text(_ code: Int32) -> String { String(cString: strerror(code)) }

  private static func mebibytes(_ bytes: Int) -> Int { (bytes + (1 << 20) - 1) >> 20 }
}
