import Foundation
import XCTest

/// A full disk is one clear error with status 1, and what is on the disk already stays whole.
final class FullDiskTests: ProgramTestCase {
  private var disk = ""

  /// A file system of 1 MiB in memory.
  override func setUpWithError() throws {
    try super.setUpWithError()
    let place = path("disk")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
    let mounted = try run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place)
    try XCTSkipUnless(mounted.status == 0, "a small file system cannot be mounted here: \(mounted.errors)")
    disk = place
  }

  override func tearDownWithError() throws {
    if !disk.isEmpty { XCTAssertEqual(try run("umount", "-l", disk).status, 0) }
    try super.tearDownWithError()
  }

  private func run(_ command: String...) throws -> Outcome {
    try Job(
      command[0], Array(command.dropFirst()), environment: ProcessInfo.processInfo.environment, directory: folder,
      seconds: 20
    ).wait()
  }

  /// Leaves so many bytes free.
  private func fill(leaving bytes: Int) throws {
    let attributes = try FileManager.default.attributesOfFileSystem(forPath: disk)
    let free = try XCTUnwrap(attributes[.systemFreeSize] as? Int)
    try Data(count: max(0, free - bytes)).write(to: URL(fileURLWithPath: disk + "/ballast"))
  }

  /// One report and status 1.
  private func assertFailed(
    _ outcome: Outcome, naming fragments: String..., file: StaticString = #filePath, line: UInt = #line
  ) {
    XCTAssertEqual(outcome.status, 1, outcome.text, file: file, line: line)
    XCTAssertEqual(outcome.reports.count, 1, outcome.text, file: file, line: line)
    for fragment in fragments {
      XCTAssertTrue(outcome.reports.joined().contains(fragment), "'\(fragment)': \(outcome.text)", file: file, line: line)
    }
  }

  func testRunOnAFullDiskKeepsItsCheckpointsAndGoesOnWhenThereIsRoom() throws {
    let set = ["checkpoint={every: 1 step, keep: 1000}"]
    for ranks in [nil, 2] {
      let run = "disk/run\(ranks ?? 1)"
      let outcome = try program.run(train(run, set: set), ranks: ranks)
      assertFailed(outcome, naming: path("\(run)/checkpoints/step-"), "Free some space")

      let names = checkpointNames(run)
      XCTAssertGreaterThan(names.count, 3)
      try assertAllCheckpointsAreIntact(run)
      XCTAssertEqual(
        try FileManager.default.contentsOfDirectory(atPath: path("\(run)/checkpoints")).count, names.count, "unfinished files")
      XCTAssertEqual(try program.inspect(path(run)).state.step, names.count)

      for name in names.dropLast() { try FileManager.default.removeItem(atPath: path("\(run)/checkpoints/\(name)")) }
      try program.succeed(train(resume: run, maxSteps: names.count + 3), ranks: ranks)
      XCTAssertEqual(try Metrics(path(run)).steps, Array(1...names.count + 3))
      try FileManager.default.removeItem(atPath: path(run))
    }
  }

  func testResumeOnAFullDiskChangesNothing() throws {
    try program.succeed(train("disk/run", maxSteps: 4))
    try fill(leaving: 0)
    let before = Snapshot(URL(fileURLWithPath: disk))
    for ranks in [nil, 2] {
      let outcome = try program.run(train(resume: "disk/run", maxSteps: 8), ranks: ranks)
      assertFailed(outcome, naming: path("disk/run"), "could not be written", "space")
      XCTAssertEqual(Snapshot(URL(fileURLWithPath: disk)).differences(from: before), [])
    }
    try FileManager.default.removeItem(atPath: disk + "/ballast")
    try program.succeed(train(resume: "disk/run", maxSteps: 8))
    XCTAssertEqual(try Metrics(path("disk/run")).steps, Array(1...8))
  }

  func testMetricsThatCannotBeWrittenEndAllRanks() throws {
    try program.succeed(train("disk/run", maxSteps: 4))
    try fill(leaving: 24_576)
    let outcome = try program.run(train(resume: "disk/run", set: ["training.epochs=1000"]), ranks: 2)
    assertFailed(outcome, naming: path("disk/run/metrics.jsonl"), "could not be written", "--resume")
    XCTAssertEqual(try program.inspect(path("disk/run")).state.step, 4)
    try FileManager.default.removeItem(atPath: disk + "/ballast")
    try program.succeed(train(resume: "disk/run", maxSteps: 8, set: ["training.epochs=1000"]), ranks: 2)
    XCTAssertEqual(try Metrics(path("disk/run")).steps, Array(1...8))
  }

  func testNewRunOnAFullDiskFails() throws {
    try fill(leaving: 0)
    assertFailed(try program.run(train("disk/new")), naming: path("disk/new"))
  }

  func testDataSetOnAFullDiskFailsAndLeavesNothing() throws {
    let make = ["data", "make", "burgers", "--samples", "3000", "--resolution", "64", "--output", path("disk/new.h5")]
    for ranks in [nil, 2] {
      assertFailed(try program.run(make, ranks: ranks), naming: path("disk/new.h5"), "MiB free")
      XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: disk), [])
    }
  }
}
