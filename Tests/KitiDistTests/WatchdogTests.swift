import Foundation
import XCTest

/// A job in which a rank does not get on ends with a report that names it; one in which a rank is slow goes on.
final class WatchdogTests: ProgramTestCase {
  /// Runs until it is ended.
  private let endless = [
    "training.epochs=1000000", "training.evaluateEvery=1000000 epochs", "checkpoint={every: 50 steps, keep: 2}",
    "parallel.timingEvery=1000000",
  ]

  /// The arguments of a run whose ranks wait for each other at most so long.
  private func train(_ run: String, limit: Double, set: [String] = [], maxSteps: Int? = nil) throws -> [String] {
    try train(run, maxSteps: maxSteps, set: endless + ["parallel.watchdogSeconds=\(limit)"] + set)
  }

  /// Waits for the end of a job that hangs; it must come by itself, with one report and no process left over.
  private func assertEnded(
    _ job: Job, naming fragments: [String], file: StaticString = #filePath, line: UInt = #line
  ) {
    let outcome = job.wait(file: file, line: line)
    XCTAssertEqual(outcome.status, 1, outcome.text, file: file, line: line)
    XCTAssertEqual(outcome.reports.count, 1, outcome.text, file: file, line: line)
    for fragment in fragments {
      XCTAssertTrue(outcome.errors.contains(fragment), "'\(fragment)': \(outcome.errors)", file: file, line: line)
    }
    XCTAssertTrue(job.isGone(), "ranks of the job still run", file: file, line: line)
  }

  private func assertTail(_ run: String, rank: Int, endsIn phase: String? = nil) throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: path("\(run)/timeline-tail-rank\(rank).json")))
    let events = try XCTUnwrap(JSONSerialization.jsonObject(with: data) as? [[String: Any]])
    XCTAssertTrue(events.contains { $0["ph"] as? String == "X" && $0["pid"] as? Int == rank })
    if let phase { XCTAssertEqual(events.last?["name"] as? String, phase) }
  }

  func testStoppedRankIsNamedAndTheRunResumes() throws {
    // Where the others wait: through shared memory in a sum of gradients, or in MPI for what ends a step.
    let ways: [(sharesMemory: Bool, operations: [String])] = [
      (false, ["MPI_"]), (true, ["MPI_", "sum through shared memory"]),
    ]
    for ((rank, reporter), way) in [(1, 0), (0, 1)].flatMap({ ranks in ways.map { (ranks, $0) } }) {
      let run = "run\(rank) \(way.sharesMemory)"
      let set = ["parallel.sharedMemory=\(way.sharesMemory)"]
      let job = try program.start(train(run, limit: 1, set: set), ranks: 3)
      defer { job.end() }
      guard job.waits(until: { checkpointNames(run).count >= 1 }), let victim = job.process(ofRank: rank) else {
        return XCTFail("the run did not begin: \(job.errors)")
      }
      kill(victim, SIGSTOP)
      assertEnded(
        job,
        naming: [
          "watchdog on rank \(reporter): rank \(rank) has not reached an operation", "parallel.watchdogSeconds: 1",
          "rank \(rank) on ", "not heard of for", "--resume",
        ])
      XCTAssertTrue(way.operations.contains { job.errors.contains($0) }, job.errors)
      for other in 0..<3 where other != rank { try assertTail(run, rank: other) }
      try assertAllCheckpointsAreIntact(run)
      let step = try program.inspect(path(run)).state.step
      try program.succeed(
        ["train", path("tiny.yaml"), "--resume", path(run), "--max-steps", "\(step + 3)", "--set", "training.epochs=1000000"],
        ranks: 3)
    }
  }

  func testStuckRankIsNamedWithItsStepAndPhase() throws {
    let job = try program.start(
      train("run", limit: 1), ranks: 2, environment: ["KITI_TEST_DELAY": "1:1000@5"])
    defer { job.end() }
    assertEnded(
      job,
      naming: [
        "watchdog on rank 0: rank 1 has not reached", "alive, at work or stuck in step 5, forward", "averaging",
      ])
    try assertTail("run", rank: 0, endsIn: "averaging")
    try assertTail("run", rank: 1, endsIn: "forward")
  }

  func testStuckRankOfAnEvaluationIsNamed() throws {
    try program.succeed(train("run", maxSteps: 2), ranks: 2)
    let before = Snapshot(folder)
    let arguments = ["evaluate", path("run"), "--set", "parallel.watchdogSeconds=1"]
    let job = try program.start(arguments, ranks: 2, environment: ["KITI_TEST_DELAY": "1:1000"])
    defer { job.end() }
    assertEnded(
      job,
      naming: [
        "watchdog on rank 0: rank 1 has not reached", "alive, at work or stuck in step 2, evaluation",
        "start the evaluation again",
      ])
    XCTAssertEqual(Snapshot(folder).differences(from: before), [], "on the disk")
  }

  func testRankThatPausesForLessThanTheLimitEndsNothing() throws {
    let job = try program.start(train("run", limit: 30), ranks: 2)
    defer { job.end() }
    guard job.waits(until: { checkpointNames("run").count >= 1 }), let victim = job.process(ofRank: 1) else {
      return XCTFail("the run did not begin: \(job.errors)")
    }
    kill(victim, SIGSTOP)
    usleep(500_000)
    kill(victim, SIGCONT)
    try assertGoesOnAndStops(job)
  }

  /// As batch systems do when they suspend a job: time in which no rank ran proves nothing.
  func testJobThatIsStoppedAsAWholeGoesOn() throws {
    let job = try program.start(train("run", limit: 1), ranks: 2)
    defer { job.end() }
    guard job.waits(until: { checkpointNames("run").count >= 1 }), let first = job.process(ofRank: 0),
      let second = job.process(ofRank: 1)
    else { return XCTFail("the run did not begin: \(job.errors)") }
    for process in [first, second] { kill(process, SIGSTOP) }
    usleep(2_500_000)
    for process in [second, first] { kill(process, SIGCONT) }
    try assertGoesOnAndStops(job)
  }

  private func assertGoesOnAndStops(_ job: Job) throws {
    let newest = checkpointNames("run").last
    XCTAssertTrue(job.waits { checkpointNames("run").last != newest }, "the run goes on: \(job.errors)")
    job.send(SIGUSR1)
    let outcome = job.wait()
    XCTAssertEqual(outcome.status, 75, outcome.text)
    XCTAssertEqual(outcome.reports, [])
  }

  func testSlowRankIsNamedAndNothingEnds() throws {
    let outcome = try program.run(
      train("run", limit: 20, set: ["parallel.timingEvery=10"], maxSteps: 20), ranks: 2,
      environment: ["KITI_TEST_DELAY": "1:0.05"])
    XCTAssertEqual(outcome.status, 0, outcome.text)
    XCTAssertTrue(outcome.errors.contains("rank 1 on "), outcome.errors)
    XCTAssertTrue(outcome.errors.contains("holds the others up: its computation"), outcome.errors)
    let lines = try Metrics(path("run")).lines("timing")
    XCTAssertEqual(lines.map(\.step), [10, 20])
    for line in lines {
      XCTAssertEqual(line.values["slowestRank"] as? Int, 1)
      XCTAssertEqual(line.values["steps"] as? Int, 10)
      let ranks = try XCTUnwrap(line.values["ranks"] as? [[String: Double]])
      XCTAssertGreaterThanOrEqual(try XCTUnwrap(ranks[1]["compute"]), 0.05)
      XCTAssertGreaterThan(try XCTUnwrap(ranks[0]["communication"]), 0.04, "the other waits")
    }
  }

  func testLongWorkOfAllRanksIsNoStall() throws {
    // All sleep in one step for longer than the limit: none waits for another for long.
    let outcome = try program.run(
      train("run", limit: 1, maxSteps: 4), ranks: 2, environment: ["KITI_TEST_DELAY": "*:2.5@3"])
    XCTAssertEqual(outcome.status, 0, outcome.text)
    XCTAssertEqual(outcome.reports, [])
  }

  func testWithoutALimitNothingIsWatched() throws {
    let outcome = try program.run(
      train("run", limit: 0, maxSteps: 6), ranks: 2, environment: ["KITI_TEST_DELAY": "1:1.5@3"])
    XCTAssertEqual(outcome.status, 0, outcome.text)
  }
}
