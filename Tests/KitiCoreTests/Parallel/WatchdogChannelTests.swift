import Foundation
import KitiCore
import KitiMPI
import KitiTestSupport
import XCTest

/// Datagrams between watchdogs.
final class WatchdogChannelTests: MPITestCase {
  private func status(_ step: Int) -> WatchdogChannel.Message {
    .status(RankReport(step: step, phase: .forward, kind: .none, operation: "MPI_Bcast", unchangedSeconds: 0.5))
  }

  /// Receives until so many messages have come, or for ten seconds.
  private func messages(_ channel: WatchdogChannel, count: Int) -> [(from: Int, message: WatchdogChannel.Message)] {
    var result: [(from: Int, message: WatchdogChannel.Message)] = []
    let deadline = Date(timeIntervalSinceNow: 10)
    while result.count < count, Date() < deadline { result += channel.receive(timeout: 0.1) }
    return result
  }

  func testEveryRankReachesEveryOther() throws {
    let channel = try WatchdogChannel(communicator: world)
    defer { channel.close() }
    for peer in 0..<world.size { channel.send(status(10 * world.rank + peer), to: peer) }
    let received = messages(channel, count: world.size).sorted { $0.from < $1.from }
    XCTAssertEqual(received.map(\.from), Array(0..<world.size))
    for (from, message) in received { XCTAssertEqual(message, status(10 * from + world.rank)) }
    try world.barrier()
  }

  func testMessagesOfAnotherJobAreIgnored() throws {
    // Another channel has another number, as another job has.
    let (first, second) = (try WatchdogChannel(communicator: world), try WatchdogChannel(communicator: world))
    defer {
      first.close()
      second.close()
    }
    first.send(.wake, to: world.rank)
    first.send(.alarm, to: world.rank)
    XCTAssertEqual(messages(first, count: 2).map(\.message), [.wake, .alarm])
    XCTAssertEqual(second.receive(timeout: 0.05).count, 0)
    try world.barrier()
  }
}
