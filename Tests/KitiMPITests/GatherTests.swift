import KitiMPI
import KitiTestSupport
import XCTest

/// Collectives that move elements without changing them.
final class GatherTests: MPITestCase {
  func testBroadcastReachesEveryRankFromEveryRoot() throws {
    func check<T: TestElement>(_: T.Type, on communicator: Communicator) throws {
      for root in 0..<communicator.size {
        let expected: [T] = sample(8, rank: root)
        let own: [T] = sample(8, rank: communicator.rank)
        XCTAssertEqual(try own.changed { try communicator.broadcast($0, root: root) }, expected)
        // Only the root's array counts, whatever the others pass.
        XCTAssertEqual(
          try communicator.broadcast(communicator.rank == root ? expected : [], root: root), expected)
        XCTAssertEqual(try communicator.broadcast(own[0], root: root), expected[0])
      }
    }
    try everywhere { communicator in
      for type in everyElementType { try check(type, on: communicator) }
    }
  }

  func testGatherAndAllgatherKeepTheOrderOfRanks() throws {
    func check<T: TestElement>(_: T.Type, on communicator: Communicator) throws {
      let own: [T] = sample(4, rank: communicator.rank)
      let all: [T] = (0..<communicator.size).flatMap { sample(4, rank: $0) }
      let firsts: [T] = (0..<communicator.size).map { sample(1, rank: $0)[0] }
      for root in 0..<communicator.size {
        let isRoot = communicator.rank == root
        XCTAssertEqual(try communicator.gather(own, root: root), isRoot ? all : nil)
        XCTAssertEqual(try communicator.gather(own[0], root: root), isRoot ? firsts : nil)
      }
      XCTAssertEqual(try communicator.allgather(own), all)
      XCTAssertEqual(try communicator.allgather(own[0]), firsts)
      var parts = [T](repeating: 0, count: all.count)
      parts.replaceSubrange((4 * communicator.rank)..<(4 * communicator.rank + 4), with: own)
      XCTAssertEqual(try parts.changed { try communicator.allgather(inPlace: $0) }, all)
    }
    try everywhere { communicator in
      for type in everyElementType { try check(type, on: communicator) }
    }
  }

  func testScatterCutsTheRootsArray() throws {
    func check<T: TestElement>(_: T.Type, on communicator: Communicator) throws {
      let block = 4
      for root in 0..<communicator.size {
        let whole: [T] = sample(block * communicator.size, rank: root)
        let start = block * communicator.rank
        XCTAssertEqual(
          try communicator.scatter(communicator.rank == root ? whole : [], root: root),
          Array(whole[start..<(start + block)]))
      }
    }
    try everywhere { communicator in
      for type in everyElementType { try check(type, on: communicator) }
    }
  }

  func testAllToAllTransposesBlocks() throws {
    func check<T: TestElement>(_: T.Type, on communicator: Communicator) throws {
      let size = communicator.size
      let own: [T] = sample(2 * size, rank: communicator.rank)
      let expected: [T] = (0..<size).flatMap { source -> ArraySlice<T> in
        let sent: [T] = sample(2 * size, rank: source)
        return sent[(2 * communicator.rank)..<(2 * communicator.rank + 2)]
      }
      XCTAssertEqual(try communicator.allToAll(own), expected)
    }
    try everywhere { communicator in
      for type in everyElementType { try check(type, on: communicator) }
    }
  }

  func testVaryingCountsKeepOrderAndSizes() throws {
    func check<T: TestElement>(_: T.Type, on communicator: Communicator) throws {
      // Rank 0 has nothing and takes part all the same.
      let parts: [[T]] = (0..<communicator.size).map { sample(5 * $0, rank: $0) }
      let own = parts[communicator.rank]
      XCTAssertEqual(try communicator.allgather(varying: own), parts)
      for root in 0..<communicator.size {
        let isRoot = communicator.rank == root
        XCTAssertEqual(try communicator.gather(varying: own, root: root), isRoot ? parts : nil)
        XCTAssertEqual(try communicator.scatter(varying: isRoot ? parts : [], root: root), own)
      }
      let outgoing: [[T]] = (0..<communicator.size).map { sample(communicator.rank + 4 * $0, rank: $0) }
      let incoming: [[T]] = (0..<communicator.size).map {
        sample($0 + 4 * communicator.rank, rank: communicator.rank)
      }
      XCTAssertEqual(try communicator.allToAll(varying: outgoing), incoming)
    }
    try everywhere { communicator in
      for type in everyElementType { try check(type, on: communicator) }
    }
  }

  func testTextsArriveWhole() throws {
    try everywhere { communicator in
      let texts = (0..<communicator.size).map { String(repeating: "χρόνος ", count: $0) + "\($0)" }
      let own = texts[communicator.rank]
      XCTAssertEqual(try communicator.allgather(own), texts)
      for root in 0..<communicator.size {
        XCTAssertEqual(try communicator.gather(own, root: root), communicator.rank == root ? texts : nil)
        XCTAssertEqual(try communicator.broadcast(own, root: root), texts[root])
      }
      XCTAssertEqual(try communicator.broadcast("", root: 0), "")
    }
  }

  func testEmptyBuffersMoveNothing() throws {
    try everywhere { communicator in
      let none: [Double] = []
      let isRoot = communicator.rank == 0
      XCTAssertEqual(try communicator.broadcast(none, root: 0), [])
      try communicator.broadcast(UnsafeMutableBufferPointer<Double>(start: nil, count: 0), root: 0)
      XCTAssertEqual(try communicator.gather(none, root: 0), isRoot ? [] : nil)
      XCTAssertEqual(try communicator.allgather(none), [])
      try communicator.allgather(inPlace: UnsafeMutableBufferPointer<Double>(start: nil, count: 0))
      XCTAssertEqual(try communicator.scatter(none, root: 0), [])
      XCTAssertEqual(try communicator.allToAll(none), [])
      let nones = [[Double]](repeating: [], count: communicator.size)
      XCTAssertEqual(try communicator.gather(varying: none, root: 0), isRoot ? nones : nil)
      XCTAssertEqual(try communicator.allgather(varying: none), nones)
      XCTAssertEqual(try communicator.scatter(varying: nones, root: 0), [])
      XCTAssertEqual(try communicator.allToAll(varying: nones), nones)
      try communicator.barrier()
    }
  }
}
