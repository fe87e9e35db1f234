import XCTest

/// A small network learns the small problem, and one that diverges says so.
final class LearningTests: ProgramTestCase {
  private let set = ["training.epochs=60", "optimizer.learningRate=0.01", "optimizer.schedule={kind: cosine}"]

  func testTrainingLearnsWithCollisions() throws { try check(scheme: "ntc", ranks: 2) }
  func testTrainingLearnsWithoutCollisions() throws { try check(scheme: "none", ranks: nil) }

  private func check(scheme: String, ranks: Int?) throws {
    try program.succeed(train("run", set: set + ["model.collision.scheme=\(scheme)"]), ranks: ranks)
    let metrics = try Metrics(path("run"))
    XCTAssertEqual(metrics.lines("step").contains { $0.number("collisionRate") != nil }, scheme != "none")
    func mean(_ losses: ArraySlice<Double>) -> Double { losses.reduce(0, +) / Double(losses.count) }
    XCTAssertLessThan(mean(metrics.losses.suffix(12)), 0.25 * metrics.losses[0])
    let errors = metrics.lines("evaluation").compactMap { $0.number("relativeL2") }
    XCTAssertEqual(errors.count, 60)
    XCTAssertLessThan(errors[59], 0.35 * errors[0])
  }

  func testDivergenceEndsAllRanksNamingTheStepAndWhatToDo() throws {
    for ranks in [nil, 2] {
      let run = "run\(ranks ?? 1)"
      try program.succeed(train(run, maxSteps: 2), ranks: ranks)
      let checkpoint = path("\(run)/checkpoints/step-00000002.h5")
      try program.succeed(["inspect", checkpoint])
      let outcome = try program.run(train("other\(run)", set: ["optimizer.learningRate=1e30"]), ranks: ranks)
      assertReport(outcome, status: 1, naming: ["Step ", "optimizer.learningRate"])
    }
  }
}
