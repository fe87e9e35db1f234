import KitiCore
import KitiMPI
import KitiTestSupport
import XCTest

/// Who holds the others up, from seconds of phases.
final class PhaseTimingsTests: XCTestCase {
  private func timings(loading: [Double], compute: [Double]) -> PhaseTimings {
    let ranks = zip(loading, compute).map { PhaseSeconds([$0, $1, 1, 0.1, 0.2]) }
    return PhaseTimings(step: 100, steps: 100, ranks: ranks, hosts: ranks.indices.map { "node\($0)" })
  }

  func testSlowestRankIsNamed() throws {
    let timings = timings(loading: [0, 0, 0, 0], compute: [2, 2.1, 3, 1.9])
    let slowest = try XCTUnwrap(timings.slowest)
    XCTAssertEqual(slowest.rank, 2)
    XCTAssertEqual(slowest.excess, 0.5, accuracy: 1e-12, "against 2, the median")
    XCTAssertEqual(slowest.isLoading, false)
    let notice = try XCTUnwrap(timings.notice)
    XCTAssertTrue(notice.contains("rank 2 on node2"), notice)
    XCTAssertTrue(notice.contains("computation took it 50 %"), notice)
  }

  func testSlowLoadingIsSaid() throws {
    let timings = timings(loading: [0.1, 2], compute: [2, 2])
    XCTAssertEqual(timings.slowest?.rank, 1)
    XCTAssertTrue(try XCTUnwrap(timings.notice).contains("loading"))
  }

  func testSmallDifferencesAreNoNews() {
    XCTAssertNil(timings(loading: [0, 0], compute: [2, 2.3]).notice, "15 %")
    XCTAssertNil(timings(loading: [0, 0], compute: [0.02, 0.04]).notice, "a fiftieth of a second in 100 steps")
    XCTAssertNil(timings(loading: [0], compute: [2]).notice, "one rank")
  }

  func testRecorderAddsUpPhasesAndForgetsThemOnceTaken() {
    let recorder = PhaseRecorder()
    for step in 1...3 {
      recorder.begin(step: step)
      for phase in [RunPhase.forward, .backward, .averaging, .sharing, .update, .recording] { recorder.enter(phase) }
    }
    let (seconds, steps) = recorder.takeSeconds()
    XCTAssertEqual(steps, 3)
    let spans = recorder.spans.spans().filter { $0.phase != .starting }
    XCTAssertEqual(
      spans.map(\.step), [1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3], "the last phase is open")
    let total = spans.reduce(0) { $0 + Double($1.end - $1.start) * 1e-9 }
    XCTAssertEqual(seconds.values.reduce(0, +), total, accuracy: 1e-9)
    XCTAssertEqual(recorder.takeSeconds().steps, 0)
  }

  func testRingKeepsTheNewestSpans() {
    let ring = SpanRing(capacity: 4)
    for step in 0..<6 { ring.add(Span(start: 0, end: 1, step: step, kind: .phase, phase: .update)) }
    XCTAssertEqual(ring.spans().map(\.step), [2, 3, 4, 5])
    XCTAssertEqual(ring.spans(from: 4).map(\.step), [4, 5])
    XCTAssertEqual(ring.spans(from: 9), [])
    XCTAssertEqual(ring.count, 6)
  }

  func testCommunicationsAreCountedInTheOrderInWhichTheyAreHeardOf() {
    let recorder = PhaseRecorder()
    recorder.begin(step: 3)
    for bytes in [10, 20, 30] { recorder.communicationEnded(start: 5, end: Int64(bytes), bytes: bytes) }
    let spans = recorder.spans.spans().filter { $0.kind == .communication }
    XCTAssertEqual(spans.map(\.bytes), [10, 20, 30])
    XCTAssertEqual(spans.map(\.number), [0, 1, 2])
    XCTAssertEqual(spans.map(\.end), [10, 20, 30])
    XCTAssertTrue(spans.allSatisfy { $0.step == 3 })
  }
}

final class PhaseTimingsGatherTests: MPITestCase {
  func testRankZeroHearsOfAllRanks() throws {
    let recorder = PhaseRecorder()
    recorder.begin(step: 1)
    recorder.enter(.forward)
    recorder.enter(.update)
    recorder.enter(.recording)
    let hosts = (0..<world.size).map { "node\($0)" }
    let timings = try PhaseTimings.gather(recorder, step: 1, hosts: hosts, over: world)
    XCTAssertEqual(timings == nil, world.rank != 0)
    guard let timings else { return }
    XCTAssertEqual(timings.ranks.count, world.size)
    XCTAssertEqual(timings.steps, 1)
    XCTAssertTrue(timings.ranks.allSatisfy { $0.compute > 0 && $0.update > 0 && $0.communication == 0 })
  }
}
