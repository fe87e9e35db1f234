import Foundation
import KitiCore
import KitiHDF5
import XCTest

/// Looking at data set files.
final class DataSetInspectionTests: DataSetTestCase {
  func testTellsWhatIsThere() throws {
    let path = try makeDataSet { root in
      try root.attributes.set("seed", to: UInt64(7))
      try root.attributes.set("mean", to: [0.5, 1.5])
      try root.attributes.set("classes", to: ["a", "ü"])
    }
    let inspection = try DataSetInspection(path: path)
    XCTAssertEqual(inspection.kind, "burgers")
    XCTAssertEqual(inspection.sampleCounts, [.train: 10, .test: 4])
    XCTAssertEqual(inspection.attributes.map(\.name), ["classes", "kind", "mean", "seed"])
    XCTAssertEqual(inspection.attributes.map(\.value), ["a, ü", "burgers", "0.5, 1.5", "7"])
    XCTAssertEqual(inspection.fileBytes, try Data(contentsOf: URL(fileURLWithPath: path)).count)
    XCTAssertEqual(
      inspection.arrays.map(\.path), ["/train/inputs", "/train/targets", "/test/inputs", "/test/targets"])
    let inputs = inspection.arrays[0]
    XCTAssertEqual(inputs.shape, [10, 3])
    XCTAssertEqual(inputs.chunkShape, [1, 3])
    XCTAssertEqual(inputs.minimum, 0)
    XCTAssertEqual(inputs.maximum, 902)
    XCTAssertEqual(inputs.mean, 451, accuracy: 1e-9)
    // Samples 100 apart and points 1 apart: variances 100² (10² - 1) / 12 and (3² - 1) / 12.
    XCTAssertEqual(inputs.standardDeviation, (82_500 + 8.0 / 12).squareRoot(), accuracy: 1e-9)
    XCTAssertNoThrow(try inspection.requireFiniteValues())
  }

  func testValuesThatAreNotFiniteAreCountedAndNamed() throws {
    let path = try makeDataSet { root in
      let values: [Float] = [1, .nan, 2, .infinity, -.infinity, 4]
      try root.dataSet("test/inputs").write(values, to: .rows(2..<4))
      try root.dataSet("test/targets").write([Float](repeating: .nan, count: 8))
    }
    let inspection = try DataSetInspection(path: path)
    XCTAssertEqual(inspection.arrays.map(\.nonFiniteCount), [0, 0, 3, 8])
    XCTAssertEqual(inspection.arrays.map(\.firstNonFiniteSample), [nil, nil, 2, 0])
    XCTAssertEqual(inspection.arrays[2].minimum, 0.25)
    XCTAssertTrue(inspection.arrays[3].minimum.isNaN && inspection.arrays[3].mean.isNaN)
    assertError(.badData, naming: path, "/test/inputs", "3 values", "sample 2") {
      try inspection.requireFiniteValues()
    }
  }

  func testAFileDamagedAfterItsMakingIsNamed() throws {
    let path = try makeDataSet(train: 500)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    // The index of the first chunked array begins with this signature: without it no sample is found.
    let index = try XCTUnwrap(bytes.range(of: Data("TREE".utf8), in: bytes.count / 8..<bytes.count))
    bytes.replaceSubrange(index, with: Data("EERT".utf8))
    try bytes.write(to: URL(fileURLWithPath: path))
    assertError(.badData, naming: path, "/t") { _ = try DataSetInspection(path: path) }
  }
}
