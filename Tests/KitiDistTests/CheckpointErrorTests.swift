import Foundation
import XCTest

/// A checkpoint that is missing, damaged in any byte or of another model gets one report that names it.
final class CheckpointErrorTests: ProgramTestCase {
  private var original = ""

  override func setUpWithError() throws {
    try super.setUpWithError()
    try program.succeed(train("run", maxSteps: 2))
    original = path("run/checkpoints/step-00000002.h5")
  }

  private func refuse(
    _ arguments: [String], status: Int32, naming fragments: String..., file: StaticString = #filePath, line: UInt = #line
  ) throws {
    for ranks in [nil, 2] {
      try assertRefused(arguments, ranks: ranks, status: status, naming: fragments, file: file, line: line)
    }
  }

  private func write(_ bytes: Data, _ name: String) throws -> String {
    try bytes.write(to: URL(fileURLWithPath: path(name)))
    return path(name)
  }

  private var bytes: Data { get throws { try Data(contentsOf: URL(fileURLWithPath: original)) } }

  func testMissingCheckpointIsNamed() throws {
    try refuse(["evaluate", path("absent")], status: 64, naming: path("absent"), "no such file")
    try refuse(["inspect", path("absent")], status: 64, naming: path("absent"), "no such file")
  }

  func testFolderWithoutCheckpointsIsNamed() throws {
    try FileManager.default.createDirectory(atPath: path("empty"), withIntermediateDirectories: false)
    try refuse(["evaluate", path("empty")], status: 64, naming: path("empty"), "no checkpoint")
    try refuse(["inspect", path("empty")], status: 64, naming: path("empty"), "no checkpoint")
  }

  func testOtherFilesAreNoCheckpoints() throws {
    try refuse(["evaluate", data], status: 65, naming: data, "not a checkpoint")
    try refuse(["inspect", try writeConfiguration()], status: 65, naming: "tiny.yaml", "not a checkpoint")
  }

  func testCheckpointCutShortIsNamed() throws {
    let whole = try bytes
    for count in [0, 100, 5_000, whole.count / 2, whole.count - 1] {
      let cut = try write(whole.prefix(count), "cut-\(count).h5")
      try assertRefused(["evaluate", cut], status: 65, naming: [cut])
    }
    let cut = path("cut-\(whole.count / 2).h5")
    try refuse(["evaluate", cut], status: 65, naming: cut, "cut short")
    try refuse(["inspect", cut], status: 65, naming: cut, "cut short")
  }

  func testOneFlippedBitAnywhereIsFound() throws {
    let whole = try bytes
    let places = [0, 40, 120, 3_000, 4_096, 4_200, 9_000, whole.count / 3, whole.count / 2, whole.count - 1]
    for place in places {
      var damaged = whole
      damaged[place] ^= 0x10
      let file = try write(damaged, "damaged-\(place).h5")
      try assertRefused(["evaluate", file], ranks: place % 2 == 0 ? 2 : nil, status: 65, naming: [file])
      try assertRefused(["inspect", file, "--verify"], status: 65, naming: [file])
    }
  }

  func testFlippedBitInAParameterNamesIt() throws {
    var damaged = try bytes
    let report = try program.inspect(original)
    let arrays = report.arrays.map(\.path)
    var named: Set<String> = []
    for place in stride(from: 4_096 + 2_048, to: damaged.count, by: damaged.count / 12) {
      damaged[place] ^= 1
      let file = try write(damaged, "damaged.h5")
      let outcome = try assertRefused(["inspect", file, "--verify"], status: 65, naming: [file, "damaged"])
      named.formUnion(arrays.filter { outcome.errors.contains("first in \($0).") })
      damaged[place] ^= 1
    }
    XCTAssertFalse(named.isEmpty, "no damage was found in an array, though most of the file is arrays")
  }

  func testResumeOfADamagedCheckpointIsRefusedWhenThereIsNoOther() throws {
    var damaged = try bytes
    damaged[damaged.count / 2] ^= 1
    try damaged.write(to: URL(fileURLWithPath: original))
    try refuse(try train(resume: "run"), status: 65, naming: "step-00000002.h5", "damaged")
  }

  func testResumePassesOverADamagedCheckpointAndSaysSo() throws {
    try program.succeed(train("two", maxSteps: 4, set: ["checkpoint.every=2 steps"]))
    let newest = path("two/checkpoints/step-00000004.h5")
    var damaged = try Data(contentsOf: URL(fileURLWithPath: newest))
    damaged[damaged.count / 2] ^= 1
    try damaged.write(to: URL(fileURLWithPath: newest))
    let outcome = try program.succeed(
      train(resume: "two", maxSteps: 6, set: ["checkpoint.every=2 steps"]), ranks: 2)
    XCTAssertTrue(outcome.errors.contains("step-00000004.h5"), outcome.errors)
    XCTAssertTrue(outcome.errors.contains("Going on from \(path("two/checkpoints/step-00000002.h5"))"), outcome.errors)
    XCTAssertEqual(try Metrics(path("two")).steps, Array(1...6))
  }

  func testResumeWithAnotherModelNamesTheKey() throws {
    let arguments = try train(resume: "run", set: ["model.width=16"])
    try refuse(arguments, status: 64, naming: "step-00000002.h5", "model.width: 16 here, 8 there")
  }

  func testResumeWithAnotherOptimizerOrSeedNamesTheKey() throws {
    for (set, key) in [
      ("optimizer.learningRate=0.5", "optimizer.learningRate"), ("seed=4", "seed"),
      ("model.collision.coefficient=0.25", "model.collision.coefficient"),
      ("optimizer={kind: sgd, learningRate: 1e-3}", "optimizer.kind"),
    ] {
      try assertRefused(try train(resume: "run", set: [set]), status: 64, naming: [key])
    }
  }

  func testResumeWithAnotherGlobalBatchIsRefused() throws {
    let set = ["training.batch=null", "training.globalBatch=6"]
    try refuse(try train(resume: "run", set: set), status: 64, naming: "training.globalBatch is 6", "4")
  }

  func testEvaluationWithAnotherModelNamesParametersAndShapes() throws {
    try refuse(
      ["evaluate", original, "--set", "model.width=16"], status: 64, naming: original, "another model", "lift/weight")
    try refuse(["evaluate", original, "--set", "model.widht=16"], status: 64, naming: "model.widht", "'width'")
  }
}
