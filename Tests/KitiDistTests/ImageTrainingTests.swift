import Foundation
import XCTest

/// Small residual networks on small images, through the whole program.
final class ImageTrainingTests: ProgramTestCase {
  override var configurationText: String {
    """
    name: images
    seed: 3
    data: {kind: cifar10, path: \((try? SharedImages.path.get()) ?? ""), augmentation: {crop: 4, flip: random}}
    model: {kind: resnet, depth: 8, width: 4, collision: {scheme: ntc, divide: [16, 8, 4]}}
    optimizer: {kind: sgd, learningRate: 0.05, momentum: 0.9, nesterov: true, weightDecay: 5e-4}
    training: {epochs: 20, batch: 4, evaluateEvery: 1 epoch}
    checkpoint: {every: 100 epochs, keep: 3}

    """
  }

  /// Everything that a run has besides its weights: averages, running statistics, augmentation, dropout.
  private let everything = [
    "training.weightAverage=0.9", "training.testFlip=true", "training.testShift=1", "training.labelSmoothing=0.1",
    "model.dropout=0.2",
    "data.augmentation={crop: 2, flip: alternating, cutout: 6}", "optimizer.schedule={kind: linear, warmup: 3 steps}",
  ]

  func testResumedRunOnOneRankIsBitForBitTheUninterruptedOne() throws { try checkResume(ranks: nil) }
  func testResumedRunOnTwoRanksIsBitForBitTheUninterruptedOne() throws { try checkResume(ranks: 2) }

  func testResumedRunWithOrthogonalizedMomentumIsBitForBitTheUninterruptedOne() throws {
    try checkResume(ranks: 2, set: ["optimizer={kind: muon, learningRate: 0.02, weightDecay: 5e-4}"])
  }

  private func checkResume(ranks: Int?, set more: [String] = []) throws {
    let set = everything + ["checkpoint={every: 5 steps, keep: 9}"] + more
    try program.succeed(train("whole", maxSteps: 10, set: set), ranks: ranks)
    try program.succeed(train("parts", maxSteps: 5, set: set), ranks: ranks)
    try program.succeed(train(resume: "parts", maxSteps: 10, set: set), ranks: ranks)
    assertSameCourse(try Metrics(path("parts")), try Metrics(path("whole")))
    assertSameArrays(try program.inspect(path("parts")), try program.inspect(path("whole")))
  }

  /// 7 divides nothing, and leaves ranks without samples in the last batch of an epoch. The learning rate is one at which
  /// so small a network would make 1e-2 of a rounding in these steps.
  func testSynchronisedBatchNormMakesTheNumberOfRanksIndifferentForFiftySteps() throws {
    let set = ["training.syncBatchNorm=true", "model.dropout=0.2"]
    for (name, collides) in [("ntc", true), ("none", false)] {
      try assertFiftyLossesDoNotDependOnRanks(name, set: set, collides: collides)
    }
  }

  func testTrainingLearnsClasses() throws {
    let set = [
      "training={epochs: 12, batch: 4, evaluateEvery: 25 %}", "data.augmentation={flip: random}",
      "optimizer.schedule={kind: cosine, warmup: 10 %}",
    ]
    for (run, scheme) in [("kiti", "ntc"), ("plain", "none")] {
      let outcome = try program.succeed(train(run, set: set + ["model.collision.scheme=\(scheme)"]), ranks: 2)
      XCTAssertTrue(outcome.output.contains("test accuracy "), outcome.text)
      let evaluations = try Metrics(path(run)).lines("evaluation")
      XCTAssertEqual(evaluations.count, 4)
      XCTAssertGreaterThanOrEqual(evaluations.compactMap { $0.number("accuracy") }.max() ?? 0, 0.4)
    }
  }

  func testEvaluationOfACheckpointIsThatOfTheRun() throws {
    try program.succeed(train("run", maxSteps: 16, set: everything), ranks: 2)
    let last = try XCTUnwrap(Metrics(path("run")).lines("evaluation").last)
    for ranks in [nil, 3] {
      let outcome = try program.succeed(["evaluate", path("run"), "--json", "--batch", "2"], ranks: ranks)
      let object = try XCTUnwrap(JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
      XCTAssertEqual(object["accuracy"] as? Double, last.number("accuracy"))
      XCTAssertEqual(try XCTUnwrap(object["loss"] as? Double), try XCTUnwrap(last.number("loss")), accuracy: 1e-5)
      XCTAssertEqual(object["samples"] as? Int, 9)
      XCTAssertEqual(
        object["with"] as? [String], ["averaged weights", "images moved by up to 1 pixel too", "flipped images too"])
    }
  }

  func testModelsAndDataThatDoNotBelongTogetherAreRefused() throws {
    let burgers = ["data={kind: burgers, path: \(data)}"]
    for (set, parts) in [
      (burgers, ["model.kind resnet", "[64, 1]", "no classes"]),
      (["model={kind: fno1d}"], ["model.kind fno1d", "[32, 32, 3]"]),
      (burgers + ["model={kind: fno1d}", "training.testFlip=true"], ["training.testFlip", "no images"]),
      (burgers + ["model={kind: fno1d}", "training.testShift=1"], ["training.testShift", "no images"]),
      (["training.testShift=32"], ["training.testShift is 32", "32 x 32"]),
      (burgers + ["model={kind: fno1d}", "training.syncBatchNorm=true"], ["training.syncBatchNorm"]),
      (
        burgers + ["model={kind: fno1d}", "optimizer={kind: muon, learningRate: 0.02}"],
        ["optimizer.kind is muon", "no convolutions"]
      ),
      (burgers + ["model={kind: fno1d}", "training.labelSmoothing=0.1"], ["training.labelSmoothing", "no classes"]),
      (["model.collision.divide=[5, 8, 4]"], ["stages/0/0", "collision.divide 5", "[1024 places, 4 channels]"]),
    ] {
      let outcome = try program.run(train("refused", set: set))
      XCTAssertEqual(outcome.status, 64, outcome.text)
      for part in parts { XCTAssertTrue(outcome.errors.contains(part), "'\(part)' is missing: \(outcome.errors)") }
    }
  }
}
