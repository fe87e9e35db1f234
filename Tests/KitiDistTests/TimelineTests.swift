import Foundation
import XCTest

/// `train --timeline`, and what `report` makes of it.
final class TimelineTests: ProgramTestCase {
  private func events(_ file: String) throws -> [[String: Any]] {
    let object = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path(file))))
    return try XCTUnwrap(object as? [[String: Any]])
  }

  func testTimelinesOfAllRanksHoldEveryPhaseAndMerge() throws {
    try program.succeed(train("run", maxSteps: 6) + ["--timeline"], ranks: 2)
    for rank in 0..<2 {
      let events = try events("run/timeline-rank\(rank).json")
      for phase in [
        "starting", "loading", "forward", "backward", "averaging", "sharing", "update", "recording", "evaluation", "checkpoint",
      ] {
        XCTAssertTrue(events.contains { $0["name"] as? String == phase && $0["ph"] as? String == "X" }, phase)
      }
      XCTAssertEqual(events.filter { $0["name"] as? String == "update" }.count, 6)
      for end in ["b", "e"] {
        XCTAssertEqual(events.filter { $0["ph"] as? String == end }.count, 6, "one bucket a step")
      }
    }
    let outcome = try program.succeed(["report", path("run")])
    XCTAssertTrue(outcome.output.contains("events of 2 ranks"), outcome.text)
    XCTAssertEqual(Set(try events("run/timeline.json").compactMap { $0["pid"] as? Int }), [0, 1])

    try program.succeed(train(resume: "run", maxSteps: 8) + ["--timeline"])
    try program.succeed(["report", path("run"), "--output", path("again/report.html")])
    let again = try events("again/timeline.json")
    XCTAssertEqual(Set(again.compactMap { $0["pid"] as? Int }), [0], "files of an earlier start on more ranks are gone")
  }

  func testTimelineOfAKilledRunMerges() throws {
    let job = try program.start(train("run", set: ["training.epochs=1000000"]) + ["--timeline"], ranks: 2)
    defer { job.end() }
    let size = { (try? FileManager.default.attributesOfItem(atPath: self.path("run/timeline-rank1.json")))?[.size] as? Int ?? 0 }
    guard job.waits(until: { size() > 10_000 }) else { return XCTFail("no timeline: \(job.errors)") }
    job.end()
    let outcome = try program.succeed(["report", path("run")])
    XCTAssertTrue(outcome.errors.contains("the timeline of rank 1 was cut off"), outcome.text)
    XCTAssertGreaterThan(try events("run/timeline.json").count, 50)
  }

  func testBucketsThatAThreadMovesAreInTheTimeline() throws {
    let set = ["parallel.progress=thread", "parallel.bucketMiB=0.002"]
    try program.succeed(train("run", maxSteps: 4, set: set) + ["--timeline"], ranks: 2)
    for rank in 0..<2 {
      let events = try events("run/timeline-rank\(rank).json")
      let (begins, ends) = (events.filter { $0["ph"] as? String == "b" }, events.filter { $0["ph"] as? String == "e" })
      XCTAssertGreaterThan(begins.count, 4, "several buckets a step")
      XCTAssertEqual(begins.count, ends.count)
      XCTAssertEqual(begins.count % 4, 0)
      for (begin, end) in zip(begins, ends) {
        XCTAssertEqual(begin["id"] as? String, end["id"] as? String)
        XCTAssertLessThan(try XCTUnwrap(begin["ts"] as? Double), try XCTUnwrap(end["ts"] as? Double))
      }
    }
  }

  func testRunWithoutTimelinesGetsNone() throws {
    try program.succeed(train("run", maxSteps: 1))
    try program.succeed(["report", path("run")])
    XCTAssertFalse(FileManager.default.fileExists(atPath: path("run/timeline.json")))
  }
}
