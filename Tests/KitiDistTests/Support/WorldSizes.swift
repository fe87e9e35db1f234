import XCTest

extension ProgramTestCase {
  /// Trains 50 steps of the test's configuration on 1, 2, 3 and 4 ranks with one global batch, which divides by none of
  /// them but one, and compares losses: they must agree to 1e-9, relatively, and no pair may collide otherwise.
  ///
  /// - Parameter collides: whether pairs are expected to.
  func assertFiftyLossesDoNotDependOnRanks(
    _ name: String, set: [String] = [], collides: Bool, file: StaticString = #filePath, line: UInt = #line
  ) throws {
    let steps = 50
    let set =
      set + [
        "training.batch=null", "training.globalBatch=7", "parallel.reduction=ordered", "model.collision.streams=sample",
        "model.collision.scheme=\(collides ? "ntc" : "none")",
      ]
    func metrics(_ ranks: Int) throws -> Metrics {
      try program.succeed(train("\(name)\(ranks)", maxSteps: steps, set: set), ranks: ranks, file: file, line: line)
      return try Metrics(path("\(name)\(ranks)"))
    }
    let reference = try metrics(1)
    XCTAssertEqual(reference.steps, Array(1...steps), file: file, line: line)
    let rates = reference.lines("step").map { $0.written("collisionRate") }
    XCTAssertTrue(
      reference.lines("step").allSatisfy { (($0.number("collisionRate") ?? 0) > 0) == collides }, "\(rates)",
      file: file, line: line)
    for ranks in 2...4 {
      let other = try metrics(ranks)
      assertCloseLosses(
        other, reference, tolerance: 1e-9, "\(name), \(ranks) ranks", file: file, line: line)
      XCTAssertEqual(
        other.lines("step").map { $0.written("samples") }, reference.lines("step").map { $0.written("samples") },
        file: file, line: line)
      XCTAssertEqual(
        other.lines("step").map { $0.written("collisionRate") }, rates, "\(name), \(ranks) ranks", file: file,
        line: line)
    }
  }
}
