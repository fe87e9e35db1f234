import XCTest

/// A network whose filters come from the training images, through the whole program.
final class WhitenedTrainingTests: ProgramTestCase {
  override var configurationText: String {
    """
    name: whitened
    seed: 3
    data: {kind: cifar10, path: \((try? SharedImages.path.get()) ?? ""), augmentation: {crop: 2, padding: reflect}}
    model: {kind: whitened-resnet, widths: [4, 8, 8], collision: {scheme: ntc}}
    optimizer: {kind: sgd, learningRate: 0.5, momentum: 0.85, nesterov: true, shiftRate: 8, schedule: {kind: linear}}
    training: {epochs: 20, batch: 4, weightAverage: 0.9}
    checkpoint: {every: 5 steps, keep: 9}

    """
  }

  private func filters(_ run: String, step: Int? = nil) throws -> CheckpointReport.Array {
    let checkpoint = step.map { "\(run)/checkpoints/step-0000000\($0).h5" } ?? run
    let report = try program.inspect(path(checkpoint))
    return try XCTUnwrap(report.arrays.first { $0.path == "/model/whitening/weight" }, "\(report.arrays)")
  }

  func testFiltersComeFromTheDataOnceAndStay() throws {
    for ranks in [nil, 2] {
      let name = "ranks\(ranks ?? 1)"
      try program.succeed(train("\(name)-whole", maxSteps: 10), ranks: ranks)
      try program.succeed(train("\(name)-parts", maxSteps: 5), ranks: ranks)
      try program.succeed(train(resume: "\(name)-parts", maxSteps: 10), ranks: ranks)
      assertSameCourse(try Metrics(path("\(name)-parts")), try Metrics(path("\(name)-whole")))
      assertSameArrays(try program.inspect(path("\(name)-parts")), try program.inspect(path("\(name)-whole")))
      XCTAssertEqual(try filters("\(name)-parts", step: 5), try filters("\(name)-parts"))
    }
    XCTAssertEqual(try filters("ranks1-whole").shape, [2, 2, 3, 24])
    // They are of the data alone: neither the seed nor the number of ranks changes them.
    try program.succeed(train("seed", maxSteps: 1, set: ["seed=4"]))
    XCTAssertEqual(try filters("seed"), try filters("ranks1-whole"))
    XCTAssertEqual(try filters("ranks2-whole"), try filters("ranks1-whole"))
  }

  /// Its filters pass rectified zeros on, which tie in the largest of a window: any rounding would choose another place
  /// to learn.
  func testTheNumberOfRanksIsIndifferentForFiftySteps() throws {
    let set = ["training.syncBatchNorm=true", "checkpoint.every=100 epochs"]
    for (name, collides) in [("ntc", true), ("none", false)] {
      try assertFiftyLossesDoNotDependOnRanks(name, set: set, collides: collides)
    }
  }

  func testTrainingLearnsClasses() throws {
    for (run, scheme) in [("kiti", "ntc"), ("plain", "none")] {
      let set = ["model.collision.scheme=\(scheme)", "checkpoint.every=100 epochs"]
      func mean(_ losses: ArraySlice<Double>) -> Double { losses.reduce(0, +) / Double(losses.count) }
      try program.succeed(train(run, set: set), ranks: 2)
      let metrics = try Metrics(path(run))
      XCTAssertEqual(metrics.lines("step").contains { $0.number("collisionRate") != nil }, scheme != "none")
      XCTAssertLessThan(mean(metrics.losses.suffix(8)), 0.85 * mean(metrics.losses.prefix(8)))
    }
  }
}
