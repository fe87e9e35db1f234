import CArchive
import Foundation

/// Files of known names, in a folder or in a tar archive (gzipped or not).
///
/// An archive is read, never extracted, and nothing in it or in the folder leads to other files: links, folders,
/// and members whose path is absolute or has a `..` are as good as absent.
struct FileSet {
  /// What has been found of one file.
  struct File {
    /// Its path, in the archive or of the folder's file.
    var place: String
    /// Its place among an archive's members; nil in a folder.
    var index: Int?
    var byteCount: Int
  }

  /// No archive of a data set has more members.
  private static let maximumMembers = 10_000
  /// Bytes that a member may declare: to get to the next one, they must all be unpacked.
  private static let maximumMemberBytes = 1 << 30

  let path: String
  private(set) var files: [String: File] = [:]

  /// Looks for files.
  ///
  /// - Parameters:
  ///   - path: a folder with the files, or with the folder `subfolder` that has them; or a tar archive.
  ///   - names: the names that are looked for; in an archive they may lie in any folder.
  ///   - subfolder: the folder that the publisher's archive has.
  init(path: String, names: Set<String>, subfolder: String?) throws {
    self.path = path
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw KitiError(.usage, "There is nothing at '\(path)'.", remedy: "Give the path of the publisher's files.")
    }
    if isFolder.boolValue {
      findInFolder(names, subfolder)
    } else {
      try findInArchive(names)
    }
  }

  /// Looks for files in a folder.
  init(folder path: String, names: Set<String>) throws {
    self.path = path
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
      throw KitiError(.usage, "'\(path)' is no folder.", remedy: "Give the folder with the publisher's files.")
    }
    findInFolder(names, nil)
  }

  private mutating func findInFolder(_ names: Set<String>, _ subfolder: String?) {
    let folders = [path] + (subfolder.map { ["\(path)/\($0)"] } ?? [])
    for folder in folders where files.isEmpty {
      for name in names {
        var status = stat()
        let place = "\(folder)/\(name)"
        guard lstat(place, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
        files[name] = File(place: place, index: nil, byteCount: Int(status.st_size))
      }
    }
  }

  private mutating func findInArchive(_ names: Set<String>) throws {
    let archive = try ByteStream.open(path, as: archive_read_support_format_tar)
    defer { archive_read_free(archive) }
    var entry: OpaquePointer?
    for index in 0..<Self.maximumMembers {
      let status = archive_read_next_header(archive, &entry)
      if status == ARCHIVE_EOF { return }
      guard status >= ARCHIVE_WARN else { throw ByteStream.damaged(path, archive) }
      let size = Int(archive_entry_size(entry))
      let member = archive_entry_pathname(entry).map { String(cString: $0) } ?? ""
      guard (0...Self.maximumMemberBytes).contains(size) else {
        throw foreign("its member '\(member)' declares \(size) bytes")
      }
      guard archive_entry_filetype(entry) == S_IFREG, archive_entry_hardlink(entry) == nil else { continue }
      let parts = member.split(separator: "/", omittingEmptySubsequences: false)
      guard let name = parts.last.map(String.init), names.contains(name), !member.hasPrefix("/"), !parts.contains("..")
      else { continue }
      guard files.updateValue(File(place: member, index: index, byteCount: size), forKey: name) == nil else {
        throw foreign("it has two members '\(name)'")
      }
    }
    throw foreign("it has more than \(Self.maximumMembers) members")
  }

  private func foreign(_ reason: String) -> KitiError {
    KitiError(
      .badData, "The archive \(path) is not the publisher's: \(reason).", remedy: ByteStream.remedy)
  }

  /// A file that must be there.
  func file(_ name: String) throws -> File {
    guard let file = files[name] else {
      throw KitiError(
        .badData, "There is no file \(name) in \(path).",
        remedy: "Give the folder or the archive (.tar or .tar.gz) as its publisher ships it.")
    }
    return file
  }

  func open(_ name: String) throws -> ByteStream {
    let file = try file(name)
    guard let index = file.index else { return try ByteStream(path: file.place) }
    return try ByteStream(archive: path, member: file.place, index: index)
  }
}
