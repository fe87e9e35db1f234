import XCTest

/// A run that was interrupted and resumed on as many ranks is the run without interruption, bit for bit.
final class ResumeTests: ProgramTestCase {
  private let adam = [
    "training.batch=5", "training.accumulation=2", "optimizer.schedule={kind: cosine, minimum: 1e-5}",
  ]
  private let momentum = [
    "training.batch=5", "optimizer={kind: sgd, learningRate: 0.02, momentum: 0.9, schedule: {kind: cosine, warmup: 3 steps}}",
  ]

  func testResumedAdamRunOnOneRankIsBitForBitTheUninterruptedOne() throws { try check(adam, ranks: nil, half: 5) }
  func testResumedAdamRunOnTwoRanksIsBitForBitTheUninterruptedOne() throws { try check(adam, ranks: 2, half: 5) }
  func testResumedMomentumRunOnOneRankIsBitForBitTheUninterruptedOne() throws { try check(momentum, ranks: nil, half: 7) }
  func testResumedMomentumRunOnTwoRanksIsBitForBitTheUninterruptedOne() throws { try check(momentum, ranks: 2, half: 7) }

  /// `half` is in the middle of an epoch, and the last batch of each epoch is smaller than the others.
  private func check(_ set: [String], ranks: Int?, half: Int) throws {
    try program.succeed(train("whole", maxSteps: 2 * half, set: set), ranks: ranks)
    try program.succeed(train("parts", maxSteps: half, set: set), ranks: ranks)
    let state = try program.inspect(path("parts")).state
    XCTAssertEqual(state.step, half)
    XCTAssertGreaterThan(state.stepInEpoch, 0, "the interruption is inside an epoch")
    try program.succeed(train(resume: "parts", maxSteps: 2 * half, set: set), ranks: ranks)

    let (whole, parts) = (try Metrics(path("whole")), try Metrics(path("parts")))
    XCTAssertEqual(parts.steps, Array(1...2 * half))
    assertSameCourse(parts, whole)
    XCTAssertTrue(whole.lines("step").allSatisfy { ($0.number("collisionRate") ?? 0) > 0 }, "pairs collide")
    let (first, second) = (try program.inspect(path("parts")), try program.inspect(path("whole")))
    XCTAssertEqual(first.state, second.state)
    assertSameArrays(first, second)
  }

  func testRunResumedAtEveryStepIsTheUninterruptedOne() throws {
    let set = ["training.batch=9"]
    try program.succeed(train("whole", maxSteps: 7, set: set))
    try program.succeed(train("parts", maxSteps: 1, set: set))
    for step in 2...7 { try program.succeed(train(resume: "parts", maxSteps: step, set: set)) }
    assertSameCourse(try Metrics(path("parts")), try Metrics(path("whole")))
    assertSameArrays(try program.inspect(path("parts")), try program.inspect(path("whole")))
  }

  func testResumeFromAnEarlierCheckpointRepeatsTheStepsAfterIt() throws {
    let set = ["checkpoint={every: 2 steps, keep: 9}"]
    try program.succeed(train("run", maxSteps: 6, set: set))
    let whole = try Metrics(path("run"))
    for step in ["00000006", "00000004"] {
      try FileManager.default.removeItem(atPath: path("run/checkpoints/step-\(step).h5"))
    }
    let outcome = try program.succeed(train(resume: "run", maxSteps: 6, set: set))
    XCTAssertTrue(outcome.errors.contains("step-00000002.h5"), outcome.errors)
    let again = try Metrics(path("run"))
    XCTAssertEqual(again.steps, Array(1...6))
    assertSameCourse(again, whole)
  }

  func testMetricsLineCutByAKillIsDroppedAndDoneAgain() throws {
    try program.succeed(train("run", maxSteps: 3))
    let whole = try Metrics(path("run"))
    let file = try XCTUnwrap(FileHandle(forWritingAtPath: path("run/metrics.jsonl")))
    try file.seekToEnd()
    try file.write(contentsOf: Data("{\"kind\":\"step\",\"step\":4,\"lo".utf8))
    try file.close()
    try program.succeed(train(resume: "run", maxSteps: 5))
    let metrics = try Metrics(path("run"))
    XCTAssertEqual(metrics.steps, Array(1...5))
    XCTAssertEqual(Array(metrics.course.prefix(whole.course.count)), whole.course)
  }

  func testResumeOfAFinishedRunSaysThatNothingIsLeft() throws {
    try program.succeed(train("run", set: ["training.epochs=1"]))
    let before = try Metrics(path("run")).course
    let outcome = try program.succeed(train(resume: "run", set: ["training.epochs=1"]))
    XCTAssertTrue(outcome.output.contains("nothing left to do"), outcome.text)
    XCTAssertEqual(try Metrics(path("run")).course, before)
  }

  func testResumeWithoutAFolderNameBeginsARunThatHasNoCheckpoint() throws {
    try program.succeed(train("run", maxSteps: 2) + ["--resume"])
    try program.succeed(train("run", maxSteps: 4) + ["--resume"])
    XCTAssertEqual(try Metrics(path("run")).steps, [1, 2, 3, 4])
  }
}
