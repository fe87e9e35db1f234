import CHDF5
import KitiMPI

/// The ranks that share a file: the only place that knows MPI.
///
/// Works on a duplicate of the caller's communicator, so that its own reductions never meet the caller's.
/// Used inside `HDF5Library.locked` only.
struct ParallelAccess: @unchecked Sendable {
  private var communicator: MPI_Comm?

  /// Collective over `original`.
  init(duplicating original: Communicator, file: String) throws(HDF5Error) {
    try Self.check(MPI_Comm_dup(original.handle, &communicator), "duplicating the communicator", file)
    try Self.check(MPI_Comm_set_errhandler(communicator, chdf5_mpi_errors_return()), "setting the error handler", file)
  }

  /// Makes files opened with this access list shared by the ranks.
  func apply(to accessList: hid_t) -> herr_t {
    let status = H5Pset_fapl_mpio(accessList, communicator, chdf5_mpi_no_info())
    // Metadata is the same on all ranks: one collective write instead of one small write a rank. Collective
    // metadata reads stay off: opening a data set may then be done by one rank alone.
    return status < 0 ? status : H5Pset_coll_metadata_write(accessList, true)
  }

  /// The largest of the ranks' values. Collective.
  func maximum(_ value: Int, file: String) throws(HDF5Error) -> Int {
    var mine = Int64(value)
    var largest: Int64 = 0
    try Self.check(
      MPI_Allreduce(&mine, &largest, 1, chdf5_mpi_int64(), chdf5_mpi_max(), communicator),
      "agreeing on the number of transfers", file)
    return Int(largest)
  }

  /// Collective.
  mutating func free() {
    MPI_Comm_free(&communicator)
  }

  private static func check(_ status: Int32, _ action: String, _ file: String) throws(HDF5Error) {
    guard status != 0 else { return }
    var text = [CChar](repeating: 0, count: Int(MPI_MAX_ERROR_STRING) + 1)
    var length: Int32 = 0
    MPI_Error_string(status, &text, &length)
    let reason = String(decoding: text.prefix(Int(length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    throw HDF5Error(.library, file: file, "\(action) failed: \(reason).")
  }
}
