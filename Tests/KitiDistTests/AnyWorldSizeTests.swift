import XCTest

/// With the same global batch and collisions that belong to samples, the number of ranks does not matter.
final class AnyWorldSizeTests: ProgramTestCase {
  private func settings(globalBatch: Int) -> [String] {
    ["training.batch=null", "training.globalBatch=\(globalBatch)", "model.collision.streams=sample"]
  }

  func testLossesOfFiftyStepsAreTheSameOnOneToFourRanks() throws {
    for (name, collides) in [("ntc", true), ("none", false)] {
      try assertFiftyLossesDoNotDependOnRanks(name, collides: collides)
    }
  }

  func testRanksWithoutASampleTakePart() throws {
    let set = settings(globalBatch: 3) + ["training.epochs=2"]
    try program.succeed(train("1", set: set))
    try program.succeed(train("4", set: set), ranks: 4)
    assertCloseLosses(try Metrics(path("4")), try Metrics(path("1")))
  }

  func testResumeOnAnotherNumberOfRanksGoesOnWithTheSameSamples() throws {
    let set = settings(globalBatch: 7)
    try program.succeed(train("whole", maxSteps: 20, set: set), ranks: 2)
    let whole = try Metrics(path("whole"))
    for ranks in [3, 1] {
      let run = "run\(ranks)"
      try program.succeed(train(run, maxSteps: 10, set: set), ranks: 2)
      try program.succeed(train(resume: run, maxSteps: 20, set: set), ranks: ranks)
      assertCloseLosses(try Metrics(path(run)), whole, "resumed on \(ranks) ranks")
      XCTAssertEqual(try program.inspect(path(run)).state.worldSize, ranks)
    }
  }

  func testBatchPerRankKeepsTheCheckpointsGlobalBatchOnAnotherNumberOfRanks() throws {
    let set = ["training.batch=3", "model.collision.streams=sample"]
    try program.succeed(train("whole", maxSteps: 12, set: set), ranks: 2)
    try program.succeed(train("parts", maxSteps: 5, set: set), ranks: 2)
    try program.succeed(train(resume: "parts", maxSteps: 12, set: set), ranks: 3)
    XCTAssertEqual(try program.inspect(path("parts")).state.globalBatch, 6)
    assertCloseLosses(try Metrics(path("parts")), try Metrics(path("whole")))
  }

  func testAccumulationChangesTheLossesNoMoreThanRanksDo() throws {
    let set = settings(globalBatch: 8)
    try program.succeed(train("1", maxSteps: 9, set: set))
    try program.succeed(train("4", maxSteps: 9, set: set + ["training.accumulation=4"]))
    assertCloseLosses(try Metrics(path("4")), try Metrics(path("1")))
  }

  func testTwoRunsOnTheSameRanksAreEqualBitForBit() throws {
    for run in ["a", "b"] { try program.succeed(train(run, maxSteps: 12, set: ["training.batch=5"]), ranks: 2) }
    assertSameCourse(try Metrics(path("a")), try Metrics(path("b")))
    assertSameArrays(try program.inspect(path("a")), try program.inspect(path("b")))
  }
}
