import Foundation
import XCTest

/// What each command prints and leaves behind.
final class CommandTests: ProgramTestCase {
  private let commands = [
    [], ["train"], ["evaluate"], ["inspect"], ["condense"], ["data"], ["data", "make"],
    ["data", "make", "burgers"],
    ["data", "import"], ["data", "import", "cifar10"], ["data", "import", "images"], ["data", "inspect"], ["bench"],
    ["bench", "fno1d"], ["bench", "loader"], ["bench", "resnet18"], ["bench", "allreduce"], ["plan"], ["report"],
  ]

  func testHelpOfEveryCommandIsPrinted() throws {
    let jobs = try commands.map { try program.start($0 + ["--help"]) }
    for (command, job) in zip(commands, jobs) {
      let (outcome, name) = (job.wait(), (["kiti-dist"] + command).joined(separator: " "))
      XCTAssertEqual(outcome.status, 0, outcome.text)
      XCTAssertTrue(outcome.output.contains("USAGE: \(name) "), outcome.text)
      XCTAssertTrue(outcome.output.contains("--help"), outcome.text)
      XCTAssertEqual(outcome.errors, "", name)
    }
  }

  func testHelpIsPrintedOnceByAJobOfTwoRanks() throws {
    let some = commands.filter { $0.count != 1 } + [["train"]]
    let jobs = try some.map { try program.start($0 + ["--help"], ranks: 2) }
    for (command, job) in zip(some, jobs) {
      let outcome = job.wait()
      XCTAssertEqual(outcome.status, 0, outcome.text)
      XCTAssertEqual(outcome.output.components(separatedBy: "USAGE:").count, 2, "\(command): \(outcome.text)")
    }
  }

  func testVersionIsPrintedOnce() throws {
    for ranks in [nil, 2] {
      let lines = try program.succeed(["--version"], ranks: ranks).output.split(separator: "\n")
      XCTAssertEqual(lines.count, 1)
    }
  }

  func testDryRunShowsTheRunAndWritesNothing() throws {
    let arguments = try train("new") + ["--dry-run"]
    let before = Snapshot(folder)
    for ranks in [nil, 2] {
      let output = try program.succeed(arguments, ranks: ranks).output
      for fragment in [
        "width: 8", "blocks/1/spectral", "FLOPs/sample", "24 training, 8 test", "memory per rank", "bytes sent per step",
        "global batch            \(ranks == 2 ? "8 on 2 ranks, 3 steps" : "4 on 1 rank, 6 steps")",
      ] {
        XCTAssertTrue(output.contains(fragment), "'\(fragment)' is missing: \(output)")
      }
      XCTAssertEqual(output.components(separatedBy: "memory per rank").count, 2, "printed once")
    }
    XCTAssertEqual(Snapshot(folder).differences(from: before), [])
  }

  func testDryRunShowsAsManyParametersAsTheCheckpointHas() throws {
    let output = try program.succeed(try train("new") + ["--dry-run"]).output
    try program.succeed(train("run", maxSteps: 1))
    let count = try program.inspect(path("run")).parameters
    XCTAssertNotNil(output.range(of: "parameters +\(count)\n", options: .regularExpression), output)
  }

  func testEvaluationIsTheSameOnAnyNumberOfRanks() throws {
    try program.succeed(train("run", maxSteps: 12))
    let trained = try XCTUnwrap(Metrics(path("run")).lines("evaluation").last?.number("relativeL2"))
    let before = Snapshot(URL(fileURLWithPath: path("run")))
    for ranks in [nil, 2, 3] {
      let outcome = try program.succeed(["evaluate", path("run"), "--json", "--batch", "3"], ranks: ranks)
      let lines = outcome.output.split(separator: "\n")
      XCTAssertEqual(lines.count, 1, outcome.output)
      let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
      let error = try XCTUnwrap(object?["relativeL2"] as? Double)
      XCTAssertEqual(error / trained, 1, accuracy: 1e-6)
      XCTAssertEqual(object?["samples"] as? Int, 8)
      XCTAssertEqual(object?["step"] as? Int, 12)
    }
    XCTAssertEqual(Snapshot(URL(fileURLWithPath: path("run"))).differences(from: before), [])
  }

  func testInspectionIsPrintedOnceByAJobOfTwoRanks() throws {
    try program.succeed(train("run", maxSteps: 1))
    let alone = try program.succeed(["inspect", path("run"), "--verify"]).output
    XCTAssertEqual(try program.succeed(["inspect", path("run"), "--verify"], ranks: 2).output, alone)
    let dataAlone = try program.succeed(["data", "inspect", data]).output
    XCTAssertEqual(try program.succeed(["data", "inspect", data], ranks: 2).output, dataAlone)
  }

  func testBenchPrintsOneLineWithItsKeys() throws {
    for (ranks, scheme) in [(nil, "none"), (2, "ntc")] {
      let arguments = ["bench", "fno1d", "--json", "--steps", "2", "--batch", "2", "--scheme", scheme]
      let output = try program.succeed(arguments, ranks: ranks).output
      XCTAssertEqual(output.split(separator: "\n").count, 1, output)
      let object = try XCTUnwrap(JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any])
      XCTAssertEqual(object["bench"] as? String, "fno1d")
      XCTAssertEqual(object["ranks"] as? Int, ranks ?? 1)
      XCTAssertEqual(object["threads"] as? Int, 1)
      for key in ["samplesPerSecond", "msPerStep", "peakMiB"] {
        XCTAssertGreaterThan(try XCTUnwrap(object[key] as? Double, key), 0, key)
      }
      guard scheme != "none" else { continue }
      let keys = ["collisionShareLow", "collisionShare", "collisionShareHigh"]
      let shares = try keys.map { try XCTUnwrap(object[$0] as? Double, $0) }
      XCTAssertEqual(shares, shares.sorted(), "the range holds the median")
      XCTAssertNotNil(object["collisionShareOfProcessor"] as? Double)
    }
  }

  func testDataSetsAreTheSameFileOnAnyNumberOfRanks() throws {
    var files: [Data] = []
    for ranks in [nil, 2, 3] {
      let file = path("\(ranks ?? 1).h5")
      try program.succeed(
        [
          "data", "make", "burgers", "--samples", "11", "--test-samples", "4", "--resolution", "32", "--seed", "9",
          "--output", file,
        ],
        ranks: ranks, environment: ["SOURCE_DATE_EPOCH": "1700000000"])
      files.append(try Data(contentsOf: URL(fileURLWithPath: file)))
    }
    XCTAssertTrue(files.allSatisfy { $0 == files[0] }, "sizes \(files.map(\.count))")
  }
}
