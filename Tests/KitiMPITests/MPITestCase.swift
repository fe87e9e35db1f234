import Foundation
import KitiMPI
import Synchronization
import XCTest

/// A test that talks to other ranks.
///
/// MPI starts before the first such test and finishes when the bundle does, since a process that leaves without
/// finishing looks like a crash to the launcher. A test that does not end in time, which usually means that
/// another rank does not take part, is named on standard error and ends the whole program.
///
/// XCTest runs the same tests in the same order on every rank.
class MPITestCase: XCTestCase {
  /// Evaluated once, by the first test class.
  private static let finishAndWatch: Void = {
    XCTestObservationCenter.shared.addTestObserver(BundleObserver())
    Watchdog.shared.start()
  }()

  override class func setUp() {
    super.setUp()
    do {
      try MPI.start()
    } catch {
      fatalError("\(error)")
    }
    _ = finishAndWatch
  }

  override func setUp() {
    super.setUp()
    Watchdog.shared.expectEnd(of: name)
  }

  override func tearDown() {
    Watchdog.shared.ended()
    super.tearDown()
  }

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

private final class BundleObserver: NSObject, XCTestObservation {
  func testBundleDidFinish(_ testBundle: Bundle) {
    do {
      try MPI.finish()
    } catch {
      FileHandle.standardError.write(Data("\(error)\n".utf8))
    }
  }
}

/// Ends the program when a test takes longer than any test may.
private final class Watchdog: Sendable {
  static let shared = Watchdog()
  private static let limit: Duration = .seconds(60)

  private struct Watched {
    var test: String
    var deadline: ContinuousClock.Instant
  }
  private let watched = Mutex<Watched?>(nil)

  func start() {
    let rank = Communicator.world.rank
    let thread = Thread {
      while true {
        Thread.sleep(forTimeInterval: 0.5)
        guard let late = self.watched.withLock({ $0 }), late.deadline < .now else { continue }
        let message = "\(late.test) did not end within \(Self.limit) on rank \(rank): aborting\n"
        FileHandle.standardError.write(Data(message.utf8))
        MPI.abort(status: 1)
      }
    }
    thread.start()
  }

  func expectEnd(of test: String) {
    watched.withLock { $0 = Watched(test: test, deadline: .now + Self.limit) }
  }

  func ended() {
    watched.withLock { $0 = nil }
  }
}
