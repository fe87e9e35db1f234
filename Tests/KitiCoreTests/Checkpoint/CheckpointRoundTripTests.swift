import Foundation
import KitiCore
import KitiMPI
import KitiTestSupport
import XCTest

final class CheckpointRoundTripTests: MPITestCase {
  func testEveryBitComesBackOnEveryRank() throws {
    let written = Sample()
    try written.write(to: path(), world)
    let read = Sample(seed: 0)
    XCTAssertEqual(try read.read(from: path(), world), written.state)
    XCTAssertEqual(read.bits, written.bits)
    if world.rank == 0 { XCTAssertEqual(try names(), ["file.h5"]) }
  }

  func testWhatSomeRanksWriteOthersRead() throws {
    let written = Sample()
    let half = try XCTUnwrap(world.split(color: world.rank % 2, key: -world.rank))
    // All, one alone, and half of the ranks, numbered backwards.
    let writers: [(name: String, ranks: Communicator?)] = [
      ("world", world), ("single", world.rank == 0 ? .single : nil), ("half", world.rank % 2 == 0 ? half : nil),
    ]
    for (name, ranks) in writers {
      if let ranks { try written.write(to: path(name), ranks) }
      try world.barrier()
      for readers in [world, .single, half] as [Communicator] {
        let read = Sample(seed: 0)
        XCTAssertEqual(try read.read(from: path(name), readers), written.state, "\(name) to \(readers.size)")
        XCTAssertEqual(read.bits, written.bits, "\(name) to \(readers.size)")
      }
    }
    try half.free()
  }

  func testRankZeroDecidesWhatDiffersBetweenRanks() throws {
    var written = Sample()
    written.state.elapsedSeconds = Double(world.rank + 5)
    try Checkpoint.write(
      to: path(), store: written.store, optimizerState: written.optimizer, state: written.state,
      configuration: String(repeating: "#", count: world.rank + 1), communicator: world)
    let header = try Checkpoint.readHeader(path(), communicator: world)
    XCTAssertEqual(header.state.elapsedSeconds, 5)
    XCTAssertEqual(header.configuration, "#")
  }

  func testHeaderAndTextComeBackOnEveryRank() throws {
    let written = Sample()
    try written.write(to: path(), world)
    let header = try Checkpoint.readHeader(path(), communicator: world)
    XCTAssertEqual(header.state, written.state)
    XCTAssertEqual(header.configuration, Sample.configuration)
  }

  func testTheModelCanBeReadWithoutTheOptimizer() throws {
    let written = Sample()
    try written.write(to: path(), world)
    let read = Sample(seed: 0)
    _ = try Checkpoint.read(from: path(), into: read.store, optimizerState: nil, communicator: world)
    XCTAssertEqual(read.bits[0], written.bits[0])
    XCTAssertEqual(read.bits[1], Sample(seed: 0).bits[1])
  }

  func testStatisticsComeBackWithTheModelAndItsAverage() throws {
    let statistics = [("norm/mean", [16]), ("norm/variance", [19])]
    let written = Sample(statistics: statistics, states: ["velocity", "average"])
    try written.write(to: path(), world)
    let read = Sample(statistics: statistics, states: ["velocity", "average"], seed: 0)
    try read.read(from: path(), world)
    XCTAssertEqual(read.bits, written.bits)
    let without = Sample(states: ["velocity"], seed: 0)
    assertCheckpointError(.usage, naming: "2 parameters are unknown to the model", "norm/mean [16]") {
      try without.read(from: path(), world)
    }
  }

  func testMoreRanksThanArrays() throws {
    let written = Sample(shapes: [("only", [3])], states: [])
    try written.write(to: path(), world)
    let read = Sample(shapes: [("only", [3])], states: [], seed: 0)
    try read.read(from: path(), world)
    XCTAssertEqual(read.bits, written.bits)
  }

  func testAnEmptyTextAndNoBestMetric() throws {
    var written = Sample(states: [])
    written.state.bestMetric = nil
    try Checkpoint.write(
      to: path(), store: written.store, optimizerState: [], state: written.state, configuration: "", communicator: world)
    let header = try Checkpoint.readHeader(path(), communicator: world)
    XCTAssertEqual(header.state, written.state)
    XCTAssertEqual(header.configuration, "")
  }

  func testABestMetricThatIsNoNumberComesBack() throws {
    var written = Sample()
    written.state.bestMetric = .nan
    try written.write(to: path(), world)
    let metric = try Checkpoint.readHeader(path(), communicator: world).state.bestMetric
    XCTAssertEqual(metric?.bitPattern, Double.nan.bitPattern)
  }

  func testALaterFileOfTheSameNameReplacesTheEarlier() throws {
    try Sample(seed: 3).write(to: path(), world)
    let written = Sample(seed: 4)
    try written.write(to: path(), world)
    let read = Sample(seed: 0)
    try read.read(from: path(), world)
    XCTAssertEqual(read.bits, written.bits)
  }

  func testTheFileBeginsWithTextForPeople() throws {
    try requireSingleRank()
    try Sample().write(to: path(), world)
    let bytes = try XCTUnwrap(FileManager.default.contents(atPath: path()))
    let lines = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self).split(separator: "\n")
    XCTAssertEqual(lines[0], "kiti-dist checkpoint")
    XCTAssertEqual(lines[2], "format 1")
    XCTAssertEqual(lines[3], "length \(bytes.count)")
  }

  /// The value that the algorithm's specification gives for no bytes at all.
  func testTheHashIsXXH3() {
    XCTAssertEqual(CheckpointSeal.hash(UnsafeRawBufferPointer(start: nil, count: 0)), 0x2d06_8005_38d3_94c2)
  }

  func testLargeFilesAreHashedInSeveralBlocks() throws {
    let shapes = [("a", [700_001]), ("b", [3]), ("c", [300, 1001])]
    let written = Sample(shapes: shapes, states: ["velocity"])
    try written.write(to: path(), world)
    let read = Sample(shapes: shapes, states: ["velocity"], seed: 0)
    try read.read(from: path(), world)
    XCTAssertEqual(read.bits, written.bits)
  }
}
