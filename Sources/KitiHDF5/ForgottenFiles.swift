import CHDF5

/// Parallel files that are still open when MPI ends.
///
/// HDF5 closes them in `MPI_Finalize`, but after MPI's own file layer has been taken down there, and crashes: an
/// error that all ranks report properly would end as a segmentation fault. Attributes of `MPI_COMM_SELF` are
/// deleted in the reverse order of their making, so one made after the first file was opened is deleted while
/// files can still be closed. Used inside `HDF5Library.locked` only.
enum ForgottenFiles {
  nonisolated(unsafe) private static var files: [hid_t] = []
  nonisolated(unsafe) private static var isRegistered = false

  static func add(_ id: hid_t) {
    files.append(id)
    guard !isRegistered else { return }
    isRegistered = true
    var key: Int32 = 0
    let status = MPI_Comm_create_keyval(
      { _, _, _, _, _, isCopied in
        isCopied?.pointee = 0
        return 0
      },
      { _, _, _, _ in
        HDF5Library.lockedQuietly { ForgottenFiles.closeAll() }
        return 0
      }, &key, nil)
    if status == 0 { MPI_Comm_set_attr(chdf5_mpi_self(), key, nil) }
  }

  static func remove(_ id: hid_t) {
    files.removeAll { $0 == id }
  }

  /// In the order of opening, the same on all ranks.
  private static func closeAll() {
    for id in files { H5Fclose(id) }
    files = []
  }
}
