import Foundation
import KitiMPI
import Synchronization
import XCTest

/// A test that all ranks make together, in a fresh folder that they share.
///
/// MPI starts before the first such test and finishes when the bundle does, since a process that leaves without
/// finishing looks like a crash to the launcher. A test that does not end in time, which usually means that
/// another rank does not take part, is named on standard error and ends the whole program.
///
/// XCTest runs the same tests in the same order on every rank.
open class MPITestCase: XCTestCase {
  /// The same on all ranks; it goes when the test ends.
  public private(set) var folder: URL!

  /// Evaluated once, by the first test class.
  private static let finishAndWatch: Void = {
    XCTestObservationCenter.shared.addTestObserver(BundleObserver())
    Watchdog.shared.start()
  }()

  open override class func setUp() {
    super.setUp()
    do {
      try MPI.start(threadLevel: .serialized)
    } catch {
      fatalError("\(error)")
    }
    _ = finishAndWatch
  }

  open override func setUpWithError() throws {
    Watchdog.shared.expectEnd(of: name)
    let own = FileManager.default.temporaryDirectory.appendingPathComponent("kiti-\(UUID().uuidString)").path
    folder = URL(fileURLWithPath: try Communicator.world.broadcast(own, root: 0))
    if Communicator.world.rank == 0 {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }
    try Communicator.world.barrier()
  }

  open override func tearDownWithError() throws {
    try Communicator.world.barrier()
    if Communicator.world.rank == 0 { try FileManager.default.removeItem(at: folder) }
    Watchdog.shared.ended()
  }

  public var world: Communicator { .world }

  /// The path of a file in the test's folder.
  public func path(_ name: String = "file.h5") -> String { folder.appendingPathComponent(name).path }

  /// For what other ranks have no part in.
  public func requireSingleRank() throws {
    try XCTSkipIf(world.size > 1, "this concerns one process")
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
  private static let limit: Duration = .seconds(180)

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
