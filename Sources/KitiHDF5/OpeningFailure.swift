import CHDF5
import Foundation

/// Turns a failed creation or opening into an error that names the cause.
///
/// The file system is asked only afterwards: before, each rank of a parallel file could see another answer, and
/// those that went on would wait for ever.
enum OpeningFailure {
  static func creating(_ path: String, _ ifExists: HDF5File.ExistingFile, _ stack: LibraryStack) -> HDF5Error {
    let folder = (path as NSString).deletingLastPathComponent
    let code: HDF5Error.Code
    let message: String
    if !folder.isEmpty && fileType(folder) != S_IFDIR {
      (code, message) = (.missingFile, "the file cannot be created: there is no folder \(folder).")
    } else if fileType(path) == S_IFDIR {
      (code, message) = (.inaccessibleFile, "the file cannot be created: this is a folder.")
    } else if ifExists == .fail && fileType(path) != nil {
      (code, message) = (.fileExists, "the file exists already; remove it or choose another name.")
    } else if stack.minorCodes.contains(HDF5Library.constants.cannotLock) {
      (code, message) = (.locked, lockMessage)
    } else if access(folder.isEmpty ? "." : folder, W_OK) != 0 {
      (code, message) = (.inaccessibleFile, "the file cannot be created: no permission to write in its folder.")
    } else {
      (code, message) = (.library, "the file cannot be created.")
    }
    return HDF5Error(code, file: path, message, libraryMessages: stack.messages)
  }

  static func opening(_ path: String, _ access: HDF5File.Access, _ stack: LibraryStack) -> HDF5Error {
    let code: HDF5Error.Code
    let message: String
    let type = fileType(path)
    if type == nil {
      (code, message) = (.missingFile, "there is no such file.")
    } else if type == S_IFDIR {
      (code, message) = (.inaccessibleFile, "this is a folder, not a file.")
    } else if Foundation.access(path, access == .readOnly ? R_OK : R_OK | W_OK) != 0 {
      let what = access == .readOnly ? "read" : "read and write"
      (code, message) = (.inaccessibleFile, "no permission to \(what) the file.")
    } else if stack.minorCodes.contains(HDF5Library.constants.cannotLock) {
      (code, message) = (.locked, lockMessage)
    } else if stack.minorCodes.contains(HDF5Library.constants.truncated) {
      (code, message) = (.truncated, "the file is cut short: its end is missing. Copy or make it again.")
    } else if stack.minorCodes.contains(HDF5Library.constants.notHDF5) || isEmptyFile(path) {
      (code, message) = (.notHDF5, "this is not an HDF5 file, or its beginning is missing.")
    } else {
      (code, message) = (.damaged, "the file begins like an HDF5 file but cannot be opened: it is damaged or cut short.")
    }
    return HDF5Error(code, file: path, message, libraryMessages: stack.messages)
  }

  static func isEmptyFile(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && status.st_size == 0
  }

  private static let lockMessage =
    "the file is locked: another process has it open for writing, or the file system's locks do not work. Close "
    + "the other program; if there is none, set HDF5_USE_FILE_LOCKING=FALSE."

  /// The format bits of the file's mode; `nil` when there is nothing.
  private static func fileType(_ path: String) -> mode_t? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
  }
}
