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
    // Several at a time: the end of a run that fails is a race between its threads.
    let runs: [Int?] = [nil, nil, nil, nil, nil, nil, 2, 2]
    let jobs = try runs.indices.map {
      try program.start(train("run\($0)", set: ["optimizer.learningRate=1e30"]), ranks: runs[$0])
    }
    for job in jobs {
      assertReport(job.wait(), status: 1, naming: ["Step ", "optimizer.learningRate", "No checkpoint had been written yet"])
    }
  }
}
