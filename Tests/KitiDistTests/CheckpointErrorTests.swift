import Foundation
import XCTest

/// A checkpoint that is missing, damaged in any byte or of another model gets one report that names it.
final class CheckpointErrorTests: ProgramTestCase {
  /// A run of two steps, made once.
  private static let trained = Result { () throws -> String in
    let folder = try TemporaryFolder.makeForAllTests()
    let configuration = folder.appendingPathComponent("tiny.yaml").path
    try configurationText(data: SharedData.path.get()).write(toFile: configuration, atomically: true, encoding: .utf8)
    let run = folder.appendingPathComponent("run").path
    try Program(directory: folder).succeed(["train", configuration, "--output", run, "--max-steps", "2"])
    return run
  }

  private var original = ""

  override func setUpWithError() throws {
    try super.setUpWithError()
    try FileManager.default.copyItem(atPath: Self.trained.get(), toPath: path("run"))
    original = path("run/checkpoints/step-00000002.h5")
  }

  private func write(_ bytes: Data, _ name: String) throws -> String {
    try bytes.write(to: URL(fileURLWithPath: path(name)))
    return path(name)
  }

  private var bytes: Data { get throws { try Data(contentsOf: URL(fileURLWithPath: original)) } }

  func testMissingCheckpointIsNamed() throws {
    try assertRefused(["evaluate", path("absent")], status: 64, naming: path("absent"), "no such file")
    try assertRefused(["inspect", path("absent")], status: 64, naming: path("absent"), "no such file")
    try assertRefused(["condense", path("absent")], status: 64, naming: path("absent"), "no such file")
  }

  func testFolderWithoutCheckpointsIsNamed() throws {
    try FileManager.default.createDirectory(atPath: path("empty"), withIntermediateDirectories: false)
    try assertRefused(["evaluate", path("empty")], status: 64, naming: path("empty"), "no checkpoint")
    try assertRefused(["inspect", path("empty")], status: 64, naming: path("empty"), "no checkpoint")
    try assertRefused(["condense", path("empty")], status: 64, naming: path("empty"), "no checkpoint")
  }

  func testOtherFilesAreNoCheckpoints() throws {
    try assertRefused(["evaluate", data], status: 65, naming: data, "not a checkpoint")
    try assertRefused(["inspect", try writeConfiguration()], status: 65, naming: "tiny.yaml", "not a checkpoint")
  }

  func testCheckpointCutShortIsNamed() throws {
    let whole = try bytes
    let refusals = try [0, 100, 5_000, whole.count / 2, whole.count - 1].map { count in
      let cut = try write(whole.prefix(count), "cut-\(count).h5")
      return Refusal(arguments: ["inspect", cut], ranks: nil, fragments: [cut])
    }
    try assertRefused(refusals, status: 65)
    let cut = path("cut-\(whole.count / 2).h5")
    try assertRefused(["evaluate", cut], status: 65, naming: cut, "cut short")
    try assertRefused(["inspect", cut], ranks: [2], status: 65, naming: cut, "cut short")
    try assertRefused(["condense", cut], ranks: [2], status: 65, naming: cut, "cut short")
  }

  func testOneFlippedBitAnywhereIsFound() throws {
    let whole = try bytes
    let places = [0, 40, 120, 3_000, 4_096, 4_200, 9_000, whole.count / 3, whole.count / 2, whole.count - 1]
    for part in [places.prefix(5), places.suffix(5)] {
      let files = try part.map { place in
        var damaged = whole
        damaged[place] ^= 0x10
        return try write(damaged, "damaged-\(place).h5")
      }
      try assertRefused(
        files.map { Refusal(arguments: ["inspect", $0, "--verify"], ranks: nil, fragments: [$0]) }, status: 65)
      try assertRefused(
        files.suffix(2).map { Refusal(arguments: ["evaluate", $0], ranks: 2, fragments: [$0]) }, status: 65)
    }
  }

  func testResumeOfADamagedCheckpointIsRefusedWhenThereIsNoOther() throws {
    var damaged = try bytes
    damaged[damaged.count / 2] ^= 1
    try damaged.write(to: URL(fileURLWithPath: original))
    try assertRefused(try train(resume: "run"), status: 65, naming: "step-00000002.h5", "damaged")
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
    try assertRefused(arguments, status: 64, naming: "step-00000002.h5", "model.width: 16 here, 8 there")
  }

  func testResumeWithAnotherOptimizerOrSeedNamesTheKey() throws {
    let changes = [
      ("optimizer.learningRate=0.5", "optimizer.learningRate"), ("seed=4", "seed"),
      ("model.collision.coefficient=0.25", "model.collision.coefficient"),
      ("optimizer={kind: sgd, learningRate: 1e-3}", "optimizer.kind"),
    ]
    try assertRefused(
      changes.map { Refusal(arguments: try train(resume: "run", set: [$0]), ranks: nil, fragments: [$1]) }, status: 64)
  }

  func testResumeWithAnotherGlobalBatchIsRefused() throws {
    let set = ["training.batch=null", "training.globalBatch=6"]
    try assertRefused(try train(resume: "run", set: set), status: 64, naming: "training.globalBatch is 6", "4")
  }

  func testEvaluationWithAnotherModelNamesParametersAndShapes() throws {
    try assertRefused(
      ["evaluate", original, "--set", "model.width=16"], status: 64, naming: original, "another model", "lift/weight")
    try assertRefused(["evaluate", original, "--set", "model.widht=16"], status: 64, naming: "model.widht", "'width'")
  }
}
