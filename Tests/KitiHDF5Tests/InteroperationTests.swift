import Foundation
import KitiHDF5
import KitiTestSupport
import XCTest

final class InteroperationTests: FileTestCase {
  /// The numbers both sides agree on.
  private func values<Element: HDF5Element & Numeric>(_ count: Int) -> [Element] {
    (0..<count).map { Element(exactly: ($0 * 7 + 3) % 101)! }
  }

  private func checkNumbers<Element: HDF5Element & Numeric>(_ type: Element.Type, _ root: Group) throws {
    for order in ["little", "big"] {
      let dataSet = try root.dataSet("\(order)/\(Element.elementKind)")
      XCTAssertEqual(dataSet.kind, Element.elementKind, order)
      XCTAssertEqual(dataSet.shape, [3, 4, 5])
      XCTAssertEqual(try dataSet.read(Element.self), values(60), "\(order) \(type)")
      let slab = Selection.slab(start: [1, 0, 1], count: [2, 2, 2], stride: [1, 3, 2])
      let all: [Element] = values(60)
      XCTAssertEqual(
        try dataSet.read(Element.self, slab),
        offsets(shape: [3, 4, 5], start: [1, 0, 1], count: [2, 2, 2], stride: [1, 3, 2]).map { all[$0] })
    }
    XCTAssertEqual(try root.attributes.read("scalar \(Element.elementKind)", as: type), 42)
    XCTAssertEqual(try root.attributes.readArray("array \(Element.elementKind)", as: type), values(4))
  }

  func testNumbersThatH5pyWroteAreRead() throws {
    let file = try HDF5File.open(try fixture("h5py.h5"))
    try checkNumbers(Float.self, file.root)
    try checkNumbers(Double.self, file.root)
    try checkNumbers(Int8.self, file.root)
    try checkNumbers(Int16.self, file.root)
    try checkNumbers(Int32.self, file.root)
    try checkNumbers(Int64.self, file.root)
    try checkNumbers(UInt8.self, file.root)
    try checkNumbers(UInt16.self, file.root)
    try checkNumbers(UInt32.self, file.root)
    try checkNumbers(UInt64.self, file.root)
    XCTAssertEqual(try file.root.dataSet("chunked").chunkShape, [4, 3])
    XCTAssertEqual(try file.root.dataSet("chunked").read(Float.self), values(91))
    XCTAssertEqual(try file.root.dataSet("growing").read(Int32.self), values(12))
    XCTAssertEqual(try file.root.dataSet("scalar").read(Double.self), [2.5])
    XCTAssertEqual(try file.root.dataSet("none").shape, [0, 3])
    XCTAssertEqual(try file.root.dataSet("none").read(Float.self), [])
    try file.close()
  }

  func testTextsAndAttributesThatH5pyWroteAreRead() throws {
    let file = try HDF5File.open(try fixture("h5py.h5"))
    let texts = try file.root.group("texts")
    XCTAssertEqual(try texts.dataSet("variable").readStrings(), ["", "plain", "Größe €"])
    XCTAssertEqual(try texts.dataSet("ascii").readStrings(), ["a", "bc"])
    XCTAssertEqual(try texts.dataSet("fixed").readStrings(), ["", "ab", "abcd"])
    XCTAssertEqual(try texts.dataSet("fixed utf8").readStrings(), ["é", "xyz"])
    let attributes = file.attributes
    XCTAssertEqual(try attributes.read("python int", as: Int64.self), 7)
    XCTAssertEqual(try attributes.read("python float", as: Double.self), 0.5)
    XCTAssertEqual(try attributes.readString("text"), "Größe €")
    XCTAssertEqual(try attributes.readStrings("texts"), ["a", "", "Größe"])
    XCTAssertEqual(try attributes.readString("fixed text"), "abc")
    XCTAssertEqual(try attributes.description(of: "matrix").shape, [2, 3])
    XCTAssertEqual(try attributes.readArray("matrix", as: Double.self), values(6))
    try file.close()
  }

  func testWhatOnlyH5pyKnowsIsNamedInsteadOfMisread() throws {
    let file = try HDF5File.open(try fixture("h5py.h5"))
    assertError(.wrongElement, naming: "/half", "float32", "16-bit") { _ = try file.root.dataSet("half").read(Float.self) }
    assertError(.wrongElement, naming: "/flags", "enumeration") { _ = try file.root.dataSet("flags").read(Int8.self) }
    assertError(.wrongElement, naming: "/records", "compound") { _ = try file.root.dataSet("records").read(Int8.self) }
    assertError(.unsupported, naming: "/null") { _ = try file.root.dataSet("null") }
    assertError(.unsupported, naming: "empty") { _ = try file.attributes.read("empty", as: Float.self) }
    assertError(.damaged, naming: "/texts/invalid", "UTF-8") { _ = try file.root.dataSet("texts/invalid").readStrings() }
    XCTAssertFalse(try file.root.exists("link"))
    XCTAssertEqual(try file.root.children().first { $0.name == "link" }?.kind, .other)
    try file.close()
  }

  private func writeNumbers<Element: HDF5Element & Numeric>(_ type: Element.Type, _ root: Group) throws {
    let all: [Element] = values(60)
    try root.createDataSet("numbers/\(Element.elementKind)", of: type, shape: [3, 4, 5]).write(all)
    try root.attributes.set("scalar \(Element.elementKind)", to: Element(exactly: 42)!)
    try root.attributes.set("array \(Element.elementKind)", to: values(4) as [Element])
  }

  func testEverythingWrittenIsReadByH5py() throws {
    let python = try Python()
    let path = try makeFile(userBlockBytes: 512) { root in
      try writeNumbers(Float.self, root)
      try writeNumbers(Double.self, root)
      try writeNumbers(Int8.self, root)
      try writeNumbers(Int16.self, root)
      try writeNumbers(Int32.self, root)
      try writeNumbers(Int64.self, root)
      try writeNumbers(UInt8.self, root)
      try writeNumbers(UInt16.self, root)
      try writeNumbers(UInt32.self, root)
      try writeNumbers(UInt64.self, root)
      try root.createDataSet("chunked", of: Float.self, shape: [13, 7], chunks: [4, 3]).write(values(91) as [Float])
      try root.createDataSet("filled", of: Float.self, shape: [2], fill: -1.5)
      let scalar = try root.createDataSet("scalar", of: Double.self, shape: [])
      try scalar.write([2.5])
      try root.createDataSet("none", of: Float.self, shape: [0, 3])
      let texts = ["", "plain", "Größe €"]
      try root.createDataSet("texts/variable", strings: texts)
      try root.createDataSet("texts/fixed", strings: texts, storage: .fixed(bytes: 12))
      try root.attributes.set("text", to: "Größe €")
      try root.attributes.set("texts", to: ["a", "", "Größe"])
      try root.attributes.set("fixed text", to: "Größe €", storage: .fixed(bytes: 16))
      try root.group("texts").attributes.set("text", to: "group")
      try scalar.attributes.set("text", to: "data set")
    }
    let result = try python.run(try fixture("check-file.py"), path)
    XCTAssertEqual(result.status, 0, result.output)
  }

  func testAFileThatAnotherProcessWritesIsReportedAsLocked() throws {
    let python = try Python()
    if ProcessInfo.processInfo.environment["HDF5_USE_FILE_LOCKING"] != nil {
      throw XCTSkip("HDF5_USE_FILE_LOCKING overrides the locks this test is about")
    }
    let holder = python.process([try fixture("hold-file.py"), path()])
    let (input, output) = (Pipe(), Pipe())
    holder.standardInput = input
    holder.standardOutput = output
    try holder.run()
    XCTAssertEqual(output.fileHandleForReading.readData(ofLength: 4), Data("open".utf8))
    assertError(.locked, naming: path(), "another process") { _ = try HDF5File.open(self.path()) }
    assertError(.locked, naming: path()) { _ = try HDF5File.create(self.path(), ifExists: .replace) }
    try input.fileHandleForWriting.close()
    holder.waitUntilExit()
    try HDF5File.open(path()).close()
  }
}
