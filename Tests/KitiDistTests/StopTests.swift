import Foundation
import XCTest

/// A signal makes a run write a checkpoint and leave with status 75; resumed, it is the run without interruption.
final class StopTests: ProgramTestCase {
  /// Long enough to be running whenever the signal comes.
  private let set = ["training.epochs=100000", "training.evaluateEvery=10 epochs"]

  func testUserSignalToMpirunStopsAllRanks() throws { try check(SIGUSR1, ranks: 2) }
  func testUserSignalStopsOneProcess() throws { try check(SIGUSR1, ranks: nil) }
  func testTerminationStopsOneProcess() throws { try check(SIGTERM, ranks: nil) }
  func testInterruptStopsOneProcess() throws { try check(SIGINT, ranks: nil) }

  private func check(_ signal: Int32, ranks: Int?) throws {
    let job = try program.start(train("run", set: set), ranks: ranks)
    defer { job.end() }
    guard job.waits(until: { ((try? Metrics(path("run")).steps.count) ?? 0) >= 3 }) else {
      return XCTFail("the run did not begin: \(job.errors)")
    }
    job.send(signal)
    let outcome = job.wait()
    XCTAssertEqual(outcome.status, 75, outcome.text)
    XCTAssertEqual(outcome.reports, [], "stopping is no error")
    XCTAssertTrue(outcome.errors.contains("stopped by signal \(signal)"), outcome.errors)
    XCTAssertTrue(outcome.errors.contains("--resume \(path("run"))"), outcome.errors)
    XCTAssertTrue(job.isGone(), "ranks of the job still run")

    let stopped = try program.inspect(path("run")).state.step
    XCTAssertEqual(try Metrics(path("run")).steps, Array(1...stopped), "every step up to the checkpoint")
    try program.succeed(train(resume: "run", maxSteps: stopped + 10, set: set), ranks: ranks)
    try program.succeed(train("whole", maxSteps: stopped + 10, set: set), ranks: ranks)
    assertSameCourse(try Metrics(path("run")), try Metrics(path("whole")))
    assertSameArrays(try program.inspect(path("run")), try program.inspect(path("whole")))
  }
}
