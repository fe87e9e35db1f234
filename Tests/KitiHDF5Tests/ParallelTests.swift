import Foundation
import KitiHDF5
import KitiMPI
import KitiTestSupport
import XCTest

/// Run alone these have one rank; under `mpirun -np N`, N.
final class ParallelTests: MPITestCase {
  /// Rank `rank`'s rows of `rows`, the more the higher the rank; nothing on rank 0 when there are others.
  private func unevenRows(_ rows: Int, rank: Int? = nil) -> Range<Int> {
    guard world.size > 1 else { return 0..<rows }
    let rank = rank ?? world.rank
    let total = world.size * (world.size - 1) / 2
    return rows * (rank * (rank - 1) / 2) / total..<rows * (rank * (rank + 1) / 2) / total
  }

  private func create(_ name: String = "file.h5", userBlockBytes: Int = 0) throws -> HDF5File {
    try HDF5File.create(path(name), ifExists: .replace, userBlockBytes: userBlockBytes, communicator: world)
  }

  /// Closes the file and checks what it holds, read together, one by one, and by a process alone.
  private func closeAndCheck<Element: HDF5Element & Equatable>(
    _ file: HDF5File, _ dataSet: String, _ expected: [Element], _ context: String, line: UInt = #line
  ) throws {
    try file.close()
    let shared = try HDF5File.open(file.path, communicator: world)
    let found = try shared.root.dataSet(dataSet)
    XCTAssertEqual(try found.read(Element.self, transfer: .collective), expected, "collective, \(context)", line: line)
    XCTAssertEqual(try found.read(Element.self), expected, "independent, \(context)", line: line)
    try shared.close()
    let alone = try HDF5File.open(file.path)
    XCTAssertEqual(try alone.root.dataSet(dataSet).read(Element.self), expected, "alone, \(context)", line: line)
    try alone.close()
    try world.barrier()
  }

  func testUnevenRowsWrittenByAllRanksMakeOneWhole() throws {
    let expected = (0..<37 * 5).map { Float($0) }
    for transfer in [Transfer.collective, .independent] {
      for chunks in [nil, [4, 5], [10, 2]] as [[Int]?] {
        let file = try create()
        let dataSet = try file.root.createDataSet("a/b", of: Float.self, shape: [37, 5], chunks: chunks)
        let rows = unevenRows(37)
        try dataSet.write(Array(expected[rows.lowerBound * 5..<rows.upperBound * 5]), to: .rows(rows), transfer: transfer)
        try closeAndCheck(file, "a/b", expected, "\(transfer) \(chunks ?? [])")
      }
    }
  }

  func testInterleavedColumnsWrittenByAllRanksMakeOneWhole() throws {
    let shape = [3, 11, 4]
    let expected = (0..<132).map { Int64($0) }
    for transfer in [Transfer.collective, .independent] {
      for chunks in [nil, [2, 3, 4]] as [[Int]?] {
        let file = try create()
        let dataSet = try file.root.createDataSet("a", of: Int64.self, shape: shape, chunks: chunks)
        let count = [3, (11 - world.rank + world.size - 1) / world.size, 4]
        let (start, stride) = ([0, world.rank, 0], [1, world.size, 1])
        let mine = offsets(shape: shape, start: start, count: count, stride: stride).map { expected[$0] }
        try dataSet.write(mine, to: .slab(start: start, count: count, stride: stride), transfer: transfer)
        XCTAssertEqual(
          try dataSet.read(Int64.self, .slab(start: start, count: count, stride: stride), transfer: transfer), mine)
        try closeAndCheck(file, "a", expected, "\(transfer) \(chunks ?? [])")
      }
    }
  }

  func testTransfersSplitByTheLimitMoveTheSameElements() throws {
    let usual = HDF5Library.maximumTransferBytes
    defer { HDF5Library.maximumTransferBytes = usual }
    let shape = [29, 3, 5]
    let expected = (0..<29 * 15).map { Int32($0) }
    // From less than one element to more than a rank's part.
    for limit in [1, 4, 9, 20, 61, 240, 1000, 100_000] {
      for (transfer, chunks) in [
        (Transfer.collective, nil), (.independent, nil), (.collective, [4, 3, 2]), (.independent, [4, 3, 2]),
      ] as [(Transfer, [Int]?)] {
        HDF5Library.maximumTransferBytes = limit
        let context = "limit \(limit), \(transfer), chunks \(chunks ?? [])"
        let file = try create()
        let dataSet = try file.root.createDataSet("a", of: Int32.self, shape: shape, chunks: chunks)
        let rows = unevenRows(29)
        try dataSet.write(Array(expected[rows.lowerBound * 15..<rows.upperBound * 15]), to: .rows(rows), transfer: transfer)
        try file.flush()
        XCTAssertEqual(
          try dataSet.read(Int32.self, .rows(rows), transfer: transfer),
          Array(expected[rows.lowerBound * 15..<rows.upperBound * 15]), context)
        let part = world.rank % 2 == 0
          ? (start: [3, 1, 0], count: [9, 2, 2], stride: [2, 1, 3]) : (start: [0, 0, 4], count: [1, 3, 1], stride: [1, 1, 1])
        try world.barrier()
        XCTAssertEqual(
          try dataSet.read(
            Int32.self, .slab(start: part.start, count: part.count, stride: part.stride), transfer: transfer),
          offsets(shape: shape, start: part.start, count: part.count, stride: part.stride).map { expected[$0] }, context)
        HDF5Library.maximumTransferBytes = usual
        try closeAndCheck(file, "a", expected, context)
      }
    }
  }

  func testRanksWithNothingTakePartInCollectiveTransfers() throws {
    let usual = HDF5Library.maximumTransferBytes
    defer { HDF5Library.maximumTransferBytes = usual }
    let expected = (0..<24).map { Double($0) }
    for (chunks, limit) in [(nil, usual), ([2, 2], usual), (nil, 32), ([2, 2], 32)] as [([Int]?, Int)] {
      HDF5Library.maximumTransferBytes = limit
      let file = try create()
      let dataSet = try file.root.createDataSet("a", of: Double.self, shape: [6, 4], chunks: chunks)
      try dataSet.write([Double](), to: .nothing, transfer: .collective)
      let writes = world.rank == world.size - 1
      try dataSet.write(writes ? expected : [], to: writes ? .all : .nothing, transfer: .collective)
      XCTAssertEqual(try dataSet.read(Double.self, .nothing, transfer: .collective), [])
      let found = try dataSet.read(Double.self, writes ? .rows(2..<4) : .rows(6..<6), transfer: .collective)
      XCTAssertEqual(found, writes ? Array(expected[8..<16]) : [])
      let empty = try file.root.createDataSet("empty", of: Double.self, shape: [0, 4], chunks: chunks)
      try empty.write([Double](), transfer: .collective)
      let scalar = try file.root.createDataSet("scalar", of: Double.self, shape: [])
      try scalar.write(writes ? [2.5] : [], to: writes ? .all : .nothing, transfer: .collective)
      try closeAndCheck(file, "a", expected, "\(chunks ?? []) \(limit)")
      XCTAssertEqual(try HDF5File.open(path()).root.dataSet("scalar").read(Double.self), [2.5])
      try world.barrier()
    }
  }

  func testManyDataSetsOfDifferentSizesKeepApart() throws {
    var generator = Generator(state: 9)
    let shapes = (0..<40).map { _ in
      (0..<Int.random(in: 1...4, using: &generator)).map { _ in Int.random(in: 1...9, using: &generator) }
    }
    let file = try create(userBlockBytes: 2048)
    for (index, shape) in shapes.enumerated() {
      let dataSet = try file.root.createDataSet("layer \(index % 5)/\(index)", of: Float.self, shape: shape)
      let inner = shape.dropFirst().reduce(1, *)
      let rows = unevenRows(shape[0])
      let mine = (rows.lowerBound * inner..<rows.upperBound * inner).map { Float($0 + 10_000 * index) }
      try dataSet.write(mine, to: .rows(rows), transfer: .collective)
      try dataSet.attributes.set("index", to: index)
    }
    try file.close()
    let alone = try HDF5File.open(path())
    XCTAssertEqual(alone.userBlockBytes, 2048)
    for (index, shape) in shapes.enumerated() {
      let dataSet = try alone.root.dataSet("layer \(index % 5)/\(index)")
      XCTAssertEqual(try dataSet.read(Float.self), (0..<shape.reduce(1, *)).map { Float($0 + 10_000 * index) })
      XCTAssertEqual(try dataSet.attributes.read("index", as: Int.self), index)
    }
    try alone.close()
  }

  func testEqualContentGivesEqualBytes() throws {
    func make(_ name: String) throws -> Data {
      let file = try create(name)
      for index in 0..<5 {
        let dataSet = try file.root.createDataSet("g/\(index)", of: Float.self, shape: [50, 3])
        let rows = unevenRows(50)
        try dataSet.write([Float](repeating: Float(index), count: rows.count * 3), to: .rows(rows), transfer: .collective)
      }
      try file.attributes.set("step", to: 7)
      try file.close()
      try world.barrier()
      return try Data(contentsOf: URL(fileURLWithPath: path(name)))
    }
    let first = try make("first.h5")
    Thread.sleep(forTimeInterval: 1.2)
    XCTAssertEqual(first, try make("second.h5"))
  }

  func testTextsAndAttributesAreKeptInFields() throws {
    let file = try create()
    let texts = ["", "plain", "Größe €"]
    try file.root.createDataSet("texts", strings: texts)
    try file.attributes.set("text", to: "Größe €")
    try file.attributes.set("texts", to: texts)
    try file.root.createDataSet("no texts", strings: [])
    try file.attributes.set("no texts", to: [String]())
    try file.attributes.set("none", to: "")
    try file.attributes.set("step", to: Int64(5))
    try file.attributes.set("step", to: [1.5, 2.5])
    assertError(.unsupported, naming: path(), "/variable", "fixed-length") {
      try file.root.createDataSet("variable", strings: texts, storage: .variable)
    }
    assertError(.unsupported, naming: "variable", "fixed-length") {
      try file.attributes.set("variable", to: "x", storage: .variable)
    }
    XCTAssertEqual(try file.root.dataSet("texts").readStrings(), texts)
    try file.close()
    for communicator in [world, nil] {
      let file = try HDF5File.open(path(), communicator: communicator)
      XCTAssertEqual(try file.root.dataSet("texts").kind, .fixedString(bytes: 11))
      XCTAssertEqual(try file.root.dataSet("texts").readStrings(), texts)
      XCTAssertEqual(try file.attributes.readString("text"), "Größe €")
      XCTAssertEqual(try file.attributes.readStrings("texts"), texts)
      XCTAssertEqual(try file.root.dataSet("no texts").readStrings(), [])
      XCTAssertEqual(try file.attributes.readStrings("no texts"), [])
      XCTAssertEqual(try file.attributes.readString("none"), "")
      XCTAssertEqual(try file.attributes.readArray("step", as: Double.self), [1.5, 2.5])
      try file.close()
    }
  }

  func testVariableTextsOfASerialFileAreReadInParallel() throws {
    if world.rank == 0 {
      let file = try HDF5File.create(path())
      try file.root.createDataSet("texts", strings: ["a", "", "ü"])
      try file.attributes.set("text", to: "value")
      try file.close()
    }
    try world.barrier()
    let file = try HDF5File.open(path(), communicator: world)
    XCTAssertEqual(try file.root.dataSet("texts").readStrings(), ["a", "", "ü"])
    XCTAssertEqual(try file.attributes.readString("text"), "value")
    try file.close()
  }

  func testFilesThatCannotBeOpenedFailOnEveryRankAndTheNextOpens() throws {
    if world.rank == 0 {
      try Data().write(to: folder.appendingPathComponent("empty"))
      try Data(repeating: 65, count: 5000).write(to: folder.appendingPathComponent("text"))
      let file = try HDF5File.create(path("whole.h5"))
      try file.root.createDataSet("a", of: Int.self, shape: [300]).write([Int](repeating: 1, count: 300))
      try file.close()
      let whole = try Data(contentsOf: URL(fileURLWithPath: path("whole.h5")))
      for length in [5, 50, 100, whole.count / 2, whole.count - 1] {
        try whole.prefix(length).write(to: folder.appendingPathComponent("short \(length)"))
      }
    }
    try world.barrier()
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    for access in [HDF5File.Access.readOnly, .readWrite] {
      assertError(.missingFile, naming: path("absent")) {
        _ = try HDF5File.open(path("absent"), access, communicator: world)
      }
      for name in names where name != "whole.h5" {
        XCTAssertThrowsError(
          try HDF5File.open(path(name), access, communicator: world), "\(name) \(access)"
        ) { error in
          XCTAssertTrue([.notHDF5, .truncated, .damaged].contains((error as! HDF5Error).code), "\(name): \(error)")
        }
      }
    }
    let file = try HDF5File.open(path("whole.h5"), communicator: world)
    XCTAssertEqual(try file.root.dataSet("a").read(Int.self, transfer: .collective), [Int](repeating: 1, count: 300))
    try file.close()
  }

  func testExclusiveCreationRefusesAnExistingFileOnEveryRank() throws {
    let first = try create()
    try first.root.createGroup("kept")
    try first.close()
    try world.barrier()
    assertError(.fileExists, naming: path()) { _ = try HDF5File.create(path(), communicator: world) }
    assertError(.missingFile, naming: "no folder") {
      _ = try HDF5File.create(path("absent/file.h5"), communicator: world)
    }
    let file = try HDF5File.open(path(), communicator: world)
    XCTAssertTrue(try file.root.exists("kept"))
    try file.close()
  }

  func testOneRankMayReadAloneInAParallelFile() throws {
    let file = try create()
    try file.root.createDataSet("a", of: Int.self, shape: [4]).write(
      world.rank == 0 ? [1, 2, 3, 4] : [], to: world.rank == 0 ? .all : .nothing, transfer: .collective)
    try file.flush()
    try world.barrier()
    if world.rank == world.size - 1 {
      XCTAssertEqual(try file.root.children().map(\.name), ["a"])
      XCTAssertEqual(try file.root.dataSet("a").read(Int.self, .rows(1..<3)), [2, 3])
    }
    try file.close()
  }

  func testHalvesOfTheWorldWriteTheirOwnFiles() throws {
    let half = try XCTUnwrap(world.split(color: world.rank % 2))
    defer { try? half.free() }
    let name = "half \(world.rank % 2).h5"
    let file = try HDF5File.create(path(name), communicator: half)
    let dataSet = try file.root.createDataSet("a", of: Int.self, shape: [half.size, 2])
    try dataSet.write([world.rank, 7], to: .rows(half.rank..<half.rank + 1), transfer: .collective)
    try file.close()
    try half.barrier()
    XCTAssertEqual(
      try HDF5File.open(path(name)).root.dataSet("a").read(Int.self),
      (0..<half.size).flatMap { [2 * $0 + world.rank % 2, 7] })
    try half.barrier()
  }

  func testAParallelFileReopenedForWritingKeepsWhatItHad() throws {
    let first = try create()
    try first.root.createDataSet("a", of: Int.self, shape: [world.size])
      .write([world.rank], to: .rows(world.rank..<world.rank + 1), transfer: .collective)
    try first.close()
    let second = try HDF5File.open(path(), .readWrite, communicator: world)
    let dataSet = try second.root.dataSet("a")
    try second.root.createDataSet("b", of: Int.self, shape: [1]).write(
      world.rank == 0 ? [9] : [], to: world.rank == 0 ? .all : .nothing, transfer: .collective)
    try second.close()
    assertError(.closed, naming: "/a") { _ = try dataSet.read(Int.self) }
    let alone = try HDF5File.open(path())
    XCTAssertEqual(try alone.root.dataSet("a").read(Int.self), Array(0..<world.size))
    XCTAssertEqual(try alone.root.dataSet("b").read(Int.self), [9])
    try alone.close()
  }

  /// What is checked comes after the last test: the ranks must end MPI without a crash.
  func testAForgottenParallelFileDoesNotCrashTheEndOfMPI() throws {
    let file = try create()
    try file.root.createDataSet("a", of: Int.self, shape: [2]).write([1, 2], transfer: .collective)
  }
}
