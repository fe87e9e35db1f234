import KitiMPI
import KitiTestSupport
import XCTest

final class ReductionTests: MPITestCase {
  func testAllreduceCombinesEveryElementTypeWithEveryOperation() throws {
    func check<T: TestElement>(_: T.Type, on communicator: Communicator) throws {
      let operations: [(ReductionOperation<T>, (T, T) -> T)] = [
        (.sum, { $0 + $1 }), (.minimum, { min($0, $1) }), (.maximum, { max($0, $1) }),
      ]
      for (operation, combine) in operations {
        let own: [T] = sample(7, rank: communicator.rank)
        let expected = reduced(7, ranks: 0..<communicator.size, combine)
        XCTAssertEqual(try communicator.allreduce(own, operation), expected)
        let received = try [T](repeating: 0, count: 7).changed { receive in
          try own.withUnsafeBufferPointer { try communicator.allreduce($0, into: receive, operation) }
        }
        XCTAssertEqual(received, expected)
        XCTAssertEqual(
          try own.changed { try communicator.allreduce(inPlace: $0, operation) }, expected)
      }
      // Small factors: the product of all ranks must fit an Int8.
      let factor = T(exactly: communicator.rank % 2 + 1)!
      let product = (0..<communicator.size).map { T(exactly: $0 % 2 + 1)! }.reduce(1, *)
      XCTAssertEqual(try communicator.allreduce(factor, .product), product)
    }
    try everywhere { communicator in
      for type in everyElementType { try check(type, on: communicator) }
    }
  }

  func testLogicalAndIsNonZeroOnlyWhereEveryRankIs() throws {
    try everywhere { communicator in
      let last = communicator.rank == communicator.size - 1
      let result = try communicator.allreduce([5, last ? 0 : 1, 0, last ? 3 : 1], .logicalAnd)
      XCTAssertEqual(result.map { $0 != 0 }, [true, false, false, true])
    }
  }

  func testReduceReachesTheRootOnlyAndLeavesTheOthersAlone() throws {
    func check<T: TestElement>(_: T.Type, on communicator: Communicator) throws {
      for root in 0..<communicator.size {
        let own: [T] = sample(5, rank: communicator.rank)
        let sum: [T] = reduced(5, ranks: 0..<communicator.size, +)
        let isRoot = communicator.rank == root
        XCTAssertEqual(try communicator.reduce(own, .sum, root: root), isRoot ? sum : nil)
        XCTAssertEqual(
          try own.changed { try communicator.reduce(inPlace: $0, .sum, root: root) }, isRoot ? sum : own)
        let received = try [T](repeating: 0, count: 5).changed { receive in
          try own.withUnsafeBufferPointer {
            try communicator.reduce($0, into: isRoot ? receive : nil, .sum, root: root)
          }
        }
        XCTAssertEqual(received, isRoot ? sum : [0, 0, 0, 0, 0])
        XCTAssertEqual(
          try communicator.reduce(own[0], .maximum, root: root),
          isRoot ? reduced(1, ranks: 0..<communicator.size, max)[0] : nil)
      }
    }
    try everywhere { communicator in
      for type in everyElementType { try check(type, on: communicator) }
    }
  }

  func testScansCombineTheRanksBeforeWithAndWithoutTheOwn() throws {
    try everywhere { communicator in
      let rank = communicator.rank
      let own: [Int] = sample(8, rank: rank)
      XCTAssertEqual(
        try own.changed { try communicator.inclusiveScan(inPlace: $0, .sum) },
        reduced(8, ranks: 0..<(rank + 1), +))
      XCTAssertEqual(
        try own.changed { try communicator.exclusiveScan(inPlace: $0, .sum) },
        rank == 0 ? own : reduced(8, ranks: 0..<rank, +))
      XCTAssertEqual(try communicator.inclusiveScan(rank + 1, .sum), (rank + 1) * (rank + 2) / 2)
      XCTAssertEqual(try communicator.exclusiveScan(rank + 1, .sum), rank == 0 ? nil : rank * (rank + 1) / 2)
    }
  }

  func testReduceScatterGivesEachRankItsBlockOfTheSum() throws {
    func check<T: TestElement>(_: T.Type, on communicator: Communicator) throws {
      for block in [1, 2, 5] {
        let total = block * communicator.size
        let sum: [T] = reduced(total, ranks: 0..<communicator.size, +)
        XCTAssertEqual(
          try communicator.reduceScatter(sample(total, rank: communicator.rank) as [T], .sum),
          Array(sum[(block * communicator.rank)..<(block * (communicator.rank + 1))]))
      }
      // Counts of 0, 3, 6, …: some rank has nothing, and still takes part.
      let counts = (0..<communicator.size).map { 3 * $0 }
      let start = counts[..<communicator.rank].reduce(0, +)
      let total = counts.reduce(0, +)
      let sum: [T] = reduced(total, ranks: 0..<communicator.size, +)
      XCTAssertEqual(
        try communicator.reduceScatter(sample(total, rank: communicator.rank) as [T], counts: counts, .sum),
        Array(sum[start..<(start + counts[communicator.rank])]))
    }
    try everywhere { communicator in
      for type in everyElementType { try check(type, on: communicator) }
    }
  }

  func testEmptyBuffersReduceToEmptyBuffers() throws {
    try everywhere { communicator in
      let none: [Float] = []
      XCTAssertEqual(try communicator.allreduce(none, .sum), [])
      try communicator.allreduce(inPlace: UnsafeMutableBufferPointer<Float>(start: nil, count: 0), .sum)
      XCTAssertEqual(try communicator.reduce(none, .sum, root: 0), communicator.rank == 0 ? [] : nil)
      XCTAssertEqual(try communicator.reduceScatter(none, .sum), [])
      let counts = [Int](repeating: 0, count: communicator.size)
      XCTAssertEqual(try communicator.reduceScatter(none, counts: counts, .sum), [])
      try communicator.inclusiveScan(inPlace: UnsafeMutableBufferPointer<Float>(start: nil, count: 0), .sum)
      try communicator.exclusiveScan(inPlace: UnsafeMutableBufferPointer<Float>(start: nil, count: 0), .sum)
    }
  }
}
