import Foundation
import XCTest

/// A run that is killed, in part or whole, at any time, goes on from a complete checkpoint.
final class KillTests: ProgramTestCase {
  func testDeathOfOneRankEndsTheJobAndLeavesItsCheckpoints() throws {
    for rank in [1, 0] {
      let (run, set) = ("run\(rank)", ["training.epochs=100000", "checkpoint={every: 5 steps, keep: 3}"])
      let job = try program.start(train(run, set: set), ranks: 2)
      defer { job.end() }
      guard job.waits(until: { checkpointNames(run).count >= 2 }), let victim = job.process(ofRank: rank) else {
        return XCTFail("the run did not begin: \(job.errors)")
      }
      kill(victim, SIGKILL)
      let outcome = job.wait()
      XCTAssertEqual(outcome.status, 128 + SIGKILL, outcome.text)
      XCTAssertTrue(job.isGone(), "ranks of the job still run")

      XCTAssertGreaterThanOrEqual(checkpointNames(run).count, 1)
      try assertAllCheckpointsAreIntact(run)
      let step = try program.inspect(path(run)).state.step
      try program.succeed(train(resume: run, maxSteps: step + 3, set: set), ranks: 2)
      XCTAssertEqual(try Metrics(path(run)).steps, Array(1...step + 3))
    }
  }

  func testRunKilledAgainAndAgainWhileWritingIsTheUninterruptedOneOnOneRank() throws { try killWhileWriting(ranks: nil) }
  func testRunKilledAgainAndAgainWhileWritingIsTheUninterruptedOneOnTwoRanks() throws { try killWhileWriting(ranks: 2) }

  private func killWhileWriting(ranks: Int?) throws {
    let set = ["training.epochs=100000", "training.evaluateEvery=1000 epochs", "checkpoint={every: 1 step, keep: 2}"]
    var done = 0
    for round in 0..<5 {
      let job = try program.start(try train("run", set: set) + ["--resume"], ranks: ranks)
      defer { job.end() }
      // At another moment of the writing in each round.
      let writes = { (self.checkpointNames("run").last.flatMap { Int($0.dropFirst(5).dropLast(3)) } ?? 0) > done }
      let isWriting = { self.hasUnfinishedFile("run") }
      guard job.waits(until: writes), job.waits(until: isWriting) else {
        return XCTFail("round \(round) did not begin: \(job.errors)")
      }
      usleep(UInt32(round) * 1_500)
      job.end()
      let report = try program.inspect(path("run"))
      XCTAssertGreaterThan(report.state.step, done, "round \(round)")
      done = report.state.step
    }
    try program.succeed(train(resume: "run", maxSteps: done + 3, set: set), ranks: ranks)
    XCTAssertFalse(hasUnfinishedFile("run"), "what a killed job left is removed")
    XCTAssertEqual(checkpointNames("run").count, 2)
    try program.succeed(
      train("whole", maxSteps: done + 3, set: set + ["checkpoint.every=1000 epochs"]), ranks: ranks)
    assertSameCourse(try Metrics(path("run")), try Metrics(path("whole")))
    assertSameArrays(try program.inspect(path("run")), try program.inspect(path("whole")))
  }

  private func hasUnfinishedFile(_ run: String) -> Bool {
    let names = try? FileManager.default.contentsOfDirectory(atPath: path("\(run)/checkpoints"))
    return (names ?? []).contains { $0.hasSuffix(".partial") }
  }
}
