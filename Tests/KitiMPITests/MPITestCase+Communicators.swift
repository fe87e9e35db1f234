import KitiMPI
import KitiTestSupport
import XCTest

extension MPITestCase {
  /// Runs a test on itself alone, on the world, on its odd and even halves, and on a duplicate of it.
  func onEachCommunicator(_ body: (Communicator) throws -> Void) throws {
    let world = Communicator.world
    try body(.single)
    try body(world)
    // Halves numbered backwards, so that ranks differ from those in the world.
    let half = try XCTUnwrap(world.split(color: world.rank % 2, key: -world.rank))
    try body(half)
    try half.free()
    let duplicate = try world.duplicate()
    try body(duplicate)
    try duplicate.free()
  }

  /// Runs a test with the library's own counts and then with counts of three elements to a call, so that
  /// the way of very large buffers is taken.
  func withAndWithoutLargeCounts(_ body: () throws -> Void) rethrows {
    try body()
    try withLargeCounts(from: 3, body)
  }

  func withLargeCounts(from limit: Int, _ body: () throws -> Void) rethrows {
    let usual = LargeCount.limit
    LargeCount.limit = limit
    defer { LargeCount.limit = usual }
    try body()
  }

  /// Runs a test on each communicator, with and without large counts.
  func everywhere(_ body: (Communicator) throws -> Void) throws {
    try onEachCommunicator { communicator in
      try withAndWithoutLargeCounts { try body(communicator) }
    }
  }
}
