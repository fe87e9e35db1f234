import Foundation
import KitiCore
import KitiMPI
import KitiTestSupport
import XCTest

final class CheckpointFolderTests: MPITestCase {
  private let files = FileManager.default

  override func setUpWithError() throws {
    try super.setUpWithError()
    try requireSingleRank()
  }

  private func run(keep: Int = 3) -> CheckpointFolder { CheckpointFolder(runFolder: folder.path, keep: keep) }

  private func write(_ steps: Int..., keep: Int = 3) throws {
    for step in steps {
      try Sample(shapes: [("a", [3])], states: []).write(to: run().path(step: step), world)
      try run(keep: keep).commit(step: step)
    }
  }

  private func damage(step: Int) throws {
    var bytes = try Data(contentsOf: URL(fileURLWithPath: run().path(step: step)))
    bytes[bytes.count - 1] ^= 1
    try bytes.write(to: URL(fileURLWithPath: run().path(step: step)))
  }

  func testNamesHaveEightDigitsOrMore() {
    XCTAssertEqual(run().path(step: 1000), "\(folder.path)/checkpoints/step-00001000.h5")
    XCTAssertEqual(run().path(step: 123_456_789), "\(folder.path)/checkpoints/step-123456789.h5")
  }

  func testLatestIsARelativeLinkToTheNewest() throws {
    try write(10, 20)
    XCTAssertEqual(try files.destinationOfSymbolicLink(atPath: path("latest")), "checkpoints/step-00000020.h5")
    let newest = try XCTUnwrap(run().newest())
    XCTAssertEqual(newest.path, run().path(step: 20))
    XCTAssertNil(newest.warning)
    XCTAssertEqual(try names(), ["checkpoints", "latest"])
  }

  func testARunWithoutCheckpointsHasNoNewest() throws {
    XCTAssertNil(try run().newest())
    try files.createDirectory(atPath: path("checkpoints"), withIntermediateDirectories: true)
    XCTAssertNil(try run().newest())
  }

  func testOnlyTheNewestStay() throws {
    try write(10, 20, 30, 40, keep: 2)
    XCTAssertEqual(try names(in: "checkpoints"), ["step-00000030.h5", "step-00000040.h5"])
    try write(50, keep: 0)
    XCTAssertEqual(try names(in: "checkpoints"), ["step-00000050.h5"])
  }

  func testCheckpointsOfACourseThatWasLeftGoFirst() throws {
    try write(10, 20, 30, 40, keep: 9)
    try write(25, keep: 3)
    XCTAssertEqual(try names(in: "checkpoints"), ["step-00000010.h5", "step-00000020.h5", "step-00000025.h5"])
    XCTAssertEqual(try run().newest()?.path, run().path(step: 25))
  }

  func testUnfinishedFilesAreIgnoredAndRemovedLater() throws {
    try write(10)
    let unfinished = run().path(step: 20) + ".partial"
    try Data("half".utf8).write(to: URL(fileURLWithPath: unfinished))
    XCTAssertEqual(try run().newest()?.path, run().path(step: 10))
    try write(30)
    XCTAssertEqual(try names(in: "checkpoints"), ["step-00000010.h5", "step-00000030.h5"])
  }

  func testOtherFilesInTheFolderStay() throws {
    try write(10)
    for name in ["best.h5", "step-1.h5", "notes.partial"] {
      try Data().write(to: URL(fileURLWithPath: path("checkpoints/\(name)")))
    }
    try write(20, 30, keep: 1)
    XCTAssertEqual(
      try names(in: "checkpoints"), ["best.h5", "notes.partial", "step-00000030.h5", "step-1.h5"])
  }

  func testWithoutTheLinkTheHighestStepIsTakenAndSaid() throws {
    try write(10, 20)
    try files.removeItem(atPath: path("latest"))
    let newest = try XCTUnwrap(run().newest())
    XCTAssertEqual(newest.path, run().path(step: 20))
    let warning = try XCTUnwrap(newest.warning)
    XCTAssertTrue(warning.contains("latest is missing"), warning)
  }

  func testADanglingLinkIsReplacedByTheHighestStep() throws {
    try write(10, 20)
    try files.removeItem(atPath: run().path(step: 20))
    let newest = try XCTUnwrap(run().newest())
    XCTAssertEqual(newest.path, run().path(step: 10))
    let warning = try XCTUnwrap(newest.warning)
    XCTAssertTrue(warning.contains("step-00000020.h5: there is no such file"), warning)
  }

  func testADamagedFileIsReplacedByTheOneBefore() throws {
    try write(10, 20, 30)
    try damage(step: 30)
    try damage(step: 20)
    let newest = try XCTUnwrap(run().newest())
    XCTAssertEqual(newest.path, run().path(step: 10))
    let warning = try XCTUnwrap(newest.warning)
    for fragment in ["step-00000030.h5: the checkpoint is damaged", "step-00000020.h5: the checkpoint is damaged"] {
      XCTAssertTrue(warning.contains(fragment), warning)
    }
  }

  func testARunWithDamagedCheckpointsOnlyDoesNotStartAnew() throws {
    try write(10, 20)
    try damage(step: 10)
    try damage(step: 20)
    assertCheckpointError(.badData, naming: folder.path, "none of the run's checkpoints", "step-00000010.h5") {
      _ = try run().newest()
    }
  }

  func testNothingIsRemovedBeforeTheNewOneIsThere() throws {
    try write(10, 20, keep: 2)
    assertCheckpointError(.failed, naming: run().path(step: 30)) { try run(keep: 1).commit(step: 30) }
    XCTAssertEqual(try names(in: "checkpoints"), ["step-00000010.h5", "step-00000020.h5"])
    XCTAssertEqual(try run().newest()?.path, run().path(step: 20))
  }

  func testAnAbsoluteLinkOfAPersonsOwnIsFollowed() throws {
    try write(10, 20)
    try files.removeItem(atPath: path("latest"))
    try files.createSymbolicLink(atPath: path("latest"), withDestinationPath: run().path(step: 10))
    XCTAssertEqual(try run().newest()?.path, run().path(step: 10))
  }
}
