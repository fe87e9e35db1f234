import KitiMPI
import KitiTestSupport
import Synchronization
import XCTest

final class SharedMemoryTests: MPITestCase {
  func testEveryRankSeesWhatEachHasWritten() throws {
    try everywhere { communicator in
      let memory = try XCTUnwrap(try SharedMemory(bytesPerRank: 5_000, communicator: communicator))
      XCTAssertEqual(memory.bytesPerRank % 4_096, 0)
      XCTAssertGreaterThanOrEqual(memory.bytesPerRank, 5_000)
      let count = memory.bytesPerRank / 8
      func numbers(of rank: Int) -> UnsafeMutableBufferPointer<Int> {
        UnsafeMutableBufferPointer(start: memory.region(of: rank).assumingMemoryBound(to: Int.self), count: count)
      }
      XCTAssertTrue(numbers(of: communicator.rank).allSatisfy { $0 == 0 })
      for index in 0..<count { numbers(of: communicator.rank)[index] = 1_000 * communicator.rank + index }
      try communicator.barrier()
      for rank in 0..<communicator.size {
        XCTAssertEqual(Array(numbers(of: rank)), (0..<count).map { 1_000 * rank + $0 }, "rank \(rank)")
      }
      try communicator.barrier()
    }
  }

  func testRanksWaitForOneAnother() throws {
    let memory = try XCTUnwrap(try SharedMemory(bytesPerRank: 64, communicator: world))
    func turn(of rank: Int) -> UnsafeMutablePointer<Atomic<Int>> {
      memory.region(of: rank).assumingMemoryBound(to: Atomic<Int>.self)
    }
    for round in 1...200 {
      // Each rank goes on after the one before it, the first after the last.
      let (before, wanted) = world.rank == 0 ? (world.size - 1, round - 1) : (world.rank - 1, round)
      try memory.wait("turns") { turn(of: before).pointee.load(ordering: .acquiring) >= wanted }
      turn(of: world.rank).pointee.store(round, ordering: .releasing)
    }
    try world.barrier()
    for rank in 0..<world.size { XCTAssertEqual(turn(of: rank).pointee.load(ordering: .acquiring), 200) }
  }

  func testWaitingIsOneOperationToAWatchdog() throws {
    let memory = try XCTUnwrap(try SharedMemory(bytesPerRank: 64, communicator: world))
    let before = Activity.reading.changes
    var looks = 0
    try memory.wait("a long wait") {
      looks += 1
      if looks == 2_500 {
        let reading = Activity.reading
        XCTAssertEqual(reading.kind, .communication)
        XCTAssertEqual(reading.operation, "a long wait")
        XCTAssertEqual(reading.changes, before + 1)
      }
      return looks == 5_000
    }
    XCTAssertEqual(Activity.reading.kind, .none)
    XCTAssertEqual(Activity.reading.changes, before + 2)
  }

  func testMoreThanThereIsIsRefusedOnAllRanksAndLeavesNothing() throws {
    let before = try FileManager.default.contentsOfDirectory(atPath: "/dev/shm").filter { $0.hasPrefix("kiti-dist-") }
    XCTAssertNil(try SharedMemory(bytesPerRank: 1 << 46, communicator: world))
    XCTAssertNil(try SharedMemory(bytesPerRank: 1 << 46, communicator: .single))
    XCTAssertNotNil(try SharedMemory(bytesPerRank: 64, communicator: world))
    try world.barrier()
    let after = try FileManager.default.contentsOfDirectory(atPath: "/dev/shm").filter { $0.hasPrefix("kiti-dist-") }
    XCTAssertEqual(Set(after).subtracting(before), [])
  }
}
