import Foundation
import KitiHDF5
import XCTest

/// Losses that are not numbers: left out, gone back from, or the end, on all ranks alike.
final class NonFiniteTests: ProgramTestCase {
  /// A copy of the data set in which one training sample holds a number that is none.
  private func dataWithABadSample() throws -> String {
    let copy = path("bad.h5")
    try FileManager.default.copyItem(atPath: data, toPath: copy)
    let file = try HDF5File.open(copy, .readWrite)
    let inputs = try file.root.dataSet("train/inputs")
    var values = try inputs.read(Float.self)
    values[5 * 64 + 3] = .nan
    try inputs.write(values)
    try file.close()
    return copy
  }

  func testStepsWithABadSampleAreSkippedOnAllRanks() throws {
    let set = ["data.path=\(try dataWithABadSample())", "training.epochs=3", "training.onNonFinite=skip"]
    for ranks in [nil, 2] {
      let run = "run\(ranks ?? 1)"
      let outcome = try program.succeed(train(run, set: set), ranks: ranks)
      let metrics = try Metrics(path(run))
      let skipped = metrics.lines("step").filter { $0.values["update"] as? String == "skipped" }
      XCTAssertEqual(skipped.count, 3, "one step of each epoch")
      XCTAssertTrue(skipped.allSatisfy { $0.number("loss") == nil })
      XCTAssertEqual(metrics.steps, Array(1...(ranks == nil ? 18 : 9)))
      XCTAssertTrue(outcome.errors.contains("the loss is not a number; all ranks leave its update out (3 since"), outcome.errors)
      XCTAssertTrue(metrics.lines("evaluation").allSatisfy { $0.number("relativeL2")?.isFinite == true })
      try program.succeed(["inspect", path(run), "--verify"])
    }
  }

  func testStopIsTheDefault() throws {
    let outcome = try program.run(
      train("run", set: ["data.path=\(try dataWithABadSample())", "training.epochs=1"]), ranks: 2)
    assertFailed(outcome, naming: "the loss is not a number; the parameters are left as they were")
  }

  private func assertFailed(
    _ outcome: Outcome, naming fragment: String, file: StaticString = #filePath, line: UInt = #line
  ) {
    XCTAssertEqual(outcome.status, 1, outcome.text, file: file, line: line)
    XCTAssertEqual(outcome.reports.count, 1, outcome.text, file: file, line: line)
    XCTAssertTrue(outcome.reports.joined().contains(fragment), outcome.text, file: file, line: line)
  }

  func testSkippingGivesUpWhenNothingElseIsLeft() throws {
    let outcome = try program.run(
      train("run", set: ["optimizer={kind: sgd, learningRate: 1e30}", "training.onNonFinite=skip"]), ranks: 2)
    assertFailed(outcome, naming: "for the 10th step in a row")
    XCTAssertGreaterThanOrEqual(try Metrics(path("run")).lines("step").filter { $0.values["update"] != nil }.count, 9)
  }

  /// Far too high a rate for this network, and some halvings below it one that trains.
  private let steep = ["optimizer={kind: sgd, learningRate: 0.75}", "training.onNonFinite=restore"]

  func testRestoreLowersTheRateUntilTheRunGetsOnAndTheRateSurvivesResuming() throws {
    let outcome = try program.succeed(train("run", maxSteps: 20, set: steep), ranks: 2)
    let restores = try Metrics(path("run")).lines("restore")
    XCTAssertGreaterThanOrEqual(restores.count, 1, outcome.text)
    XCTAssertEqual(
      restores.compactMap { $0.number("learningRateFactor") }, (1...max(1, restores.count)).map { pow(0.5, Double($0)) })
    XCTAssertTrue(outcome.errors.contains("all ranks go back to \(path("run"))/checkpoints/step-00000000.h5"), outcome.errors)
    let rate = 0.75 * pow(0.5, Double(restores.count))
    XCTAssertTrue(try Metrics(path("run")).lines("step").allSatisfy { $0.number("learningRate") == rate })

    try program.succeed(train(resume: "run", maxSteps: 26, set: steep), ranks: 2)
    let resumed = try Metrics(path("run"))
    XCTAssertEqual(resumed.steps, Array(1...26))
    XCTAssertEqual(resumed.lines("step").last?.number("learningRate"), rate)
    try program.succeed(train("whole", maxSteps: 26, set: steep), ranks: 2)
    assertSameCourse(resumed, try Metrics(path("whole")))
    assertSameArrays(try program.inspect(path("run")), try program.inspect(path("whole")))
  }
}
