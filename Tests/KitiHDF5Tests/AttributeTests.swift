import KitiHDF5
import XCTest

final class AttributeTests: FileTestCase {
  func testNumbersAndArraysComeBackFromFilesGroupsAndDataSets() throws {
    let path = try makeFile { root in
      let holders = [
        root.attributes, try root.createGroup("g").attributes,
        try root.createDataSet("d", of: Int8.self, shape: [1]).attributes,
      ]
      for holder in holders {
        try holder.set("int", to: Int64.min)
        try holder.set("literal", to: 3)
        try holder.set("unsigned", to: UInt64.max)
        try holder.set("double", to: 0.1)
        try holder.set("float", to: Float(0.1))
        try holder.set("byte", to: UInt8(200))
        try holder.set("ints", to: [Int64(1), -2, 3])
        try holder.set("floats", to: [Float(0.5), 0.25])
        try holder.set("none", to: [Double]())
      }
    }
    let file = try HDF5File.open(path)
    for holder in [file.attributes, try file.root.group("g").attributes, try file.root.dataSet("d").attributes] {
      XCTAssertEqual(try holder.read("int", as: Int64.self), .min)
      XCTAssertEqual(try holder.read("literal", as: Int64.self), 3)
      XCTAssertEqual(try holder.read("unsigned", as: UInt64.self), .max)
      XCTAssertEqual(try holder.read("double", as: Double.self), 0.1)
      XCTAssertEqual(try holder.read("float", as: Float.self), 0.1)
      XCTAssertEqual(try holder.read("byte", as: UInt8.self), 200)
      XCTAssertEqual(try holder.readArray("ints", as: Int64.self), [1, -2, 3])
      XCTAssertEqual(try holder.readArray("floats", as: Float.self), [0.5, 0.25])
      XCTAssertEqual(try holder.readArray("none", as: Double.self), [])
      XCTAssertEqual(
        try holder.names(), ["byte", "double", "float", "floats", "int", "ints", "literal", "none", "unsigned"])
      XCTAssertTrue(try holder.exists("int"))
      XCTAssertFalse(try holder.exists("absent"))
      let description = try holder.description(of: "ints")
      XCTAssertEqual(description.kind, .int64)
      XCTAssertEqual(description.shape, [3])
    }
  }

  func testTextsComeBackInEitherStorage() throws {
    let texts = ["", "plain", "Größe €", String(repeating: "x", count: 300)]
    for storage in [nil, .variable, .fixed(bytes: 300)] as [StringStorage?] {
      let file = try HDF5File.create(path(), ifExists: .replace)
      for (index, text) in texts.enumerated() {
        try file.attributes.set("text \(index)", to: text, storage: storage)
        XCTAssertEqual(try file.attributes.readString("text \(index)"), text)
      }
      try file.attributes.set("texts", to: texts, storage: storage)
      XCTAssertEqual(try file.attributes.readStrings("texts"), texts)
      try file.attributes.set("no texts", to: [String](), storage: storage)
      XCTAssertEqual(try file.attributes.readStrings("no texts"), [])
      try file.close()
    }
  }

  func testSettingAgainReplacesTypeAndShape() throws {
    let file = try HDF5File.create(path())
    try file.attributes.set("a", to: Int64(1))
    try file.attributes.set("a", to: [1.5, 2.5])
    XCTAssertEqual(try file.attributes.readArray("a", as: Double.self), [1.5, 2.5])
    try file.attributes.set("a", to: "text")
    XCTAssertEqual(try file.attributes.readString("a"), "text")
    XCTAssertEqual(try file.attributes.names(), ["a"])
    try file.attributes.remove("a")
    XCTAssertFalse(try file.attributes.exists("a"))
    try file.close()
  }

  func testWrongKindsNameTheAttributeAndBothKinds() throws {
    let file = try HDF5File.create(path())
    let group = try file.root.createGroup("g")
    try group.attributes.set("step", to: Int64(1))
    try group.attributes.set("name", to: "x")
    try group.attributes.set("many", to: [Int64(1), 2])
    assertError(.wrongElement, naming: path(), "/g", "step", "float64", "int64") {
      _ = try group.attributes.read("step", as: Double.self)
    }
    assertError(.wrongElement, naming: "/g", "name", "int64", "string") {
      _ = try group.attributes.read("name", as: Int64.self)
    }
    assertError(.wrongElement, naming: "/g", "step", "text", "int64") { _ = try group.attributes.readString("step") }
    assertError(.wrongShape, naming: "/g", "many", "2") { _ = try group.attributes.read("many", as: Int64.self) }
    assertError(.notFound, naming: "/g", "absent") { _ = try group.attributes.read("absent", as: Int64.self) }
    assertError(.notFound, naming: "/g", "absent") { try group.attributes.remove("absent") }
    assertError(.invalidArgument, naming: "/g") { try group.attributes.set("", to: Int64(1)) }
    assertError(.invalidArgument, naming: "fixed", "6", "5") {
      try group.attributes.set("fixed", to: "123456", storage: .fixed(bytes: 5))
    }
    assertError(.invalidArgument, naming: "zero", "zero byte") { try group.attributes.set("zero", to: "a\0b") }
    assertError(.library, naming: "large", "64 KiB") {
      try group.attributes.set("large", to: [Double](repeating: 0, count: 10_000))
    }
    try file.close()
  }
}
