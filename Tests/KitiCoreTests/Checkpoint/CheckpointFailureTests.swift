import Foundation
import KitiCore
import KitiMPI
import KitiTestSupport
import XCTest

/// A failure of any rank at any moment is the same error on all, and leaves what was there before and nothing else.
final class CheckpointFailureTests: MPITestCase {
  private struct Broken: Error, CustomStringConvertible { var description: String { "this rank broke" } }

  private func write(_ sample: Sample, with writer: CheckpointWriter) throws {
    try writer.write(sample.store, sample.optimizer, sample.state, Sample.configuration)
  }

  private func assertOnlyTheOldIsThere(_ old: Sample, line: UInt = #line) throws {
    try world.barrier()
    XCTAssertEqual(try names(), ["file.h5"], line: line)
    let read = Sample(seed: 0)
    try read.read(from: path(), world)
    XCTAssertEqual(read.bits, old.bits, line: line)
  }

  func testAFailureOfAnyRankAtAnyMomentLeavesTheOlderFile() throws {
    let old = Sample(seed: 5)
    try old.write(to: path(), world)
    for moment in [CheckpointWriter.Moment.created, .arraysWritten, .closed, .sealed] {
      for failing in 0..<world.size {
        var writer = CheckpointWriter(path(), world)
        writer.atMoment = { now, _ in
          if now == moment && self.world.rank == failing { throw Broken() }
        }
        assertCheckpointError(.failed, naming: "this rank broke") { try write(Sample(seed: 6), with: writer) }
        try assertOnlyTheOldIsThere(old)
      }
    }
  }

  func testADiskThatDamagesArraysIsNoticedBeforeTheFileIsNamed() throws {
    let old = Sample(seed: 5)
    try old.write(to: path(), world)
    let new = Sample(seed: 6)
    // The first numbers of the largest array, wherever the file has them.
    let position = try XCTUnwrap(new.store.parameters.firstIndex { $0.path == "blocks/0/spectral/weight" })
    let array = Data(bytes: new.store.parameters[position].values, count: new.store.parameters[position].count * 4)
    var writer = CheckpointWriter(path(), world)
    writer.atMoment = { now, temporary in
      guard now == .closed, self.world.rank == 0 else { return }
      var bytes = try Data(contentsOf: URL(fileURLWithPath: temporary))
      let place = try XCTUnwrap(bytes.range(of: array))
      bytes[place.lowerBound + 100] ^= 1
      try bytes.write(to: URL(fileURLWithPath: temporary))
    }
    assertCheckpointError(.failed, naming: path(), "reading it back", "/model/blocks/0/spectral/weight") {
      try write(new, with: writer)
    }
    try assertOnlyTheOldIsThere(old)
  }

  func testRanksWithDifferentValuesAreNoticed() throws {
    try XCTSkipIf(world.size == 1, "a test of several ranks")
    // One array a rank, so that each is written by one and checked by the next.
    let shapes = (0..<world.size).map { ("layers/\($0)", [3]) }
    for position in 0..<world.size {
      let sample = Sample(shapes: shapes, states: [])
      // The owner differs from all others, and so from the one that checks.
      if world.rank == position { sample.store.values.pointer[sample.store.ranges[position].lowerBound] = 1 }
      let name = sample.store.parameters[position].path
      assertCheckpointError(.failed, naming: path(), "different values", name) { try sample.write(to: path(), world) }
    }
    try world.barrier()
    XCTAssertEqual(try names(), [])
  }

  func testAFolderThatCannotBeMadeIsNamed() throws {
    assertCheckpointError(.failed, naming: "\(folder.path)/a/b", "no folder") {
      try Sample().write(to: path("a/b/step.h5"), world)
    }
    XCTAssertNoThrow(try Sample().write(to: path("a/step.h5"), world))
  }

  func testAFolderInTheFilesPlaceIsNamed() throws {
    if world.rank == 0 { try FileManager.default.createDirectory(atPath: path(), withIntermediateDirectories: true) }
    try world.barrier()
    assertCheckpointError(.failed, naming: path(), "folder") { try Sample().write(to: path(), world) }
    if world.rank == 0 { XCTAssertEqual(try names(), ["file.h5"]) }
  }

  func testTextThatTheFileCannotHoldIsAnErrorOnAllRanks() throws {
    assertCheckpointError(.failed, naming: path(), "zero byte") {
      try Checkpoint.write(
        to: path(), store: Sample().store, optimizerState: [], state: Sample().state, configuration: "a\0b",
        communicator: world)
    }
    try world.barrier()
    XCTAssertEqual(try names(), [])
  }
}

/// On a disk of 4 MiB, made for the test where that is allowed.
final class CheckpointFullDiskTests: MPITestCase {
  private static let shapes = [("a", [100_000]), ("b", [300, 1000])]
  private var disk = ""
  private var isMounted = false

  private func sample(seed: UInt64) -> Sample { Sample(shapes: Self.shapes, states: [], seed: seed) }

  override func setUpWithError() throws {
    try super.setUpWithError()
    disk = path("disk")
    if world.rank == 0 {
      try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
      isMounted = getuid() == 0 && mount("tmpfs", disk, "tmpfs", 0, "size=4m") == 0
    }
    try XCTSkipUnless(try world.broadcast(isMounted ? 1 : 0, root: 0) == 1, "no disk can be mounted here")
  }

  override func tearDownWithError() throws {
    try world.barrier()
    if isMounted { umount2(disk, Int32(MNT_DETACH)) }
    try super.tearDownWithError()
  }

  private func fillTheDisk(leaving bytes: Int) throws {
    if world.rank == 0 {
      let free = try XCTUnwrap(
        FileManager.default.attributesOfFileSystem(forPath: disk)[.systemFreeSize] as? NSNumber).intValue
      try Data(repeating: 1, count: max(0, free - bytes)).write(to: URL(fileURLWithPath: "\(disk)/other"))
    }
    try world.barrier()
  }

  func testTooLittleSpaceIsSaidBeforeAnythingIsWritten() throws {
    try sample(seed: 1).write(to: "\(disk)/1.h5", world)
    try fillTheDisk(leaving: 1_500_000)
    assertCheckpointError(.failed, naming: "\(disk)/2.h5", "needs 1.6 MiB", "1.4 MiB free", "Free some space") {
      try sample(seed: 2).write(to: "\(disk)/2.h5", world)
    }
    try sample(seed: 0).read(from: "\(disk)/1.h5", world)
  }

  func testADiskThatFillsUpMeanwhileLeavesTheOlderFile() throws {
    let old = sample(seed: 1)
    try old.write(to: "\(disk)/1.h5", world)
    for space in [0, 4096, 20_000, 300_000, 1_300_000] {
      try fillTheDisk(leaving: space)
      var writer = CheckpointWriter("\(disk)/2.h5", world)
      writer.checksFreeSpace = false
      assertCheckpointError(.failed, naming: "\(disk)/2.h5") {
        try writer.write(sample(seed: 2).store, [], old.state, Sample.configuration)
      }
      try world.barrier()
      XCTAssertEqual(try names(in: "disk"), ["1.h5", "other"], "\(space) bytes free")
      try world.barrier()
      if world.rank == 0 { try FileManager.default.removeItem(atPath: "\(disk)/other") }
    }
    try world.barrier()
    let read = sample(seed: 0)
    try read.read(from: "\(disk)/1.h5", world)
    XCTAssertEqual(read.bits, old.bits)
    try sample(seed: 3).write(to: "\(disk)/2.h5", world)
  }
}
