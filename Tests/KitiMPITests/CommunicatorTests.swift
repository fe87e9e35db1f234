import Foundation
import KitiMPI
import KitiTestSupport
import XCTest

final class CommunicatorTests: MPITestCase {
  func testRunningMPIKnowsItself() throws {
    XCTAssertTrue(MPI.isRunning)
    XCTAssertGreaterThanOrEqual(MPI.providedThreadLevel, .funneled)
    XCTAssertFalse(MPI.libraryVersion.isEmpty)
    XCTAssertFalse(MPI.processorName.isEmpty)
    XCTAssertLessThanOrEqual(MPI.wallTime, MPI.wallTime)
    try MPI.start()
    XCTAssertTrue(MPI.isRunning)
  }

  func testStartingAgainWithMoreThanWasGrantedIsAnErrorThatNamesBothLevels() throws {
    guard MPI.providedThreadLevel < .multiple else { return }
    XCTAssertThrowsError(try MPI.start(threadLevel: .multiple)) { error in
      XCTAssertTrue("\(error)".contains("'multiple'"), "\(error)")
      XCTAssertTrue("\(error)".contains("'\(MPI.providedThreadLevel)'"), "\(error)")
    }
  }

  func testParallelFilesKeepAwayFromTheLayerThatCorruptsThem() {
    let choices = ProcessInfo.processInfo.environment
    XCTAssertTrue(
      choices["OMPI_MCA_io"] != nil || choices["OMPI_MCA_io_ompio_priority"] != nil
        || choices["OMPI_MCA_io_romio321_priority"] != nil)
  }

  func testSumsOfBucketsTakeTheAlgorithmThatHalvesThem() {
    XCTAssertNotNil(ProcessInfo.processInfo.environment["OMPI_MCA_coll_libnbc_iallreduce_algorithm"])
  }

  func testWorldAndSingleAreNumbered() throws {
    XCTAssertTrue((0..<Communicator.world.size).contains(Communicator.world.rank))
    XCTAssertEqual(Communicator.single.size, 1)
    XCTAssertEqual(Communicator.single.rank, 0)
    XCTAssertEqual(
      try Communicator.world.allgather(Communicator.world.rank), Array(0..<Communicator.world.size))
  }

  func testSplitGroupsByColourAndNumbersByKey() throws {
    let world = Communicator.world
    let part = try XCTUnwrap(world.split(color: world.rank % 2, key: -world.rank))
    let members = (0..<world.size).filter { $0 % 2 == world.rank % 2 }.reversed()
    XCTAssertEqual(try part.allgather(world.rank), Array(members))
    try part.free()
  }

  func testSplitWithoutColourJoinsNothing() throws {
    let world = Communicator.world
    let part = try world.split(color: world.rank == 0 ? nil : 7)
    XCTAssertEqual(part == nil, world.rank == 0)
    XCTAssertEqual(part?.size ?? world.size - 1, world.size - 1)
    try part?.free()
  }

  func testRanksOfOneHostShareMemory() throws {
    let world = Communicator.world
    let host = try world.splitSharedMemory()
    let hosts = try world.allgather(MPI.processorName)
    XCTAssertEqual(host.size, hosts.filter { $0 == MPI.processorName }.count)
    try host.free()
  }

  func testFreedCommunicatorThrowsOnEveryUse() throws {
    let duplicate = try Communicator.world.duplicate()
    try duplicate.free()
    XCTAssertThrowsError(try duplicate.barrier()) { self.check($0, .communicator, "MPI_Barrier") }
    XCTAssertThrowsError(try duplicate.allreduce(1, .sum)) { self.check($0, .communicator, "MPI_Allreduce") }
    XCTAssertThrowsError(try duplicate.free()) { self.check($0, .communicator, "MPI_Comm_free") }
  }

  func testWorldAndSingleCannotBeFreed() throws {
    XCTAssertThrowsError(try Communicator.world.free()) { self.check($0, .communicator, "MPI_Comm_free") }
    XCTAssertThrowsError(try Communicator.single.free()) { self.check($0, .communicator, "MPI_Comm_free") }
    try Communicator.world.barrier()
  }

  func testWrongArgumentsAreErrorsThatNameOperationClassAndRank() throws {
    try everywhere { communicator in
      let size = communicator.size
      XCTAssertThrowsError(try communicator.broadcast(1, root: size)) { self.check($0, .root, "MPI_Bcast") }
      XCTAssertThrowsError(try communicator.reduce([1], .sum, root: -1)) {
        self.check($0, .root, "MPI_Reduce")
      }
      XCTAssertThrowsError(try communicator.gather([1], root: size)) { self.check($0, .root, "MPI_Gather") }
      XCTAssertThrowsError(try communicator.send([1], to: size)) { self.check($0, .rank, "MPI_Send") }
      XCTAssertThrowsError(try communicator.send([1], to: 0, tag: -1)) { self.check($0, .tag, "MPI_Send") }
      XCTAssertThrowsError(try communicator.probe(from: size)) { self.check($0, .rank, "MPI_Probe") }
      XCTAssertThrowsError(try communicator.split(color: -1)) { self.check($0, .argument, "MPI_Comm_split") }
      XCTAssertThrowsError(try communicator.reduceScatter([1], counts: [], .sum)) {
        self.check($0, .count, "MPI_Reduce_scatter")
      }
      XCTAssertThrowsError(try communicator.allToAll(varying: [[Int]]())) {
        self.check($0, .count, "MPI_Alltoallv")
      }
      XCTAssertThrowsError(try communicator.startBroadcast([1], root: size).wait()) {
        self.check($0, .root, "MPI_Ibcast")
      }
      var short = [1, 2]
      try short.withUnsafeMutableBufferPointer { short in
        try [1, 2, 3].withUnsafeBufferPointer { long in
          XCTAssertThrowsError(try communicator.allreduce(long, into: short, .sum)) {
            self.check($0, .count, "MPI_Allreduce")
          }
        }
      }
      if size > 1 {
        XCTAssertThrowsError(try communicator.scatter([Int](repeating: 0, count: size + 1), root: 0)) {
          self.check($0, .count, "MPI_Scatter")
        }
        XCTAssertThrowsError(try communicator.allToAll([Int](repeating: 0, count: size + 1))) {
          self.check($0, .count, "MPI_Alltoall")
        }
      }
    }
  }

  func testErrorReadsWell() throws {
    let world = Communicator.world
    XCTAssertThrowsError(try world.broadcast(1, root: world.size)) { error in
      XCTAssertEqual(
        "\(error)",
        "MPI_Bcast failed on rank \(world.rank): root \(world.size) is no rank of this communicator, "
          + "which has the ranks 0 … \(world.size - 1) (MPI error code 8)")
    }
  }

  func testLibraryErrorCarriesTheLibrarysText() throws {
    let single = Communicator.single
    // A message to oneself is kept by the library until it is received.
    try single.send([1, 2, 3], to: 0)
    var room = [0]
    try room.withUnsafeMutableBufferPointer { room in
      XCTAssertThrowsError(try single.receive(into: room, from: 0)) { error in
        self.check(error, .truncate, "MPI_Recv")
        XCTAssertEqual((error as? MPIError)?.message.contains("truncated"), true, "\(error)")
      }
    }
  }

  private func check(_ error: any Error, _ errorClass: MPIError.ErrorClass, _ operation: String) {
    guard let error = error as? MPIError else { return XCTFail("\(error)") }
    XCTAssertEqual(error.errorClass, errorClass, "\(error)")
    XCTAssertEqual(error.operation, operation, "\(error)")
    XCTAssertEqual(error.rank, Communicator.world.rank, "\(error)")
  }
}
