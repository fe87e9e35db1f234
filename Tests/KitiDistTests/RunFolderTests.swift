import Foundation
import XCTest

/// The folder of a run holds what other programs rely on.
final class RunFolderTests: ProgramTestCase {
  func testMetricsBeginWithTheRunAndHoldEveryStepAndEvaluation() throws {
    try program.succeed(train("run", set: ["training.epochs=2"]), ranks: 2)
    let metrics = try Metrics(path("run"))
    let run = try XCTUnwrap(metrics.lines.first)
    XCTAssertEqual(run.kind, "run")
    XCTAssertEqual(run.values["ranks"] as? Int, 2)
    XCTAssertEqual((run.values["hosts"] as? [String])?.count, 1)
    XCTAssertEqual(run.values["seed"] as? String, "3")
    XCTAssertNotNil(run.values["version"])

    XCTAssertEqual(metrics.steps, Array(1...6))
    XCTAssertEqual(metrics.lines("step").map { $0.values["samples"] as? Int }, [8, 16, 24, 32, 40, 48])
    XCTAssertEqual(metrics.lines("step").map { $0.values["epoch"] as? Int }, [0, 0, 0, 1, 1, 1])
    for line in metrics.lines("step") {
      for key in ["loss", "learningRate", "gradientNorm", "samplesPerSecond", "collisionRate", "communicationShare"] {
        XCTAssertNotNil(line.number(key), "\(key) in \(line.text)")
      }
    }
    XCTAssertEqual(metrics.lines("evaluation").map(\.step), [3, 6])
    XCTAssertTrue(metrics.lines("evaluation").allSatisfy { ($0.number("relativeL2") ?? 0) > 0 })
  }

  func testNewestCheckpointsAreKeptAndLatestPointsToTheNewest() throws {
    try program.succeed(train("run", maxSteps: 11, set: ["checkpoint={every: 2 steps, keep: 3}"]))
    XCTAssertEqual(checkpointNames("run"), ["step-00000008.h5", "step-00000010.h5", "step-00000011.h5"])
    XCTAssertEqual(
      try FileManager.default.destinationOfSymbolicLink(atPath: path("run/latest")), "checkpoints/step-00000011.h5")
    XCTAssertEqual(try program.inspect(path("run/latest")).state.step, 11)
  }

  func testResolvedConfigurationRepeatsTheRun() throws {
    let set = ["model.width=6", "optimizer.schedule={kind: cosine}", "training.clipNorm=0.5"]
    try program.succeed(train("first", maxSteps: 8, set: set))
    try program.succeed(["train", path("first/config.yaml"), "--output", path("second"), "--max-steps", "8"])
    assertSameCourse(try Metrics(path("second")), try Metrics(path("first")))
    XCTAssertEqual(
      try String(contentsOfFile: path("second/config.yaml"), encoding: .utf8),
      try String(contentsOfFile: path("first/config.yaml"), encoding: .utf8))
  }

  func testRunsFolderIsNamedAfterTheConfiguration() throws {
    try program.succeed(train(maxSteps: 1))
    XCTAssertEqual(checkpointNames("runs/tiny"), ["step-00000001.h5"])
  }

  func testRunThatMovedGoesOn() throws {
    try program.succeed(train("before", maxSteps: 3))
    try FileManager.default.moveItem(atPath: path("before"), toPath: path("after"))
    try program.succeed(train(resume: "after", maxSteps: 5))
    XCTAssertEqual(try Metrics(path("after")).steps, Array(1...5))
  }
}
