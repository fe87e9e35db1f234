import Foundation
import KitiCore
import KitiHDF5
import XCTest

/// Opening data set files and reading samples.
final class FieldDataSetTests: DataSetTestCase {
  private func read(_ dataSet: FieldDataSet, _ split: DataSplit, _ sample: Int) throws -> ([Float], [Float]) {
    var input = [Float](repeating: -1, count: dataSet.inputShape.reduce(1, *))
    var target = [Float](repeating: -1, count: dataSet.targetShape.reduce(1, *))
    try input.withUnsafeMutableBufferPointer { input in
      try target.withUnsafeMutableBufferPointer { target in
        try dataSet.read(split, sample: sample, input: input, target: target)
      }
    }
    return (input, target)
  }

  func testReadsEverySample() throws {
    let dataSet = try FieldDataSet(path: makeDataSet(), kind: "burgers")
    XCTAssertEqual(dataSet.inputShape, [3, 1])
    XCTAssertEqual(dataSet.targetShape, [2, 1])
    XCTAssertEqual(dataSet.sampleCount(.train), 10)
    XCTAssertEqual(dataSet.sampleCount(.test), 4)
    for split in DataSplit.allCases {
      for sample in 0..<dataSet.sampleCount(split) {
        let (input, target) = try read(dataSet, split, sample)
        XCTAssertEqual(input, (0..<3).map { value(split, target: false, sample: sample, element: $0) })
        XCTAssertEqual(target, (0..<2).map { value(split, target: true, sample: sample, element: $0) })
      }
    }
  }

  func testChannelsAreTheLastAxis() throws {
    let dataSet = try FieldDataSet(path: makeDataSet(inputShape: [5, 2], targetShape: [5]), kind: "burgers")
    XCTAssertEqual(dataSet.inputShape, [5, 2])
    XCTAssertEqual(dataSet.targetShape, [5, 1])
    XCTAssertEqual(
      try read(dataSet, .test, 3).0, (0..<10).map { value(.test, target: false, sample: 3, element: $0) })
  }

  func testOneSampleOfOnePointIsEnough() throws {
    let dataSet = try FieldDataSet(
      path: makeDataSet(train: 1, test: 1, inputShape: [1], targetShape: [1]), kind: "burgers")
    XCTAssertEqual(try read(dataSet, .train, 0).1, [0.5])
  }

  func testValuesAreNotJudged() throws {
    let path = try makeDataSet { try $0.dataSet("train/inputs").write([Float](repeating: .nan, count: 30)) }
    XCTAssertTrue(try read(FieldDataSet(path: path, kind: "burgers"), .train, 9).0.allSatisfy(\.isNaN))
  }

  func testReadingAllocatesNoObjects() throws {
    let dataSet = try FieldDataSet(path: makeDataSet(inputShape: [64], targetShape: [64]), kind: "burgers")
    let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: 128)
    defer { values.deallocate() }
    let input = UnsafeMutableBufferPointer(rebasing: values[..<64])
    let target = UnsafeMutableBufferPointer(rebasing: values[64...])
    try dataSet.read(.train, sample: 0, input: input, target: target)
    let count = AllocationCount.during {
      for sample in 0..<100 { try? dataSet.read(.train, sample: sample % 10, input: input, target: target) }
    }
    try XCTSkipIf(count == nil, "this runtime does not count allocations")
    XCTAssertEqual(count, 0)
  }

  func testSamplesAndBuffersThatDoNotFitAreRefused() throws {
    let path = try makeDataSet()
    let dataSet = try FieldDataSet(path: path, kind: "burgers")
    for sample in [-1, 10, Int.max, Int.min] {
      assertError(.usage, naming: path, "/train", "\(sample)") { _ = try read(dataSet, .train, sample) }
    }
    let small = UnsafeMutableBufferPointer<Float>.allocate(capacity: 2)
    defer { small.deallocate() }
    assertError(.usage, naming: path, "/train/inputs") {
      try dataSet.read(.train, sample: 0, input: small, target: small)
    }
  }

  func testFilesThatAreNoDataSetsAreNamed() throws {
    assertError(.usage, naming: path("absent.h5"), "no such file", "data make") {
      _ = try FieldDataSet(path: path("absent.h5"), kind: "burgers")
    }
    assertError(.usage, naming: folder.path, "folder") { _ = try FieldDataSet(path: folder.path, kind: "burgers") }
    assertError(.usage) { _ = try FieldDataSet(path: "", kind: "burgers") }
    for text in ["", "x,y\n1,2\n", String(repeating: "words ", count: 1000)] {
      try Data(text.utf8).write(to: folder.appendingPathComponent("text.h5"))
      assertError(.badData, naming: path("text.h5"), "not an HDF5 file") {
        _ = try FieldDataSet(path: path("text.h5"), kind: "burgers")
      }
    }
  }

  func testFilesCutShortAreNamed() throws {
    let whole = try Data(contentsOf: URL(fileURLWithPath: makeDataSet()))
    for length in [1, 8, 95, 96, 500, 512, 1000, whole.count / 2, whole.count - 100, whole.count - 1] {
      try whole.prefix(length).write(to: folder.appendingPathComponent("short.h5"))
      assertError(.badData, naming: path("short.h5"), "again") {
        _ = try FieldDataSet(path: path("short.h5"), kind: "burgers")
      }
    }
  }

  func testAnotherKindIsNamedWithBothKinds() throws {
    let path = try makeDataSet(kind: "darcy")
    assertError(.badData, naming: path, "'darcy'", "'burgers'") { _ = try FieldDataSet(path: path, kind: "burgers") }
    XCTAssertEqual(try FieldDataSet(path: path).kind, "darcy")
    let without = try makeDataSet("without.h5", kind: nil)
    assertError(.badData, naming: without, "'kind'") { _ = try FieldDataSet(path: without, kind: "burgers") }
    let number = try makeDataSet("number.h5", kind: nil) { try $0.attributes.set("kind", to: 3) }
    assertError(.badData, naming: number, "attribute kind") { _ = try FieldDataSet(path: number, kind: "burgers") }
  }

  /// Makes a file of nothing but arrays of these types and shapes, by name.
  private func makeArrays(_ name: String, _ arrays: [String: [Int]], double: String? = nil) throws -> String {
    let file = try HDF5File.create(path(name))
    try file.attributes.set("kind", to: "burgers")
    for (array, shape) in arrays {
      if array == double {
        try file.root.createDataSet(array, of: Double.self, shape: shape)
      } else {
        try file.root.createDataSet(array, of: Float.self, shape: shape)
      }
    }
    try file.close()
    return path(name)
  }

  func testMissingMisshapenAndMistypedArraysAreNamed() throws {
    let good = ["train/inputs": [4, 3], "train/targets": [4, 3], "test/inputs": [2, 3], "test/targets": [2, 3]]
    func refuse(_ name: String, _ arrays: [String: [Int]], double: String? = nil, naming fragments: String) throws {
      let path = try makeArrays("\(name).h5", arrays, double: double)
      assertError(.badData, naming: path, fragments) { _ = try FieldDataSet(path: path, kind: "burgers") }
    }
    XCTAssertNoThrow(try FieldDataSet(path: makeArrays("good.h5", good), kind: "burgers"))
    for array in good.keys {
      let label = array.replacingOccurrences(of: "/", with: " ")
      try refuse("\(label) missing", good.filter { $0.key != array }, naming: "/" + array)
      try refuse("\(label) double", good, double: array, naming: "/\(array), holds float64")
      for shape in [[], [4], [4, 0], [4, 3, 0], [4, 3, 1, 1]] {
        try refuse(
          "\(label) \(shape)", good.merging([array: shape]) { $1 }, naming: "/\(array), has the shape \(shape)")
      }
      try refuse("\(label) empty", good.merging([array: [0, 3]]) { $1 }, naming: "samples")
      try refuse("\(label) longer", good.merging([array: [5, 3]]) { $1 }, naming: "5")
    }
    try refuse("test wider", good.merging(["test/inputs": [2, 4]]) { $1 }, naming: "/test/inputs")
    try refuse("no groups", [:], naming: "/train/inputs")
    let group = try makeDataSet("group.h5") { root in try root.createGroup("other") }
    XCTAssertNoThrow(try FieldDataSet(path: group, kind: "burgers"), "other things in the file do no harm")
  }
}
