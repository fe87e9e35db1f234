import Foundation
import XCTest

/// The lines of a run's metrics.jsonl.
struct Metrics {
  struct Line {
    let text: String
    let values: [String: Any]

    var kind: String? { values["kind"] as? String }
    var step: Int? { values["step"] as? Int }

    func number(_ key: String) -> Double? { values[key] as? Double }

    /// The value of a key as it is written.
    func written(_ key: String) -> String? {
      guard let start = text.range(of: "\"\(key)\":")?.upperBound else { return nil }
      return String(text[start...].prefix { $0 != "," && $0 != "}" })
    }
  }

  let lines: [Line]

  init(_ run: String) throws {
    lines = try String(contentsOfFile: run + "/metrics.jsonl", encoding: .utf8).split(separator: "\n").map { text in
      let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
      return Line(text: String(text), values: try XCTUnwrap(object as? [String: Any]))
    }
  }

  func lines(_ kind: String) -> [Line] { lines.filter { $0.kind == kind } }

  var steps: [Int] { lines("step").compactMap(\.step) }
  var losses: [Double] { lines("step").compactMap { $0.number("loss") } }

  /// All that a run computes, to the digit: what its time and its ranks decide is left out.
  var course: [String] {
    lines.filter { $0.kind != "run" }.map { line in
      let keys = [
        "kind", "step", "epoch", "samples", "loss", "learningRate", "gradientNorm", "collisionRate", "relativeL2",
        "accuracy",
      ]
      return keys.compactMap { key in line.written(key).map { "\(key) \($0)" } }.joined(separator: ", ")
    }
  }
}

/// Checks that two courses are the same to the digit, and names the first line that is not.
func assertSameCourse(
  _ run: Metrics, _ reference: Metrics, _ message: String = "", file: StaticString = #filePath, line: UInt = #line
) {
  let (left, right) = (run.course, reference.course)
  XCTAssertEqual(left.count, right.count, "lines; \(message)", file: file, line: line)
  if let (first, second) = zip(left, right).first(where: { $0 != $1 }) {
    XCTAssertEqual(first, second, message, file: file, line: line)
  }
}

/// Checks that two runs have the same steps and losses, up to a relative difference.
func assertCloseLosses(
  _ run: Metrics, _ reference: Metrics, tolerance: Double = 1e-5, _ message: String = "", file: StaticString = #filePath,
  line: UInt = #line
) {
  XCTAssertEqual(run.steps, reference.steps, message, file: file, line: line)
  let differences = zip(run.losses, reference.losses).map { abs($0 - $1) / $1 }
  XCTAssertEqual(differences.count, reference.steps.count, message, file: file, line: line)
  if let (index, worst) = differences.enumerated().max(by: { $0.element < $1.element }) {
    XCTAssertLessThan(worst, tolerance, "step \(index + 1); \(message)", file: file, line: line)
  }
}
