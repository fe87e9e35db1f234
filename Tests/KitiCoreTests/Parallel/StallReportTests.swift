import KitiCore
import KitiMPI
import XCTest

/// What a watchdog says of ranks as it sees them.
final class StallReportTests: XCTestCase {
  private func rank(
    _ rank: Int, _ phase: RunPhase, _ kind: Activity.Kind = .none, _ operation: String = "MPI_Allreduce",
    for seconds: Double = 3, silent: Double? = nil
  ) -> WatchedRank {
    WatchedRank(
      rank: rank, host: "node\(rank)",
      report: RankReport(step: 12, phase: phase, kind: kind, operation: operation, unchangedSeconds: seconds),
      silentSeconds: silent ?? 0, isSilent: silent != nil)
  }

  private func report(_ ranks: WatchedRank...) -> StallReport { StallReport(ranks: ranks, limit: 2) }

  func testStoppedRankIsTheOneMissing() {
    let stall = report(
      rank(0, .averaging, .communication, "MPI_Waitall"), rank(1, .backward, silent: 4.5),
      rank(2, .averaging, .communication, "MPI_Waitall"))
    XCTAssertEqual(stall.missing.map(\.rank), [1])
    for fragment in [
      "rank 1 has not reached", "waited for 3.0 s", "watchdogSeconds: 2", "rank 1 on node1: not heard of for 4.5 s",
      "backward",
    ] {
      XCTAssertTrue(stall.text.contains(fragment), "'\(fragment)': \(stall.text)")
    }
  }

  func testStuckRankIsAliveAndMissing() {
    let stall = report(
      rank(0, .sharing, .communication), rank(1, .forward, for: 7), rank(2, .loading, .file, "read(into:)"))
    XCTAssertEqual(stall.missing.map(\.rank), [1, 2])
    for fragment in [
      "ranks 1, 2 have not reached", "alive, at work or stuck in step 12, forward, for 7.0 s",
      "alive, in HDF5 read in step",
    ] {
      XCTAssertTrue(stall.text.contains(fragment), "'\(fragment)': \(stall.text)")
    }
  }

  func testRankThatWasNeverHeardOfIsMissing() {
    let unknown = WatchedRank(rank: 1, host: "far", report: nil, silentSeconds: 9, isSilent: true)
    let stall = report(rank(0, .averaging, .communication), unknown)
    XCTAssertEqual(stall.missing.map(\.rank), [1])
    XCTAssertTrue(stall.text.contains("rank 1 on far: was never heard of"), stall.text)
  }

  func testWhenAllWaitNobodyIsMissing() {
    let stall = report(rank(0, .averaging, .communication), rank(1, .evaluation, .communication))
    XCTAssertEqual(stall.missing.map(\.rank), [])
    XCTAssertTrue(stall.text.contains("no rank gets on"), stall.text)
  }

  func testInAParallelFileTheSilentRankIsMissing() {
    let stall = report(
      rank(0, .checkpoint, .file, "write(_:)"), rank(1, .checkpoint, .file, "write(_:)"),
      rank(2, .checkpoint, .file, "write(_:)", silent: 3))
    XCTAssertEqual(stall.missing.map(\.rank), [2])
    let all = report(rank(0, .checkpoint, .file, "write(_:)"), rank(1, .checkpoint, .file, "write(_:)"))
    XCTAssertTrue(all.text.contains("no rank gets on"), all.text)
  }

  func testRankThatHearsOfNoOtherSpeaksForItself() {
    let stall = report(rank(5, .averaging, .communication))
    XCTAssertTrue(stall.text.contains("rank 5 on node5 has waited for 3.0 s"), stall.text)
  }

  func testReportOfManyRanksStaysShort() {
    let ranks = (0..<4096).map { $0 % 2 == 0 ? rank($0, .forward) : rank($0, .averaging, .communication) }
    let text = StallReport(ranks: ranks, limit: 2).text
    XCTAssertLessThan(text.split(separator: "\n").count, 60)
    XCTAssertTrue(text.contains("and 2024 more have not reached"), text)
  }

  /// Only ranks that are heard and in an operation count: long work is no wait, and silence proves nothing by itself.
  func testLongestWait() {
    XCTAssertEqual(StallReport.longestWait([rank(0, .evaluation, for: 900), rank(1, .forward, for: 50)]), 0)
    XCTAssertEqual(StallReport.longestWait([rank(0, .averaging, .communication, for: 5, silent: 9)]), 0)
    XCTAssertEqual(StallReport.longestWait([rank(0, .averaging, for: 5), rank(1, .checkpoint, .file, for: 6)]), 6)
    XCTAssertEqual(StallReport.longestWait([rank(0, .averaging, for: 5)]), 5, "another thread may be the one in MPI")
  }

  func testReportSurvivesTheWire() {
    for operation in ["", "MPI_Allreduce", "read(_:_:transfer:)"] {
      let report = RankReport(
        step: 1 << 40, phase: .checkpoint, kind: .file, operation: operation, unchangedSeconds: 1.0 / 3)
      XCTAssertEqual(RankReport(bytes: report.bytes), report)
    }
    let long = RankReport(
      step: 1, phase: .update, kind: .none, operation: String(repeating: "x", count: 99), unchangedSeconds: 0)
    XCTAssertEqual(RankReport(bytes: long.bytes)?.operation.count, 46)
  }

  func testWhatIsNoReportIsRefused() {
    var bytes = RankReport(step: 1, phase: .update, kind: .none, operation: "a", unchangedSeconds: 1).bytes
    XCTAssertNil(RankReport(bytes: bytes.dropLast()))
    XCTAssertNil(RankReport(bytes: bytes + [0]))
    XCTAssertNil(RankReport(bytes: [UInt8]()))
    bytes[16] = 200
    XCTAssertNil(RankReport(bytes: bytes), "an unknown phase")
    bytes[16] = 0
    for place in 8..<16 { bytes[place] = 0xff }
    XCTAssertNil(RankReport(bytes: bytes), "a time that is not a number")
  }
}
