import CHDF5
import Foundation
import XCTest

/// MPI for the tests: started by the first that needs it, ended after the last.
struct MPIFixture: @unchecked Sendable {
  let communicator: MPI_Comm
  let rank: Int
  let size: Int

  static let world: MPIFixture = {
    // Open MPI's own parallel I/O corrupts HDF5 files silently; a choice of the user's stays.
    setenv("OMPI_MCA_io", "^ompio", 0)
    var isStarted: Int32 = 0
    MPI_Initialized(&isStarted)
    if isStarted == 0 {
      var level: Int32 = 0
      MPI_Init_thread(nil, nil, Int32(MPI_THREAD_SERIALIZED), &level)
    }
    XCTestObservationCenter.shared.addTestObserver(Finalizer())
    return MPIFixture(chdf5_mpi_world())
  }()

  init(_ communicator: MPI_Comm) {
    self.communicator = communicator
    var (rank, size): (Int32, Int32) = (0, 0)
    MPI_Comm_rank(communicator, &rank)
    MPI_Comm_size(communicator, &size)
    self.rank = Int(rank)
    self.size = Int(size)
  }

  func barrier() { MPI_Barrier(communicator) }

  /// Rank 0's text, on all ranks.
  func shared(_ text: String) -> String {
    var codes = [Int64](repeating: 0, count: 1024)
    for (index, byte) in text.utf8.enumerated() { codes[index] = Int64(byte) }
    MPI_Bcast(&codes, 1024, chdf5_mpi_int64(), 0, communicator)
    return String(decoding: codes.prefix { $0 != 0 }.map { UInt8($0) }, as: UTF8.self)
  }

  /// The ranks of this one's parity.
  func half() -> MPIFixture {
    var part: MPI_Comm?
    MPI_Comm_split(communicator, Int32(rank % 2), Int32(rank), &part)
    return MPIFixture(part!)
  }

  func free() {
    var communicator: MPI_Comm? = communicator
    MPI_Comm_free(&communicator)
  }

  private final class Finalizer: NSObject, XCTestObservation {
    func testBundleDidFinish(_ testBundle: Bundle) {
      var isOver: Int32 = 0
      MPI_Finalized(&isOver)
      if isOver == 0 { MPI_Finalize() }
    }
  }
}

/// A test that all ranks make together, in a folder that they share.
class ParallelTestCase: XCTestCase {
  let world = MPIFixture.world
  private(set) var folder: URL!

  override func setUpWithError() throws {
    // A rank that waits for ever must end the run: the signal's default action does.
    alarm(120)
    folder = URL(
      fileURLWithPath: world.shared(
        FileManager.default.temporaryDirectory.appendingPathComponent("kiti-hdf5-\(UUID().uuidString)").path))
    if world.rank == 0 {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }
    world.barrier()
  }

  override func tearDownWithError() throws {
    world.barrier()
    if world.rank == 0 { try FileManager.default.removeItem(at: folder) }
    alarm(0)
  }

  func path(_ name: String = "file.h5") -> String { folder.appendingPathComponent(name).path }
}
