import CHDF5
import Foundation
import KitiMPI

/// An HDF5 file: of one process, or shared by the ranks of a communicator.
///
/// In a parallel file the calls that change its structure are collective: every rank of the communicator makes
/// the same calls in the same order with the same arguments. These are `create`, `open`, `flush`, `close`, making
/// groups and data sets, and changing attributes. Reading structure, and independent transfers, are not.
/// Calls on different files may come from different threads; a parallel file's collective calls must all come
/// from one thread, which MPI's thread level allows to call it.
public final class HDF5File: @unchecked Sendable {
  public enum Access: Sendable, Equatable { case readOnly, readWrite }

  public enum ExistingFile: Sendable, Equatable {
    /// An existing file is an error and stays as it is.
    case fail
    /// An existing file is emptied first.
    case replace
  }

  /// Whether the file is locked against other processes while it is open (not done in parallel files).
  ///
  /// The environment variable `HDF5_USE_FILE_LOCKING` wins over all three.
  public enum Locking: Sendable, Equatable {
    /// Lock, unless the file system has no locks.
    case bestEffort
    /// Lock, or fail.
    case required
    case off
  }

  /// The file's path as it was given.
  public let path: String
  public let access: Access
  /// Bytes at the file's beginning that HDF5 leaves to the program. Write them while the file is closed.
  public let userBlockBytes: Int

  let id: hid_t
  private(set) var parallel: ParallelAccess?
  private var isClosed = false

  public var isParallel: Bool { HDF5Library.lockedQuietly { parallel != nil } }

  /// Makes a new file.
  ///
  /// Equal contents give equal bytes: no times are kept.
  /// - Parameters:
  ///   - userBlockBytes: 0, or a power of two from 512.
  ///   - communicator: The ranks that share the file; `nil` for a file of this process alone. Collective.
  public static func create(
    _ path: String, ifExists: ExistingFile = .fail, userBlockBytes: Int = 0, locking: Locking = .bestEffort,
    communicator: Communicator? = nil
  ) throws(HDF5Error) -> HDF5File {
    guard userBlockBytes == 0 || (userBlockBytes >= 512 && userBlockBytes.nonzeroBitCount == 1) else {
      throw HDF5Error(
        .invalidArgument, file: path,
        "a user block of \(userBlockBytes) bytes is impossible: take 0 or a power of two from 512.")
    }
    return try opening(path, .readWrite, locking, communicator) { (accessList, _) throws(HDF5Error) in
      let creation = H5Pcreate(chdf5_file_create())
      defer { H5Pclose(creation) }
      guard creation >= 0, H5Pset_userblock(creation, hsize_t(userBlockBytes)) >= 0,
        H5Pset_obj_track_times(creation, false) >= 0
      else { throw .ofLibrary(path, nil, "the file's properties could not be set.") }
      let flags = ifExists == .fail ? chdf5_exclusive() : chdf5_truncate()
      let id = H5Fcreate(path, flags, creation, accessList)
      guard id >= 0 else { throw OpeningFailure.creating(path, ifExists, LibraryStack.capture()) }
      return id
    }
  }

  /// Opens an existing file.
  ///
  /// A file that is cut short is refused here. Against bytes changed inside a file HDF5 1.10 defends itself badly:
  /// it may read wrong numbers, and with a damaged heap of variable-length texts it never returns. Where that
  /// matters, compare a checksum of the whole file before opening it.
  /// - Parameter communicator: The ranks that share the file; `nil` to open it for this process alone. Collective.
  public static func open(
    _ path: String, _ access: Access = .readOnly, locking: Locking = .bestEffort, communicator: Communicator? = nil
  ) throws(HDF5Error) -> HDF5File {
    try opening(path, access, locking, communicator) { (accessList, parallel) throws(HDF5Error) in
      if access == .readWrite {
        // The library takes an empty file that may be written for a new one, and makes it one. The ranks must
        // agree on what they see before some of them go on.
        let isEmpty = OpeningFailure.isEmptyFile(path)
        guard try parallel?.maximum(isEmpty ? 1 : 0, file: path) != 1, parallel != nil || !isEmpty else {
          throw OpeningFailure.opening(path, access, LibraryStack())
        }
      }
      let id = H5Fopen(path, access == .readOnly ? chdf5_read_only() : chdf5_read_write(), accessList)
      guard id >= 0 else { throw OpeningFailure.opening(path, access, LibraryStack.capture()) }
      return id
    }
  }

  private static func opening(
    _ path: String, _ access: Access, _ locking: Locking, _ communicator: Communicator?,
    _ open: (_ accessList: hid_t, ParallelAccess?) throws(HDF5Error) -> hid_t
  ) throws(HDF5Error) -> HDF5File {
    guard !path.isEmpty, !path.utf8.contains(0) else {
      throw HDF5Error(.invalidArgument, file: path, "a file's path is not empty and holds no zero byte.")
    }
    return try HDF5Library.locked { () throws(HDF5Error) in
      let accessList = H5Pcreate(chdf5_file_access())
      defer { H5Pclose(accessList) }
      // Strong: closing the file closes the objects that are still open in it, so that the file is complete
      // when `close` returns, whatever the program still holds.
      guard accessList >= 0, H5Pset_fclose_degree(accessList, H5F_CLOSE_STRONG) >= 0,
        H5Pset_file_locking(accessList, locking != .off, locking == .bestEffort) >= 0
      else { throw .ofLibrary(path, nil, "the file's access properties could not be set.") }
      var parallel: ParallelAccess?
      if let communicator {
        parallel = try ParallelAccess(duplicating: communicator, file: path)
        guard parallel!.apply(to: accessList) >= 0 else {
          let error = HDF5Error.ofLibrary(path, nil, "parallel access could not be set up.")
          parallel?.free()
          throw error
        }
      }
      do throws(HDF5Error) {
        return try HDF5File(id: try open(accessList, parallel), path, access, parallel)
      } catch {
        // All ranks get here together: opening is collective and fails everywhere or nowhere.
        parallel?.free()
        throw error
      }
    }
  }

  private init(id: hid_t, _ path: String, _ access: Access, _ parallel: ParallelAccess?) throws(HDF5Error) {
    self.id = id
    self.path = path
    self.access = access
    self.parallel = parallel
    var bytes: hsize_t = 0
    let creation = H5Fget_create_plist(id)
    let status = H5Pget_userblock(creation, &bytes)
    H5Pclose(creation)
    userBlockBytes = Int(bytes)
    guard status >= 0 else { throw .ofLibrary(path, nil, "the file's properties could not be read.") }
    if parallel != nil { ForgottenFiles.add(id) }
  }

  deinit {
    // Closing a parallel file is collective, and nothing makes ranks drop their last reference together: there
    // `close` is the only way, short of the end of MPI.
    HDF5Library.lockedQuietly {
      if !isClosed && parallel == nil { H5Fclose(id) }
    }
  }

  /// The group that holds everything.
  public var root: Group { Group(file: self, path: "/") }

  /// The file's attributes: those of its root group.
  public var attributes: Attributes { root.attributes }

  /// Hands everything written so far to the operating system. Collective in parallel files.
  public func flush() throws(HDF5Error) {
    try HDF5Library.locked { () throws(HDF5Error) in
      try requireOpen(nil)
      guard H5Fflush(id, H5F_SCOPE_LOCAL) >= 0 else { throw .ofLibrary(path, nil, "flushing the file failed.") }
    }
  }

  /// Completes the file and closes it, with all groups and data sets in it. A second call does nothing.
  ///
  /// Collective in parallel files, which are only ever closed by this call, or by `MPI_Finalize` if all ranks
  /// forgot it.
  public func close() throws(HDF5Error) {
    try HDF5Library.locked { () throws(HDF5Error) in
      guard !isClosed else { return }
      isClosed = true
      if parallel != nil { ForgottenFiles.remove(id) }
      let status = H5Fclose(id)
      let error = status < 0 ? HDF5Error.ofLibrary(path, nil, "closing the file failed: it may be incomplete.") : nil
      parallel?.free()
      if let error { throw error }
    }
  }

  /// For `deinit` of what lies in the file: closing the file has closed it already.
  var isOpen: Bool { !isClosed }

  func requireOpen(_ object: String?) throws(HDF5Error) {
    guard !isClosed else { throw HDF5Error(.closed, file: path, object: object, "the file has been closed.") }
  }

  func requireWritable(_ object: String?) throws(HDF5Error) {
    try requireOpen(object)
    guard access == .readWrite else {
      throw HDF5Error(
        .readOnly, file: path, object: object, "the file was opened for reading only; open it with .readWrite.")
    }
  }
}
