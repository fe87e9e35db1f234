import CHDF5
import Foundation
import KitiMPI

/// The one door to the C library.
///
/// Debian's parallel HDF5 is built without thread safety, so every call of the library, and of the MPI
/// routines that serve it, happens inside `locked`. The lock is recursive, since closing an object may happen
/// (through `deinit`) while another call is under way.
///
/// HDF5 shuts itself down in `MPI_Finalize`: no file, serial ones included, may be used after it.
package enum HDF5Library {
  private static let lock = NSRecursiveLock()

  /// - Parameter function: what a watchdog calls this use of the library.
  static func locked<Result>(
    function: StaticString = #function, _ body: () throws(HDF5Error) -> Result
  ) throws(HDF5Error) -> Result {
    lock.lock()
    Activity.begin(.file, function)
    defer {
      Activity.end()
      lock.unlock()
    }
    _ = constants
    return try body()
  }

  /// For what cannot fail, or has nobody to report to, like `deinit`.
  static func lockedQuietly<Result>(_ body: () -> Result) -> Result {
    lock.lock()
    defer { lock.unlock() }
    return body()
  }

  /// The most bytes one call may move in a parallel file; longer transfers are split.
  ///
  /// ROMIO counts bytes in `int`. Must be the same on all ranks; tests set it to a few bytes.
  package static var maximumTransferBytes: Int {
    get { lockedQuietly { transferLimit } }
    set {
      precondition(newValue > 0, "a transfer moves at least one byte")
      lockedQuietly { transferLimit = newValue }
    }
  }

  nonisolated(unsafe) private static var transferLimit = 1 << 30

  /// Handles that are made once and never changed; read only inside `locked`.
  static let constants = Constants()

  struct Constants: Sendable {
    let notHDF5: hid_t
    let truncated: hid_t
    let cannotLock: hid_t
    let collectiveTransfer: hid_t
    let linkCreation: hid_t
    let groupCreation: hid_t
    let attributeCreation: hid_t

    init() {
      H5open()
      // Errors are thrown with their text; the library would also print them, once a rank.
      H5Eset_auto2(chdf5_error_stack(), nil, nil)
      notHDF5 = chdf5_error_not_hdf5()
      truncated = chdf5_error_truncated()
      cannotLock = chdf5_error_cannot_lock()
      collectiveTransfer = H5Pcreate(chdf5_dataset_transfer())
      H5Pset_dxpl_mpio(collectiveTransfer, H5FD_MPIO_COLLECTIVE)
      linkCreation = H5Pcreate(chdf5_link_create())
      H5Pset_create_intermediate_group(linkCreation, 1)
      H5Pset_char_encoding(linkCreation, H5T_CSET_UTF8)
      groupCreation = H5Pcreate(chdf5_group_create())
      H5Pset_obj_track_times(groupCreation, false)
      attributeCreation = H5Pcreate(chdf5_attribute_create())
      H5Pset_char_encoding(attributeCreation, H5T_CSET_UTF8)
    }
  }
}
