import Foundation
import XCTest

/// `train --timeline` and `timeline`.
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
    let outcome = try program.succeed(["timeline", path("run")])
    XCTAssertTrue(outcome.output.contains("of 2 ranks"), outcome.text)
    XCTAssertEqual(Set(try events("run/timeline.json").compactMap { $0["pid"] as? Int }), [0, 1])

    try program.succeed(train(resume: "run", maxSteps: 8) + ["--timeline"])
    try program.succeed(["timeline", path("run"), "--output", path("merged.json")])
    let again = try events("merged.json")
    XCTAssertEqual(Set(again.compactMap { $0["pid"] as? Int }), [0], "files of an earlier start on more ranks are gone")
  }

  func testTimelineOfAKilledRunMerges() throws {
    let job = try program.start(train("run", set: ["training.epochs=1000000"]) + ["--timeline"], ranks: 2)
    defer { job.end() }
    let size = { (try? FileManager.default.attributesOfItem(atPath: self.path("run/timeline-rank1.json")))?[.size] as? Int ?? 0 }
    guard job.waits(until: { size() > 10_000 }) else { return XCTFail("no timeline: \(job.errors)") }
    job.end()
    let outcome = try program.succeed(["timeline", path("run")])
    XCTAssertTrue(outcome.errors.contains("the timeline of rank 1 was cut off"), outcome.text)
    XCTAssertGreaterThan(try events("run/timeline.json").count, 50)
  }

  func testFolderWithoutTimelinesIsRefused() throws {
    try program.succeed(train("run", maxSteps: 1))
    try assertRefused(["timeline", path("run")], status: 64, naming: "no timelines", "--timeline")
  }
}
