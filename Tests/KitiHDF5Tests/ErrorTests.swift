import Foundation
import KitiHDF5
import XCTest

final class ErrorTests: FileTestCase {
  func testFilesThatCannotBeOpenedAreNamedWithTheirReason() throws {
    assertError(.missingFile, naming: path("absent.h5"), "no such file") { _ = try HDF5File.open(path("absent.h5")) }
    assertError(.inaccessibleFile, naming: folder.path, "folder") { _ = try HDF5File.open(folder.path) }
    for (name, content) in [("empty", ""), ("text", String(repeating: "not a data file\n", count: 500))] {
      try Data(content.utf8).write(to: folder.appendingPathComponent(name))
      assertError(.notHDF5, naming: path(name), "not an HDF5 file") { _ = try HDF5File.open(path(name)) }
      assertError(.notHDF5, naming: path(name)) { _ = try HDF5File.open(path(name), .readWrite) }
    }
    assertError(.invalidArgument) { _ = try HDF5File.open("") }
    XCTAssertThrowsError(try HDF5File.open(path("absent.h5"))) { error in
      XCTAssertFalse((error as! HDF5Error).libraryMessages.isEmpty, "HDF5's own words are missing")
    }
  }

  func testFilesThatCannotBeCreatedAreNamedWithTheirReason() throws {
    let path = try makeFile { try $0.createGroup("kept") }
    assertError(.fileExists, naming: path, "exists") { _ = try HDF5File.create(path) }
    XCTAssertTrue(try HDF5File.open(path).root.exists("kept"), "a refused creation must leave the file as it was")
    assertError(.missingFile, naming: "no folder", "absent") { _ = try HDF5File.create(self.path("absent/file.h5")) }
    assertError(.inaccessibleFile, naming: folder.path) { _ = try HDF5File.create(folder.path, ifExists: .replace) }
    for bytes in [-512, 1, 511, 513, 768] {
      assertError(.invalidArgument, naming: "\(bytes)") {
        _ = try HDF5File.create(self.path("block.h5"), userBlockBytes: bytes)
      }
    }
  }

  func testFilesCutShortAtAnyLengthAreRefused() throws {
    for userBlockBytes in [0, 512] {
      let whole = try Data(
        contentsOf: URL(
          fileURLWithPath: makeFile("whole-\(userBlockBytes).h5", userBlockBytes: userBlockBytes) { root in
            try root.createDataSet("a/b", of: Double.self, shape: [300]).write((0..<300).map(Double.init))
            try root.createDataSet("c", of: Int8.self, shape: [40], chunks: [9]).write([Int8](repeating: 1, count: 40))
            try root.attributes.set("text", to: "value")
          }))
      let lengths = [0, 1, 7, 8, 9, 24, 48, 95, 96, 97, 511, 512, 513, 520, 600, 608, 609]
        + stride(from: 700, to: whole.count, by: 397) + [whole.count - 1]
      for length in lengths where length < whole.count {
        let short = path("short.h5")
        try whole.prefix(length).write(to: URL(fileURLWithPath: short))
        for access in [HDF5File.Access.readOnly, .readWrite] {
          XCTAssertThrowsError(try HDF5File.open(short, access), "\(length) of \(whole.count) bytes") { error in
            guard let error = error as? HDF5Error else { return XCTFail("\(error)") }
            XCTAssertTrue(
              [.notHDF5, .truncated, .damaged].contains(error.code), "\(length) bytes gave \(error.code): \(error)")
            XCTAssertTrue(error.description.contains(short), "\(error)")
          }
        }
      }
      assertError(.truncated, naming: "cut short") { _ = try HDF5File.open(self.path("short.h5")) }
    }
  }

  func testReadingAsAnotherTypeNamesTheDataSetAndBothTypes() throws {
    let file = try HDF5File.create(path())
    let dataSet = try file.root.createDataSet("model/weight", of: Float.self, shape: [2, 3])
    assertError(.wrongElement, naming: path(), "/model/weight", "float64", "float32") {
      _ = try dataSet.read(Double.self)
    }
    assertError(.wrongElement, naming: "/model/weight", "int32", "float32") { try dataSet.write([Int32](repeating: 0, count: 6)) }
    try file.close()
  }

  func testSelectionsThatDoNotFitNameTheDataSetAndItsShape() throws {
    let file = try HDF5File.create(path())
    let dataSet = try file.root.createDataSet("a", of: Float.self, shape: [2, 3])
    let beyond: [Selection] = [
      .rows(0..<3), .rows(-1..<1), .slab(start: [0, 0], count: [2, 4]), .slab(start: [0, 3], count: [1, 1]),
      .slab(start: [-1, 0], count: [1, 1]), .slab(start: [0, 0], count: [1, -1]),
      .slab(start: [0, 0], count: [2, 2], stride: [1, 3]), .slab(start: [0, 0], count: [1, 1], stride: [1, 0]),
      .slab(start: [.max, 0], count: [1, 1]), .slab(start: [1, 0], count: [.max, 1], stride: [.max, 1]),
      .slab(start: [0, 1], count: [2, .max]),
    ]
    for selection in beyond {
      assertError(.outOfBounds, naming: "/a", "[2, 3]") { _ = try dataSet.read(Float.self, selection) }
    }
    for selection in [
      Selection.slab(start: [0], count: [1]), .slab(start: [0, 0, 0], count: [1, 1, 1]),
      .slab(start: [0, 0], count: [1, 1], stride: [1]),
    ] {
      assertError(.wrongShape, naming: "/a", "rank 2", "[2, 3]") { _ = try dataSet.read(Float.self, selection) }
    }
    assertError(.wrongShape, naming: "/a", "6", "5") { try dataSet.write([Float](repeating: 0, count: 5)) }
    assertError(.wrongShape, naming: "/a", "3", "6") { try dataSet.write([Float](repeating: 0, count: 6), to: .rows(0..<1)) }
    let scalar = try file.root.createDataSet("scalar", of: Float.self, shape: [])
    assertError(.wrongShape, naming: "/scalar", "scalar") { _ = try scalar.read(Float.self, .rows(0..<1)) }
    XCTAssertEqual(try dataSet.read(Float.self), [0, 0, 0, 0, 0, 0], "a refused write must leave the data as it was")
    try file.close()
  }

  func testNamesThatAreMissingTakenOrOfAnotherKindAreNamed() throws {
    let file = try HDF5File.create(path())
    try file.root.createDataSet("g/d", of: Int8.self, shape: [1])
    let root = file.root
    assertError(.notFound, naming: path(), "/g/absent", "data set") { _ = try root.dataSet("g/absent") }
    assertError(.notFound, naming: "/absent/deep") { _ = try root.group("absent/deep") }
    assertError(.wrongObject, naming: "/g", "group") { _ = try root.dataSet("g") }
    assertError(.wrongObject, naming: "/g/d", "data set") { _ = try root.group("g/d") }
    assertError(.alreadyExists, naming: "/g/d") { try root.createDataSet("g/d", of: Int8.self, shape: [1]) }
    assertError(.alreadyExists, naming: "/g") { try root.createGroup("g") }
    assertError(.wrongObject, naming: "/g/d/below", "/g/d") { try root.createGroup("g/d/below") }
    assertError(.invalidArgument) { try root.createGroup("") }
    assertError(.invalidArgument) { try root.createGroup("a\0b") }
    try file.close()
  }

  func testImpossibleShapesAndChunksAreRefused() throws {
    let file = try HDF5File.create(path())
    let root = file.root
    for shape in [[-1], [1 << 40, 1 << 40], [Int](repeating: 1, count: 33)] {
      assertError(.invalidArgument, naming: "/a") { try root.createDataSet("a", of: Float.self, shape: shape) }
    }
    for (shape, chunks) in [([4], [0]), ([4], [-1]), ([4], [2, 2]), ([4, 4], [2]), ([], [])] {
      assertError(.invalidArgument, naming: "/a", "chunks") {
        try root.createDataSet("a", of: Float.self, shape: shape, chunks: chunks)
      }
    }
    XCTAssertEqual(try root.children(), [])
    try file.close()
  }

  func testClosedAndReadOnlyFilesSaySo() throws {
    let file = try HDF5File.create(path())
    let dataSet = try file.root.createDataSet("a", of: Int8.self, shape: [1])
    try file.close()
    try file.close()
    assertError(.closed, naming: path(), "/a") { _ = try dataSet.read(Int8.self) }
    assertError(.closed) { try dataSet.write([Int8(1)]) }
    assertError(.closed) { try file.flush() }
    assertError(.closed) { try file.root.createGroup("b") }
    assertError(.closed) { _ = try file.root.children() }
    assertError(.closed) { _ = try dataSet.attributes.names() }

    let reader = try HDF5File.open(path())
    assertError(.readOnly, naming: "/b") { try reader.root.createGroup("b") }
    assertError(.readOnly, naming: "/a") { try reader.root.dataSet("a").write([Int8(1)]) }
    assertError(.readOnly) { try reader.attributes.set("x", to: Int64(1)) }
    try reader.close()
  }
}
