import KitiHDF5
import XCTest

final class StringDataSetTests: FileTestCase {
  func testTextsComeBackInEitherStorage() throws {
    let texts = (0..<100).map { String(repeating: "ü", count: $0 % 7) + "\($0)" } + ["", "end "]
    for storage in [nil, .variable, .fixed(bytes: 40)] as [StringStorage?] {
      let file = try HDF5File.create(path(), ifExists: .replace)
      let written = try file.root.createDataSet("a/texts", strings: texts, storage: storage)
      XCTAssertEqual(try written.readStrings(), texts)
      try file.root.createDataSet("none", strings: [], storage: storage)
      try file.close()
      let root = try HDF5File.open(path()).root
      let dataSet = try root.dataSet("a/texts")
      XCTAssertEqual(dataSet.kind, storage == .fixed(bytes: 40) ? .fixedString(bytes: 40) : .variableString)
      XCTAssertEqual(dataSet.shape, [102])
      XCTAssertEqual(try dataSet.readStrings(), texts)
      XCTAssertEqual(try root.dataSet("none").readStrings(), [])
    }
  }

  func testNumbersAndTextsAreNotMistakenForEachOther() throws {
    let file = try HDF5File.create(path())
    let numbers = try file.root.createDataSet("numbers", of: Float.self, shape: [2])
    let texts = try file.root.createDataSet("texts", strings: ["a"])
    assertError(.wrongElement, naming: "/numbers", "text", "float32") { _ = try numbers.readStrings() }
    assertError(.wrongElement, naming: "/texts", "float32", "string") { _ = try texts.read(Float.self) }
    assertError(.wrongElement, naming: "/texts", "float32", "string") { try texts.write([Float(1)]) }
    try file.close()
  }

  func testATextThatCannotBeKeptIsRefusedAndNothingIsMade() throws {
    let file = try HDF5File.create(path())
    assertError(.invalidArgument, naming: "/long", "4", "3") {
      try file.root.createDataSet("long", strings: ["1234"], storage: .fixed(bytes: 3))
    }
    assertError(.invalidArgument, naming: "/zero") { try file.root.createDataSet("zero", strings: ["a\0"]) }
    XCTAssertEqual(try file.root.children(), [])
    try file.close()
  }
}
