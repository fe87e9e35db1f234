import Glibc

/// A file as plain bytes, beside the library that gives them meaning.
struct CheckpointDisk: ~Copyable {
  enum Access { case read, readWrite }

  let path: String
  private let descriptor: Int32

  /// - Throws: `KitiError`, kind `.usage`, for a path that leads to no readable file.
  init(_ path: String, _ access: Access) throws {
    descriptor = try Self.openFile(path, (access == .read ? O_RDONLY : O_RDWR) | O_CLOEXEC)
    self.path = path
  }

  private static func openFile(_ path: String, _ flags: Int32) throws -> Int32 {
    let descriptor = open(path, flags)
    guard descriptor >= 0 else {
      if errno == ENOENT || errno == ENOTDIR {
        throw KitiError(
          .usage, "\(path): there is no such file.",
          remedy: "Give the path of a checkpoint; all ranks must see it, on a shared file system.")
      }
      throw KitiError(
        .usage, "\(path): the file cannot be opened: \(reason()).", remedy: "Give the path of a checkpoint.")
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw KitiError(
        .usage, "\(path): this is a folder or a device, not a file.", remedy: "Give the path of a checkpoint.")
    }
    return descriptor
  }

  deinit { close(descriptor) }

  var byteCount: Int {
    get throws {
      var status = stat()
      guard fstat(descriptor, &status) == 0 else { throw Self.failure(path, "looking at the file") }
      return Int(status.st_size)
    }
  }

  /// Reads bytes from a position; fewer than asked for only at the end of the file. Returns how many.
  func read(_ bytes: UnsafeMutableRawBufferPointer, at position: Int) throws -> Int {
    var done = 0
    while done < bytes.count {
      let count = pread(descriptor, bytes.baseAddress! + done, bytes.count - done, position + done)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw Self.failure(path, "reading the file") }
      guard count > 0 else { break }
      done += count
    }
    return done
  }

  func write(_ bytes: [UInt8], at position: Int) throws {
    try bytes.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count {
        let count = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, position + done)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { throw Self.failure(path, "writing the file") }
        done += count
      }
    }
  }

  /// Takes the space for the first `count` bytes of the file, so that writing them cannot fail for want of it.
  ///
  /// - Returns: false if there is too little, on the disk or in the user's share; the file is empty then.
  func reserve(_ count: Int) throws -> Bool {
    let status = posix_fallocate(descriptor, 0, count)
    guard status != 0, status != EOPNOTSUPP, status != EINVAL else { return true }
    ftruncate(descriptor, 0)
    if [ENOSPC, EDQUOT, EFBIG].contains(status) { return false }
    errno = status
    throw Self.failure(path, "reserving \(count) bytes")
  }

  /// Returns once what this host has written is on the disk.
  func synchronize() throws {
    guard fsync(descriptor) == 0 else { throw Self.failure(path, "putting the file on the disk") }
  }

  /// Makes the next reads come from the disk and not from what this host still has in memory, where the file
  /// system can do that.
  func forgetCachedPages() {
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
  }
}

extension CheckpointDisk {
  /// Bytes that this user may still write to the file system of a folder.
  static func freeBytes(in folder: String) throws -> Int {
    var status = statvfs()
    guard statvfs(folder, &status) == 0 else { throw failure(folder, "asking for the free space") }
    return Int(clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
  }

  /// Puts the names in a folder on the disk: until then a renamed file may still have its old name after a crash.
  static func synchronizeFolder(_ folder: String) throws {
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(folder, "opening the folder") }
    defer { close(descriptor) }
    // Some network file systems have no such operation for folders, and say so.
    guard fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP else {
      throw failure(folder, "putting the folder on the disk")
    }
  }

  /// Makes a file of so many zeros.
  static func makeFile(_ path: String, byteCount: Int) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw failure(path, "making the file") }
    close(descriptor)
    do {
      try CheckpointDisk(path, .readWrite).write([UInt8](repeating: 0, count: byteCount), at: 0)
    } catch {
      unlink(path)
      throw error
    }
  }

  static func renameFile(_ from: String, to: String) throws {
    guard rename(from, to) == 0 else { throw failure(to, "renaming \(from)") }
  }

  /// The folder part of a path.
  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  static func failure(_ path: String, _ action: String) -> KitiError {
    KitiError(
      .failed, "\(path): \(action) failed: \(reason()).",
      remedy: errno == ENOSPC || errno == EDQUOT ? "Free some space." : "Check the file system and its permissions.")
  }

  private static func reason() -> String { String(cString: strerror(errno)) }
}
