import Foundation
import KitiHDF5
import XCTest

final class RoundTripTests: FileTestCase {
  private func roundTrip<Element: HDF5Element & Equatable>(_ values: [Element]) throws {
    let name = Element.elementKind.description
    let path = try makeFile("\(Element.self).h5") { root in
      try root.createDataSet("values", of: Element.self, shape: [values.count]).write(values)
    }
    let file = try HDF5File.open(path)
    let dataSet = try file.root.dataSet("values")
    XCTAssertEqual(dataSet.kind, Element.elementKind)
    XCTAssertEqual(dataSet.shape, [values.count])
    XCTAssertEqual(try dataSet.read(Element.self), values, name)
    try file.close()
  }

  func testEveryElementTypeKeepsItsExtremes() throws {
    try roundTrip([Float.leastNonzeroMagnitude, -.greatestFiniteMagnitude, .infinity, -0.0, 1.5])
    try roundTrip([Double.leastNonzeroMagnitude, -.greatestFiniteMagnitude, .infinity, -0.0, 1.5])
    try roundTrip([Int8.min, -1, 0, .max])
    try roundTrip([Int16.min, -1, 0, .max])
    try roundTrip([Int32.min, -1, 0, .max])
    try roundTrip([Int64.min, -1, 0, .max])
    try roundTrip([Int.min, -1, 0, .max])
    try roundTrip([UInt8.min, 1, .max])
    try roundTrip([UInt16.min, 1, .max])
    try roundTrip([UInt32.min, 1, .max])
    try roundTrip([UInt64.min, 1, .max])
  }

  func testNotANumberKeepsItsBits() throws {
    let bits: UInt32 = 0x7fc1_2345
    let path = try makeFile { try $0.createDataSet("x", of: Float.self, shape: []).write([Float(bitPattern: bits)]) }
    XCTAssertEqual(try HDF5File.open(path).root.dataSet("x").read(Float.self).map(\.bitPattern), [bits])
  }

  func testOddShapesComeBackContiguousAndChunked() throws {
    for shape in [[], [1], [7], [0], [3, 0, 2], [1, 1, 1, 1], [5, 3], [2, 3, 5, 7]] {
      for chunks in [nil, shape.map { max(1, $0 / 2) }, shape.map { _ in 4 }] where chunks == nil || !shape.isEmpty {
        let name = "shape \(shape) chunks \(chunks ?? [])"
        let count = shape.reduce(1, *)
        let values = (0..<count).map { Int32($0 * 3 - 5) }
        let path = try makeFile("\(UUID().uuidString).h5") { root in
          try root.createDataSet("a", of: Int32.self, shape: shape, chunks: chunks).write(values)
        }
        let dataSet = try HDF5File.open(path).root.dataSet("a")
        XCTAssertEqual(dataSet.shape, shape, name)
        XCTAssertEqual(dataSet.elementCount, count, name)
        XCTAssertEqual(dataSet.chunkShape, chunks.map { zip($0, shape).map { min($0, max(1, $1)) } }, name)
        XCTAssertEqual(try dataSet.read(Int32.self), values, name)
        XCTAssertEqual(try dataSet.read(Int32.self, .nothing), [], name)
      }
    }
  }

  func testElementsNeverWrittenHoldTheFillValueOrZero() throws {
    let path = try makeFile { root in
      for (name, chunks) in [("plain", nil), ("chunked", [2, 2])] as [(String, [Int]?)] {
        try root.createDataSet(name, of: Float.self, shape: [3, 4], chunks: chunks, fill: -1.5)
          .write([1, 2, 3, 4] as [Float], to: .rows(1..<2))
        try root.createDataSet(name + " zero", of: Int64.self, shape: [3], chunks: chunks.map { [$0[0]] })
      }
    }
    let root = try HDF5File.open(path).root
    for name in ["plain", "chunked"] {
      XCTAssertEqual(
        try root.dataSet(name).read(Float.self), [-1.5, -1.5, -1.5, -1.5, 1, 2, 3, 4, -1.5, -1.5, -1.5, -1.5])
      XCTAssertEqual(try root.dataSet(name + " zero").read(Int64.self), [0, 0, 0])
    }
  }

  func testEqualContentGivesEqualBytesAtAnotherTime() throws {
    func make(_ name: String) throws -> Data {
      let path = try makeFile(name) { root in
        try root.createGroup("a/b").attributes.set("step", to: Int64(3))
        try root.createDataSet("a/c", of: Float.self, shape: [10], chunks: [3]).write((0..<10).map { Float($0) })
        try root.createDataSet("names", strings: ["α", "b"])
        try root.attributes.set("kind", to: "test")
      }
      return try Data(contentsOf: URL(fileURLWithPath: path))
    }
    let first = try make("first.h5")
    // The format's times count seconds.
    Thread.sleep(forTimeInterval: 1.2)
    XCTAssertEqual(first, try make("second.h5"))
  }

  func testUserBlockBelongsToTheProgram() throws {
    let path = try makeFile(userBlockBytes: 1024) { root in
      try root.createDataSet("a", of: Int8.self, shape: [3]).write([1, 2, 3] as [Int8])
    }
    let mark = Data((0..<1024).map { UInt8($0 % 251) })
    let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    try handle.write(contentsOf: mark)
    try handle.close()

    let file = try HDF5File.open(path, .readWrite)
    XCTAssertEqual(file.userBlockBytes, 1024)
    XCTAssertEqual(try file.root.dataSet("a").read(Int8.self), [1, 2, 3])
    try file.root.createDataSet("b", of: Int8.self, shape: [1]).write([9] as [Int8])
    try file.close()
    XCTAssertEqual(try Data(contentsOf: URL(fileURLWithPath: path)).prefix(1024), mark)
  }

  func testGroupsListTheirChildrenSortedWithKinds() throws {
    let path = try makeFile { root in
      try root.createDataSet("b/z", of: Int8.self, shape: [1])
      try root.createGroup("b/a/deep")
      try root.group("b").createGroup("/b/m")
      try root.createGroup("ä")
      for index in 0..<30 { try root.createGroup("many/\(index)") }
    }
    let root = try HDF5File.open(path).root
    XCTAssertEqual(try root.children().map(\.name), ["b", "many", "ä"])
    XCTAssertEqual(try root.group("b").children().map(\.name), ["a", "m", "z"])
    XCTAssertEqual(try root.group("b").children().map(\.kind), [.group, .group, .dataSet])
    XCTAssertEqual(try root.group("many").children().map(\.name), (0..<30).map(String.init).sorted())
    XCTAssertEqual(try root.group("b/a").group("deep").path, "/b/a/deep")
    XCTAssertEqual(try root.group("b").dataSet("./z").path, "/b/z")
    XCTAssertEqual(try root.group("b").dataSet("/b//z").path, "/b/z")
    XCTAssertTrue(try root.exists("b/a/deep"))
    XCTAssertTrue(try root.exists("/"))
    XCTAssertFalse(try root.exists("b/none/deep"))
    XCTAssertFalse(try root.exists("b/z/below a data set"))
    XCTAssertEqual(try root.kind(of: "b/z"), .dataSet)
  }

  func testReplaceEmptiesAnExistingFile() throws {
    let path = try makeFile { try $0.createGroup("old") }
    let file = try HDF5File.create(path, ifExists: .replace)
    XCTAssertEqual(try file.root.children(), [])
    try file.close()
  }

  func testFlushedContentIsThereForAnotherReader() throws {
    let file = try HDF5File.create(path(), locking: .off)
    try file.root.createDataSet("a", of: Int8.self, shape: [2]).write([1, 2] as [Int8])
    try file.flush()
    let copy = path("copy.h5")
    try FileManager.default.copyItem(atPath: path(), toPath: copy)
    XCTAssertEqual(try HDF5File.open(copy).root.dataSet("a").read(Int8.self), [1, 2])
    try file.close()
  }

  func testClosingOneOfTwoOpeningsLeavesTheOtherUsable() throws {
    let path = try makeFile { try $0.createDataSet("a", of: Int8.self, shape: [2]).write([1, 2] as [Int8]) }
    let (first, second) = (try HDF5File.open(path), try HDF5File.open(path))
    let dataSets = (try first.root.dataSet("a"), try second.root.dataSet("a"))
    XCTAssertEqual(try dataSets.0.read(Int8.self), [1, 2])
    try first.close()
    XCTAssertEqual(try dataSets.1.read(Int8.self), [1, 2])
    XCTAssertEqual(try second.root.dataSet("a").read(Int8.self), [1, 2])
    try second.close()
  }

  func testSerialFileForgottenOpenIsCompleteAfterItsLastReference() throws {
    do {
      let dataSet = try HDF5File.create(path()).root.createDataSet("a", of: Int8.self, shape: [2])
      try dataSet.write([1, 2] as [Int8])
    }
    XCTAssertEqual(try HDF5File.open(path()).root.dataSet("a").read(Int8.self), [1, 2])
  }
}
