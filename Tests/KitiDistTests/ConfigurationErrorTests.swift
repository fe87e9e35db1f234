import XCTest

/// A wrong command line or configuration gets one report that names what is wrong, and status 64.
final class ConfigurationErrorTests: ProgramTestCase {
  /// Alone and on two ranks.
  private func refuse(
    _ arguments: [String], naming fragments: String..., file: StaticString = #filePath, line: UInt = #line
  ) throws {
    let refusals = [nil, 2].map { Refusal(arguments: arguments, ranks: $0, fragments: fragments) }
    try assertRefused(refusals, status: 64, file: file, line: line)
  }

  private func train(set: String) throws -> [String] { try train("new", set: [set]) }

  func testUnknownCommandIsNamed() throws {
    try refuse(["trian"], naming: "trian")
  }

  func testUnknownOptionIsNamed() throws {
    try refuse(try train("new") + ["--resum"], naming: "--resum'", "--resume")
    try refuse(["data", "make", "burgers", "--sample", "3"], naming: "--sample")
  }

  func testMissingArgumentIsNamed() throws {
    try refuse(["train"], naming: "<config>")
    try refuse(["data", "make", "burgers", "--samples", "4", "--resolution", "64"], naming: "--output")
  }

  func testReportOfAWrongCommandLineHasOneMark() throws {
    let outcome = try program.run(["trian"])
    XCTAssertFalse(outcome.errors.contains("Error:"), outcome.errors)
  }

  func testMissingConfigurationIsNamed() throws {
    try refuse(["train", path("absent.yaml")], naming: path("absent.yaml"), "no such file")
  }

  func testMisspeltKeyIsNamedWithItsLineAndTheNearestKey() throws {
    let text = configurationText.replacingOccurrences(of: "  width:", with: "  widht:")
    let file = try writeConfiguration(text, name: "misspelt.yaml")
    try refuse(["train", file, "--output", path("new")], naming: "misspelt.yaml", "line 6", "model.widht", "'width'")
  }

  func testWrongTypeIsNamed() throws {
    let text = configurationText.replacingOccurrences(of: "epochs: 20", with: "epochs: many")
    let file = try writeConfiguration(text, name: "wrong.yaml")
    try refuse(["train", file, "--output", path("new")], naming: "wrong.yaml", "training.epochs", "many", "whole number")
  }

  func testMissingKeyIsNamed() throws {
    try refuse(try train(set: "optimizer.learningRate=null"), naming: "optimizer.learningRate")
  }

  func testMalformedOverrideIsNamed() throws {
    let texts = ["nonsense", "=3", "model.width=", "model.width=[", "model.width.depth=3", "..=1"]
    try assertRefused(
      texts.map { Refusal(arguments: try train(set: $0), ranks: nil, fragments: ["--set \($0)"]) }, status: 64)
    try refuse(try train(set: "nonsense"), naming: "--set nonsense", "KEY=VALUE")
  }

  func testDivideThatDoesNotDivideThePointsIsNamed() throws {
    try refuse(try train(set: "model.collision.divide=5"), naming: "collision.divide", "5", "64")
  }

  func testMoreModesThanThePointsHaveAreNamed() throws {
    try refuse(try train(set: "model.modes=40"), naming: "model.modes", "40", "64")
  }

  func testGlobalBatchThatAccumulationDoesNotDivideIsNamed() throws {
    let arguments = try train("new", set: ["training={epochs: 1, globalBatch: 7, accumulation: 2}"])
    try refuse(arguments, naming: "training.globalBatch", "training.accumulation")
  }

  func testOutputFolderThatExistsIsLeftAlone() throws {
    try program.succeed(train("run", maxSteps: 2))
    try refuse(try train("run"), naming: "'\(path("run"))' exists", "--resume")
    try FileManager.default.createDirectory(atPath: path("empty"), withIntermediateDirectories: false)
    try refuse(try train("empty"), naming: "'\(path("empty"))' exists")
    try "mine".write(toFile: path("file"), atomically: true, encoding: .utf8)
    try refuse(try train("file"), naming: "'\(path("file"))' exists")
  }

  func testResumeOfAMissingFolderIsRefused() throws {
    try refuse(try train(resume: "absent"), naming: "--resume \(path("absent"))", "no such folder")
  }

  func testOutputAndResumeThatNameTwoFoldersAreRefused() throws {
    try refuse(try train("one") + ["--resume", path("two")], naming: "--resume", "--output")
  }

  func testRanksWithDifferentConfigurationsAreRefusedNamingTheKey() throws {
    let other = configurationText.replacingOccurrences(of: "modes: 4", with: "modes: 5")
    let first = ["train", try writeConfiguration(name: "a.yaml"), "--output", path("new")]
    let second = ["train", try writeConfiguration(other, name: "b.yaml"), "--output", path("new")]
    let absent = ["train", path("c.yaml"), "--output", path("new")]
    try assertRefused(rankByRank: [
      ([first, second], ["Ranks 0 and 1", "model.modes: 4 here, 5 there"]), ([first, absent], ["rank 1", path("c.yaml")]),
    ])
  }

  func testRanksWithDifferentCommandsAreRefused() throws {
    let common = try train("new", maxSteps: 4)
    try assertRefused(rankByRank: [
      ([common, try train("new", maxSteps: 2)], ["--max-steps 4", "--max-steps 2"]),
      ([common, common + ["--dry-run"]], ["Ranks 0 and 1", "--dry-run"]),
      ([common, try train("other", maxSteps: 4)], [path("new"), path("other")]),
      ([common, ["evaluate", path("run")]], ["train", "evaluate"]),
    ])
  }

  /// Jobs of one rank for each list of arguments, and what their reports must hold.
  private func assertRefused(
    rankByRank jobs: [(lists: [[String]], fragments: [String])], file: StaticString = #filePath, line: UInt = #line
  ) throws {
    let before = Snapshot(folder)
    let started = try jobs.map { try program.start(eachRank: $0.lists) }
    for (job, fragments) in zip(started, jobs.map(\.fragments)) {
      assertReport(job.wait(file: file, line: line), status: 64, naming: fragments, file: file, line: line)
    }
    XCTAssertEqual(Snapshot(folder).differences(from: before), [], file: file, line: line)
  }
}
