import KitiMPI
import KitiTestSupport
import XCTest

final class NonBlockingTests: MPITestCase {
  func testRequestsGiveResultsInWhateverOrderTheyAreWaitedFor() throws {
    func check<T: TestElement>(_: T.Type, on communicator: Communicator) throws {
      let (rank, size) = (communicator.rank, communicator.size)
      let root = size - 1
      let sum = try communicator.startAllreduce(sample(9, rank: rank) as [T], .sum)
      let copy = try communicator.startBroadcast(sample(8, rank: rank) as [T], root: root)
      let block = try communicator.startReduceScatter(sample(4 * size, rank: rank) as [T], .maximum)
      let all = try communicator.startAllgather(sample(5, rank: rank) as [T])
      let barrier = try communicator.startBarrier()
      try barrier.wait()
      let gathered = try all.wait()
      XCTAssertEqual(gathered, (0..<size).flatMap { sample(5, rank: $0) as [T] })
      let maximum: [T] = reduced(4 * size, ranks: 0..<size, max)
      let ownBlock = try block.wait()
      XCTAssertEqual(ownBlock, Array(maximum[(4 * rank)..<(4 * rank + 4)]))
      let copied = try copy.wait()
      XCTAssertEqual(copied, sample(8, rank: root))
      let summed = try sum.wait()
      XCTAssertEqual(summed, reduced(9, ranks: 0..<size, +))
    }
    try everywhere { communicator in
      for type in everyElementType { try check(type, on: communicator) }
    }
  }

  func testTestedRequestBecomesComplete() throws {
    try everywhere { communicator in
      let request = try communicator.startAllreduce([1.0, 2, 3, 4], .sum)
      while try !request.test() {}
      let size = Double(communicator.size)
      let result = try request.wait()
      XCTAssertEqual(result, [size, 2 * size, 3 * size, 4 * size])
    }
  }

  func testDroppedRequestLeavesTheCommunicatorUsable() throws {
    try everywhere { communicator in
      for _ in 0..<10 { _ = try communicator.startAllreduce([Int](repeating: 1, count: 1000), .sum) }
      XCTAssertEqual(try communicator.allreduce(1, .sum), communicator.size)
    }
  }

  func testEmptyRequestsGiveEmptyArrays() throws {
    try everywhere { communicator in
      let none: [Float] = []
      XCTAssertEqual(try communicator.startAllreduce(none, .sum).wait(), [])
      XCTAssertEqual(try communicator.startBroadcast(none, root: 0).wait(), [])
      XCTAssertEqual(try communicator.startReduceScatter(none, .sum).wait(), [])
      XCTAssertEqual(try communicator.startAllgather(none).wait(), [])
    }
  }

  func testRequestSetIsUsedAgainAfterWaitingAndPolling() throws {
    try everywhere { communicator in
      let (rank, size) = (communicator.rank, communicator.size)
      let set = RequestSet(capacity: 64)
      for round in 0..<6 {
        var sums: [[Float]] = (0..<4).map { sample(10 + $0, rank: rank + round) }
        var gathered = [Int32](repeating: 0, count: 4 * size)
        gathered.replaceSubrange((4 * rank)..<(4 * rank + 4), with: sample(4, rank: rank))
        var block = [Double](repeating: 0, count: 4)
        let blocks: [Double] = sample(4 * size, rank: rank)
        var copy: [UInt8] = sample(5, rank: rank)
        try withBuffers(&sums) { buffers in
          try gathered.withUnsafeMutableBufferPointer { gathered in
            try block.withUnsafeMutableBufferPointer { block in
              try copy.withUnsafeMutableBufferPointer { copy in
                try blocks.withUnsafeBufferPointer { blocks in
                  for buffer in buffers { try set.startAllreduce(inPlace: buffer, .sum, on: communicator) }
                  try set.startAllgather(inPlace: gathered, on: communicator)
                  try set.startReduceScatter(blocks, into: block, .sum, on: communicator)
                  try set.startBroadcast(copy, root: 0, on: communicator)
                  try set.startBarrier(on: communicator)
                  XCTAssertGreaterThan(set.pending, 0)
                  if round.isMultiple(of: 2) {
                    try set.waitAll()
                  } else {
                    while try !set.poll() {}
                  }
                }
              }
            }
          }
        }
        XCTAssertEqual(set.pending, 0)
        for (index, sum) in sums.enumerated() {
          XCTAssertEqual(sum, reduced(10 + index, ranks: round..<(round + size), +))
        }
        XCTAssertEqual(gathered, (0..<size).flatMap { sample(4, rank: $0) as [Int32] })
        let sum: [Double] = reduced(4 * size, ranks: 0..<size, +)
        XCTAssertEqual(block, Array(sum[(4 * rank)..<(4 * rank + 4)]))
        XCTAssertEqual(copy, sample(5, rank: 0))
      }
    }
  }

  func testFullRequestSetRefusesMoreAndKeepsWhatItHas() throws {
    try onEachCommunicator { communicator in
      let set = RequestSet(capacity: 2)
      var values: [Float] = [1, 2, 3, 4, 5, 6, 7]
      try values.withUnsafeMutableBufferPointer { buffer in
        for index in 0..<2 {
          try set.startAllreduce(
            inPlace: UnsafeMutableBufferPointer(rebasing: buffer[index...index]), .sum, on: communicator)
        }
        let rest = UnsafeMutableBufferPointer(rebasing: buffer[2...])
        XCTAssertThrowsError(try set.startAllreduce(inPlace: rest, .sum, on: communicator)) { error in
          XCTAssertEqual((error as? MPIError)?.errorClass, .request)
        }
        XCTAssertEqual(set.pending, 2)
        try set.waitAll()
        // Five elements in calls of two need three places.
        try withLargeCounts(from: 2) {
          XCTAssertThrowsError(try set.startAllreduce(inPlace: rest, .sum, on: communicator))
        }
        XCTAssertEqual(set.pending, 0)
      }
      let size = Float(communicator.size)
      XCTAssertEqual(values, [size, 2 * size, 3, 4, 5, 6, 7])
    }
  }

  func testEmptyRequestSetIsComplete() throws {
    let set = RequestSet(capacity: 0)
    XCTAssertTrue(try set.poll())
    try set.waitAll()
    try set.startAllreduce(
      inPlace: UnsafeMutableBufferPointer<Float>(start: nil, count: 0), .sum, on: .world)
    XCTAssertEqual(set.pending, 0)
  }

  /// Buffers on all arrays at once, in memory that stays where it is.
  private func withBuffers(
    _ arrays: inout [[Float]], _ body: ([UnsafeMutableBufferPointer<Float>]) throws -> Void
  ) rethrows {
    let buffers = arrays.map { array in
      let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: array.count)
      _ = buffer.initialize(fromContentsOf: array)
      return buffer
    }
    defer { buffers.forEach { $0.deallocate() } }
    try body(buffers)
    arrays = buffers.map { Array($0) }
  }
}
