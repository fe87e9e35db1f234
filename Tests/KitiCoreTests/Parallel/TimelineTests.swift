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
    let merged = try MergedTimeline.write(run: folder, to: "\(folder)/new/all.json")
    XCTAssertEqual(merged.ranks, [0, 1, 10])
    XCTAssertEqual(merged.cutOff, [])
    let events = try events("\(folder)/new/all.json")
    XCTAssertEqual(events.count, merged.events)
    XCTAssertEqual(events.count, 27)
    let starts = events.filter { $0["name"] as? String == "forward" }
    XCTAssertEqual(starts.map { $0["pid"] as? Int }, [0, 1, 10])
    XCTAssertEqual(starts.map { $0["ts"] as? Double }, [0, 0, 0], "the same moment on every clock")
  }

  func testTimelineThatWasCutOffGivesItsWholeLines() throws {
    try writeTimeline(rank: 0, offset: 0)
    try writeTimeline(rank: 1, offset: 0, closes: false)
    let path = "\(folder)/timeline-rank1.json"
    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    for (cut, kept) in [(0, 9), (5, 8)] {
      try whole.dropLast(cut).write(to: URL(fileURLWithPath: path))
      let merged = try MergedTimeline.write(run: folder, to: "\(folder)/all.json")
      XCTAssertEqual(merged.cutOff, [1])
      XCTAssertEqual(try events("\(folder)/all.json").count, 9 + kept)
    }
  }

  func testFolderWithoutTimelinesAndFilesThatAreNoneAreRefused() throws {
    XCTAssertThrowsError(try MergedTimeline.write(run: folder, to: "\(folder)/all.json")) {
      XCTAssertEqual(($0 as? KitiError)?.kind, .usage)
    }
    try Data("hello\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/timeline-rank0.json"))
    XCTAssertThrowsError(try MergedTimeline.write(run: folder, to: "\(folder)/all.json")) {
      XCTAssertEqual(($0 as? KitiError)?.kind, .badData)
    }
  }
}
