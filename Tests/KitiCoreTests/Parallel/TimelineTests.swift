import Foundation
import KitiCore
import XCTest

/// Timelines of ranks and the file that they are merged into.
final class TimelineTests: XCTestCase {
  private var folder = ""

  override func setUpWithError() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("kiti-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
  }

  override func tearDownWithError() throws { try FileManager.default.removeItem(atPath: folder) }

  /// Writes a timeline of three spans; the rank's clock is behind by `offset` nanoseconds.
  private func writeTimeline(rank: Int, offset: Int64, closes: Bool = true) throws {
    let ring = SpanRing(capacity: 8)
    let clock = ClockAlignment(offset: offset, uncertainty: 500, origin: 1_000_000)
    let file = try TimelineFile(
      folder: folder, spans: ring, text: TimelineText(rank: rank, host: "a\"b\\c", clock: clock))
    let start = 1_000_000 - offset
    ring.add(Span(start: start, end: start + 1_234, step: 1, kind: .phase, phase: .forward))
    ring.add(
      Span(
        start: start + 1_000, end: start + 2_000, step: 1, kind: .communication, phase: .backward, number: 3,
        bytes: 64))
    XCTAssertNil(file.stepEnds())
    for step in 2...4 { ring.add(Span(start: start, end: start, step: step, kind: .phase, phase: .update)) }
    XCTAssertNil(file.stepEnds(), "half full: written")
    if closes { XCTAssertNil(file.close()) }
  }

  private func events(_ path: String) throws -> [[String: Any]] {
    let object = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path)))
    return try XCTUnwrap(object as? [[String: Any]])
  }

  func testTimelineIsJSONOfPhasesAndCommunications() throws {
    try writeTimeline(rank: 2, offset: 0)
    let events = try events("\(folder)/timeline-rank2.json")
    XCTAssertEqual(events.map { $0["ph"] as? String }, ["M", "M", "M", "X", "b", "e", "X", "X", "X"])
    XCTAssertTrue(events.allSatisfy { $0["pid"] as? Int == 2 })
    let phase = events[3]
    XCTAssertEqual(phase["name"] as? String, "forward")
    XCTAssertEqual(phase["ts"] as? Double, 0)
    XCTAssertEqual(phase["dur"] as? Double, 1.234)
    XCTAssertEqual(events[4]["id"] as? String, events[5]["id"] as? String)
    XCTAssertEqual((events[4]["args"] as? [String: Int])?["bytes"], 64)
  }

  func testMergedTimelineHasAllRanksOnOneClock() throws {
    try writeTimeline(rank: 0, offset: 0)
    try writeTimeline(rank: 10, offset: -7_000_000)
    try writeTimeline(rank: 1, offset: 5_000_000)
    let merged = try XCTUnwrap(MergedTimeline.write(run: folder, to: "\(folder)/new/all.json"))
    XCTAssertEqual(merged.ranks, [0, 1, 10])
    XCTAssertEqual(merged.cutOff, [])
    let events = try events("\(folder)/new/all.json")
    XCTAssertEqual(events.count, merged.events)
    XCTAssertEqual(events.count, 27)
    let starts = events.filter { $0["name"] as? String == "forward" }
    XCTAssertEqual(starts.map { $0["pid"] as? Int }, [0, 1, 10])
    XCTAssertEqual(starts.map { $0["ts"] as? Double }, [0, 0, 0], "the same moment on every clock")
  }

  func testExcerptHoldsTheLastStepsThatAllRanksHave() throws {
    for (rank, steps) in [(0, 1...9), (1, 3...7)] {
      let ring = SpanRing(capacity: 64)
      let clock = ClockAlignment(offset: 0, uncertainty: 0, origin: 0)
      let file = try TimelineFile(
        folder: folder, spans: ring, text: TimelineText(rank: rank, host: "node", clock: clock))
      for step in steps {
        let start = Int64(step) * 1_000_000
        ring.add(Span(start: start, end: start + 4_000, step: step, kind: .phase, phase: .backward))
        ring.add(
          Span(
            start: start + 1_000, end: start + 6_000, step: step, kind: .communication, phase: .backward, number: step,
            bytes: 64))
        ring.add(Span(start: start + 6_000, end: start + 9_000, step: step, kind: .phase, phase: .checkpoint))
      }
      XCTAssertNil(file.close())
    }
    let excerpt = try XCTUnwrap(MergedTimeline.write(run: folder, to: "\(folder)/all.json")?.excerpt)
    XCTAssertEqual(excerpt.steps, 5...7)
    XCTAssertEqual(excerpt.ranks.map(\.rank), [0, 1])
    for (_, events) in excerpt.ranks {
      XCTAssertEqual(events.map(\.step), [5, 5, 6, 6, 7, 7], "no checkpoints")
      XCTAssertEqual(events.map(\.isCommunication), [false, true, false, true, false, true])
      XCTAssertEqual(events[0].start, 5_000)
      XCTAssertEqual(events[1].end, 5_006)
    }
  }

  func testTimelineThatWasCutOffGivesItsWholeLines() throws {
    try writeTimeline(rank: 0, offset: 0)
    try writeTimeline(rank: 1, offset: 0, closes: false)
    let path = "\(folder)/timeline-rank1.json"
    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    for (cut, kept) in [(0, 9), (5, 8)] {
      try whole.dropLast(cut).write(to: URL(fileURLWithPath: path))
      let merged = try XCTUnwrap(MergedTimeline.write(run: folder, to: "\(folder)/all.json"))
      XCTAssertEqual(merged.cutOff, [1])
      XCTAssertEqual(try events("\(folder)/all.json").count, 9 + kept)
    }
  }

  func testFolderWithoutTimelinesGivesNothingAndFilesThatAreNoneAreRefused() throws {
    XCTAssertNil(try MergedTimeline.write(run: folder, to: "\(folder)/all.json"))
    XCTAssertFalse(FileManager.default.fileExists(atPath: "\(folder)/all.json"))
    try Data("hello\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/timeline-rank0.json"))
    XCTAssertThrowsError(try MergedTimeline.write(run: folder, to: "\(folder)/all.json")) {
      XCTAssertEqual(($0 as? KitiError)?.kind, .badData)
    }
  }
}
