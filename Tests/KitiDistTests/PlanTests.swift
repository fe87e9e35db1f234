import Foundation
import XCTest

/// What `plan` measures, predicts and refuses.
final class PlanTests: ProgramTestCase {
  private let network = ["--latency", "10", "--bandwidth", "100"]

  private func object(_ output: String) throws -> [String: Any] {
    try XCTUnwrap(JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any], output)
  }

  func testGivenPhasesArePlannedUpTo4096Ranks() throws {
    let arguments =
      ["plan", "--phases", "300,600,8", "--parameters", "11000000", "--ranks", "64", "--nodes", "64"] + network
    let plan = try object(try program.succeed(arguments + ["--json"]).output)
    for key in ["weak", "strong"] {
      let rows = try XCTUnwrap(plan[key] as? [[String: Any]])
      XCTAssertEqual(rows.compactMap { $0["ranks"] as? Int }, (0...12).map { 1 << $0 })
      XCTAssertEqual(rows[0]["efficiency"] as? Double, 1)
      XCTAssertEqual(try XCTUnwrap(rows[0]["msPerStep"] as? Double) / (key == "weak" ? 908 : 57_608), 1, accuracy: 1e-9)
    }
    let job = try XCTUnwrap((plan["job"] as? [[String: Any]])?.first)
    XCTAssertEqual(job["ranks"] as? Int, 64)
    let efficiency = try XCTUnwrap(job["efficiency"] as? Double)
    XCTAssertTrue((0.5..<1).contains(efficiency), "\(efficiency)")
    let text = try program.succeed(arguments).output
    for fragment in ["64 ranks on 64 nodes: ", "weak scaling", "strong scaling", "\n    4096 ", "exposed"] {
      XCTAssertTrue(text.contains(fragment), "'\(fragment)': \(text)")
    }
  }

  func testTheConfiguredModelAndTheLinkOfANodeAreMeasured() throws {
    let config = try writeConfiguration()
    let arguments = ["plan", config, "--ranks", "8", "--nodes", "2", "--steps", "2", "--json"] + network
    let plan = try object(try program.succeed(arguments, ranks: 2).output)
    XCTAssertEqual(plan["nodeLink"] as? String, "measured")
    XCTAssertEqual(plan["networkLink"] as? String, "given")
    XCTAssertEqual(plan["batch"] as? Int, 4)
    for key in ["forwardMs", "backwardMs", "updateMs", "summedGBPerSecond"] {
      XCTAssertGreaterThan(try XCTUnwrap(plan[key] as? Double, key), 0, key)
    }
    try """
      {"kind":"step","step":1}
      {"kind":"timing","step":10,"steps":10,"compute":0.5,"update":0.25}

      """.write(toFile: path("metrics.jsonl"), atomically: true, encoding: .utf8)
    let other = try program.succeed(
      ["plan", config, "--ranks", "1", "--steps", "1", "--json", "--metrics", path("metrics.jsonl")])
    let rows = try XCTUnwrap(try object(other.output)["weak"] as? [[String: Any]])
    XCTAssertEqual(rows.count, 1, "without a network there is one node")
    XCTAssertEqual(try XCTUnwrap(rows[0]["msPerStep"] as? Double), 750, accuracy: 1e-6)
  }

  func testImpossiblePlansAreRefusedWithARemedy() throws {
    let given = ["plan", "--phases", "3,6,1", "--parameters", "1000"]
    let wrong: [(arguments: [String], fragment: String)] = [
      (["plan", "--ranks", "4"], "--bench"),
      (given + ["--ranks", "0"], "--ranks 0"),
      (given + ["--ranks", "5", "--nodes", "2"], "divide evenly"),
      (given + ["--ranks", "4", "--nodes", "2", "--latency", "1"], "belong together"),
      (given + ["--ranks", "4", "--nodes", "4"], "--latency and --bandwidth"),
      (given + ["--ranks", "4"], "mpirun -np 2"),
      (given + ["--ranks", "2", "--nodes", "2", "--latency", "1", "--bandwidth", "0"], "--bandwidth 0"),
      (["plan", "--phases", "3,6", "--parameters", "1000", "--ranks", "1"], "three times"),
      (["plan", "--bench", "fno1d", "--ranks", "1", "--metrics", path("none")], "cannot be read"),
      (["plan", path("none.yaml"), "--ranks", "1"], "none.yaml"),
    ]
    for (arguments, fragment) in wrong {
      let outcome = try program.run(arguments)
      XCTAssertEqual(outcome.status, 64, outcome.text)
      XCTAssertTrue(outcome.errors.contains(fragment), "'\(fragment)': \(outcome.text)")
    }
  }
}
