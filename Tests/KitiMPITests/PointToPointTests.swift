import KitiMPI
import KitiTestSupport
import XCTest

final class PointToPointTests: MPITestCase {
  func testEveryElementTypeGoesRoundTheRing() throws {
    func check<T: TestElement>(_: T.Type, on communicator: Communicator) throws {
      let next = (communicator.rank + 1) % communicator.size
      let previous = (communicator.rank + communicator.size - 1) % communicator.size
      let own: [T] = sample(10, rank: communicator.rank)
      var status: Status?
      let received = try [T](repeating: 0, count: 10).changed { receive in
        status = try own.withUnsafeBufferPointer {
          try communicator.sendReceive($0, to: next, sendTag: 3, into: receive, from: previous, receiveTag: 3)
        }
      }
      XCTAssertEqual(received, sample(10, rank: previous))
      XCTAssertEqual(status?.source, previous)
      XCTAssertEqual(status?.tag, 3)
      XCTAssertEqual(status?.count(of: T.self), 10)
    }
    try everywhere { communicator in
      for type in everyElementType { try check(type, on: communicator) }
    }
  }

  func testMessageOfUnknownSizeIsReceivedWhole() throws {
    try everywhere { communicator in
      // Everyone sends to rank 0, which knows neither sizes nor order.
      for other in 1..<max(communicator.size, 1) where communicator.rank == other {
        try communicator.send(sample(7 * other, rank: other) as [Int32], to: 0, tag: other)
      }
      if communicator.rank == 0 {
        for _ in 1..<max(communicator.size, 1) {
          let (values, status) = try communicator.receive(Int32.self, from: nil, tag: nil)
          XCTAssertEqual(values, sample(7 * status.source, rank: status.source))
          XCTAssertEqual(status.tag, status.source)
        }
      }
      try communicator.barrier()
    }
  }

  func testProbeTellsSourceTagAndSizeAndLeavesTheMessage() throws {
    try everywhere { communicator in
      let last = communicator.size - 1
      guard last > 0 else { return }
      if communicator.rank == last { try communicator.send(sample(11, rank: 1) as [Double], to: 0, tag: 5) }
      if communicator.rank == 0 {
        let status = try communicator.probe(from: nil, tag: nil)
        XCTAssertEqual(status.source, last)
        XCTAssertEqual(status.tag, 5)
        XCTAssertEqual(status.byteCount, 88)
        XCTAssertEqual(status.count(of: Double.self), 11)
        XCTAssertEqual(try communicator.probeNow(from: last, tag: 5), status)
        XCTAssertNil(try communicator.probeNow(from: last, tag: 6))
        let received = try [Double](repeating: 0, count: 20).changed {
          XCTAssertEqual(try communicator.receive(into: $0, from: last, tag: 5), status)
        }
        XCTAssertEqual(received, sample(11, rank: 1) + [Double](repeating: 0, count: 9))
      }
      try communicator.barrier()
    }
  }

  func testMessagesWithOneTagArriveInOrder() throws {
    try everywhere { communicator in
      guard communicator.size > 1 else { return }
      if communicator.rank == 1 {
        for length in [5, 0, 3, 6, 1] {
          try communicator.send(sample(length, rank: length) as [UInt16], to: 0)
        }
      }
      if communicator.rank == 0 {
        for length in [5, 0, 3, 6, 1] {
          XCTAssertEqual(try communicator.receive(UInt16.self, from: 1).values, sample(length, rank: length))
        }
      }
      try communicator.barrier()
    }
  }

  func testDuplicateKeepsItsMessagesApart() throws {
    let world = Communicator.world
    guard world.size > 1 else { return }
    let duplicate = try world.duplicate()
    if world.rank == 1 {
      try world.send([1], to: 0)
      try duplicate.send([2], to: 0)
    }
    if world.rank == 0 {
      XCTAssertEqual(try duplicate.receive(Int.self, from: nil, tag: nil).values, [2])
      XCTAssertEqual(try world.receive(Int.self, from: nil, tag: nil).values, [1])
    }
    try duplicate.free()
  }

  func testMessageThatDoesNotFitIsAnErrorAndTheNextOneArrives() throws {
    try everywhere { communicator in
      guard communicator.size > 1 else { return }
      if communicator.rank == 1 {
        try communicator.send(sample(9, rank: 1) as [Float], to: 0)
        try communicator.send([42] as [Float], to: 0)
      }
      if communicator.rank == 0 {
        var room = [Float](repeating: 0, count: 4)
        try room.withUnsafeMutableBufferPointer { room in
          XCTAssertThrowsError(try communicator.receive(into: room, from: 1)) { error in
            XCTAssertEqual((error as? MPIError)?.errorClass, .truncate)
            XCTAssertEqual((error as? MPIError)?.operation, "MPI_Recv")
          }
        }
        XCTAssertEqual(try communicator.receive(Float.self, from: 1).values, [42])
      }
      try communicator.barrier()
    }
  }

  func testMessageOfPartElementsIsAnError() throws {
    let world = Communicator.world
    guard world.size > 1 else { return }
    if world.rank == 1 { try world.send([1, 2, 3] as [UInt8], to: 0) }
    if world.rank == 0 {
      XCTAssertThrowsError(try world.receive(Int32.self, from: 1)) { error in
        XCTAssertEqual((error as? MPIError)?.errorClass, .count)
      }
    }
    try world.barrier()
  }
}
