import Foundation
import KitiCore
import KitiMPI
import KitiTestSupport
import XCTest

/// Files that are not what was written are refused, always.
final class CheckpointDamageTests: MPITestCase {
  private static let small: [(String, [Int])] = [("a/weight", [3, 5]), ("a/bias", [3]), ("b/weight", [7])]

  private func small(seed: UInt64 = 1) -> Sample { Sample(shapes: Self.small, states: ["mean"], seed: seed) }

  /// Puts bytes over those of a file without emptying it first, which file systems take for a wish to wait for the disk.
  private func put(_ bytes: Data) throws {
    let handle = try XCTUnwrap(FileHandle(forUpdatingAtPath: path()))
    defer { try? handle.close() }
    try handle.write(contentsOf: bytes)
  }

  private func flip(_ file: String, at position: Int, mask: UInt8) throws {
    let handle = try XCTUnwrap(FileHandle(forUpdatingAtPath: file))
    defer { try? handle.close() }
    try handle.seek(toOffset: UInt64(position))
    let byte = try XCTUnwrap(handle.read(upToCount: 1)?.first)
    try handle.seek(toOffset: UInt64(position))
    try handle.write(contentsOf: Data([byte ^ mask]))
  }

  func testEveryDamagedByteOfASmallFileIsFound() throws {
    try requireSingleRank()
    try small().write(to: path(), world)
    let length = try XCTUnwrap(FileManager.default.contents(atPath: path())).count
    let read = small(seed: 0)
    let untouched = read.bits
    for position in 0..<length {
      let mask = UInt8(1 << (position % 8))
      try flip(path(), at: position, mask: mask)
      XCTAssertThrowsError(try read.read(from: path(), world), "byte \(position)") { error in
        XCTAssertEqual(KitiError(describing: error).kind, .badData, "byte \(position): \(error)")
      }
      try flip(path(), at: position, mask: mask)
    }
    XCTAssertEqual(read.bits, untouched, "damaged values reached the model")
    try read.read(from: path(), world)
    XCTAssertEqual(read.bits, small().bits)
  }

  func testAnotherByteInAnyPlaceIsFoundByInspection() throws {
    try requireSingleRank()
    try small().write(to: path(), world)
    let length = try XCTUnwrap(FileManager.default.contents(atPath: path())).count
    for position in 0..<length {
      try flip(path(), at: position, mask: 0xFF)
      XCTAssertThrowsError(try Checkpoint.contents(path(), verify: true), "byte \(position)") { error in
        XCTAssertEqual(KitiError(describing: error).kind, .badData, "byte \(position): \(error)")
      }
      try flip(path(), at: position, mask: 0xFF)
    }
  }

  func testOverwrittenPartsAreFound() throws {
    try requireSingleRank()
    try small().write(to: path(), world)
    let intact = try XCTUnwrap(FileManager.default.contents(atPath: path()))
    var generator = RepeatableGenerator(state: 1)
    for _ in 0..<2000 {
      var bytes = intact
      let start = Int.random(in: 0..<bytes.count, using: &generator)
      let end = min(bytes.count, start + Int.random(in: 1...512, using: &generator))
      let isZeroed = Bool.random(using: &generator)
      for index in start..<end { bytes[index] = isZeroed ? 0 : UInt8.random(in: 0...255, using: &generator) }
      guard bytes != intact else { continue }
      try put(bytes)
      XCTAssertThrowsError(try small(seed: 0).read(from: path(), world), "\(start)..<\(end)") { error in
        XCTAssertEqual(KitiError(describing: error).kind, .badData, "\(start)..<\(end): \(error)")
      }
    }
  }

  func testAFileCutShortAtAnyLengthIsRefused() throws {
    try requireSingleRank()
    try small().write(to: path(), world)
    let intact = try XCTUnwrap(FileManager.default.contents(atPath: path()))
    for length in 0..<intact.count {
      XCTAssertEqual(truncate(path(), length), 0)
      XCTAssertThrowsError(try small(seed: 0).read(from: path(), world), "\(length) bytes") { error in
        XCTAssertEqual(KitiError(describing: error).kind, .badData, "\(length) bytes: \(error)")
        XCTAssertTrue("\(error)".contains("cut short"), "\(length) bytes: \(error)")
      }
      // Growing back with zeros is what a crashed file system may leave; harmless where there were zeros before.
      XCTAssertEqual(truncate(path(), intact.count), 0)
      if intact[length...].contains(where: { $0 != 0 }) {
        XCTAssertThrowsError(try small(seed: 0).read(from: path(), world), "\(length) bytes, then zeros")
      }
      try put(intact)
    }
  }

  func testBytesBehindTheEndAreDamage() throws {
    try requireSingleRank()
    try small().write(to: path(), world)
    let intact = try XCTUnwrap(FileManager.default.contents(atPath: path()))
    try (intact + [0]).write(to: URL(fileURLWithPath: path()))
    assertCheckpointError(.badData, naming: path(), "damaged", "1 bytes follow") {
      try small(seed: 0).read(from: path(), world)
    }
  }

  func testAllRanksLearnOfDamageThatOneOfThemSees() throws {
    let shapes = [("a", [700_001]), ("b", [300, 2001])]
    try Sample(shapes: shapes, states: []).write(to: path(), world)
    let length = try XCTUnwrap(FileManager.default.attributesOfItem(atPath: path())[.size] as? Int)
    for position in [0, 30, 100, 4096, 5000, length / 2, length - 1] {
      try world.barrier()
      if world.rank == 0 { try flip(path(), at: position, mask: 4) }
      try world.barrier()
      assertCheckpointError(.badData, naming: path()) {
        try Sample(shapes: shapes, states: [], seed: 0).read(from: path(), world)
      }
      assertCheckpointError(.badData, naming: path()) { _ = try Checkpoint.readHeader(path(), communicator: world) }
      try world.barrier()
      if world.rank == 0 { try flip(path(), at: position, mask: 4) }
    }
    try world.barrier()
    try Sample(shapes: shapes, states: [], seed: 0).read(from: path(), world)
  }

  func testAMissingFileIsNamed() throws {
    assertCheckpointError(.usage, naming: path("none.h5"), "no such file") {
      try small(seed: 0).read(from: path("none.h5"), world)
    }
    assertCheckpointError(.usage, naming: folder.path, "folder") { try small(seed: 0).read(from: folder.path, world) }
  }

  func testOtherFilesAreNoCheckpoints() throws {
    try requireSingleRank()
    let others = [Data("name: run\n".utf8), Data(repeating: 7, count: 10_000), Data("\u{89}HDF\r\n\u{1a}\n".utf8)]
    for other in others {
      try other.write(to: URL(fileURLWithPath: path()))
      assertCheckpointError(.badData, naming: path(), "not a checkpoint") {
        try small(seed: 0).read(from: path(), world)
      }
    }
    try Data(repeating: 0, count: 10_000).write(to: URL(fileURLWithPath: path()))
    assertCheckpointError(.badData, naming: path(), "never finished") { try small(seed: 0).read(from: path(), world) }
  }

  func testANewerFormatIsSaidToBeNewer() throws {
    try requireSingleRank()
    try small().write(to: path(), world)
    var bytes = [UInt8](try XCTUnwrap(FileManager.default.contents(atPath: path())))
    let line = try XCTUnwrap(Data(bytes).range(of: Data("format 1\n".utf8)))
    bytes[line.upperBound - 2] = UInt8(ascii: "2")
    var header = Array(bytes[..<CheckpointSeal.byteCount])
    CheckpointSeal.setHeaderHash(0, in: &header)
    CheckpointSeal.setHeaderHash(header.withUnsafeBytes { CheckpointSeal.hash($0) }, in: &header)
    bytes.replaceSubrange(..<CheckpointSeal.byteCount, with: header)
    try Data(bytes).write(to: URL(fileURLWithPath: path()))
    assertCheckpointError(.badData, naming: path(), "format 2", "up to 1", "newer") {
      try small(seed: 0).read(from: path(), world)
    }
  }
}

/// The same numbers in each run.
private struct RepeatableGenerator: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return (state >> 33) | (state << 31)
  }
}
