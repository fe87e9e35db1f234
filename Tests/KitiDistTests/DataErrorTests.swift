import Foundation
import XCTest

/// A data set that is missing, damaged or of another kind gets one report that names the file and, where it can, the array.
final class DataErrorTests: ProgramTestCase {
  private func refuse(
    _ data: String, status: Int32, naming fragments: String..., file: StaticString = #filePath, line: UInt = #line
  ) throws {
    let arguments = try train("new", set: ["data.path=\(data)"])
    for ranks in [nil, 2] {
      try assertRefused(arguments, ranks: ranks, status: status, naming: [data] + fragments, file: file, line: line)
    }
  }

  /// A changed copy of the data set.
  private func copy(_ name: String, _ change: (inout Data) -> Void) throws -> String {
    var bytes = try Data(contentsOf: URL(fileURLWithPath: data))
    change(&bytes)
    try bytes.write(to: URL(fileURLWithPath: path(name)))
    return path(name)
  }

  func testMissingFileIsNamed() throws {
    try refuse(path("absent.h5"), status: 64, naming: "no such file", "data make")
  }

  func testTextFileIsNoDataSet() throws {
    try refuse(try writeConfiguration(name: "text.h5"), status: 65, naming: "not an HDF5 file")
  }

  func testFolderIsNoDataSet() throws {
    try assertRefused(try train("new", set: ["data.path=\(folder.path)"]), status: 64, naming: [folder.path])
  }

  func testFileCutShortIsNamed() throws {
    for count in [0, 100, 3_000, 20_000] {
      let file = try copy("cut-\(count).h5") { $0 = $0.prefix(count) }
      try assertRefused(try train("new", set: ["data.path=\(file)"]), status: 65, naming: [file])
    }
    try refuse(try copy("cut.h5") { $0 = $0.dropLast(1) }, status: 65, naming: "cut short")
  }

  func testFileOfAnotherKindIsNamed() throws {
    let other = try copy("other.h5") { bytes in
      let place = bytes.range(of: Data("burgers".utf8))
      place.map { bytes.replaceSubrange($0, with: Data("heatflo".utf8)) }
    }
    try refuse(other, status: 65, naming: "kind 'heatflo'", "'burgers'")
  }

  func testFileWithoutAnArrayIsNamed() throws {
    let other = try copy("other.h5") { bytes in
      while let place = bytes.range(of: Data("targets\0".utf8)) {
        bytes.replaceSubrange(place, with: Data("tarxxxx\0".utf8))
      }
    }
    try refuse(other, status: 65, naming: "targets")
  }

  func testCheckpointIsNoDataSet() throws {
    try program.succeed(train("run", maxSteps: 1))
    try refuse(path("run/checkpoints/step-00000001.h5"), status: 65, naming: "kind")
  }

  func testDataSetOfAnotherResolutionCanBeEvaluated() throws {
    try program.succeed(train("run", maxSteps: 1))
    try program.succeed(
      ["data", "make", "burgers", "--samples", "4", "--resolution", "32", "--output", path("coarse.h5")])
    // A Fourier operator takes any resolution: this is a use, not an error.
    let outcome = try program.succeed(["evaluate", path("run"), "--set", "data.path=\(path("coarse.h5"))"])
    XCTAssertTrue(outcome.output.contains("test samples      1"), outcome.output)
  }

  func testExistingFileIsNotReplacedUnlessTold() throws {
    let file = try copy("mine.h5") { _ in }
    let arguments = ["data", "make", "burgers", "--samples", "4", "--resolution", "32", "--output", file]
    for ranks in [nil, 2] { try assertRefused(arguments, ranks: ranks, status: 64, naming: [file, "--overwrite"]) }
    try program.succeed(arguments + ["--overwrite"])
  }

  func testImpossibleDataSetsAreRefused() throws {
    func make(_ changes: [String]) -> [String] {
      ["data", "make", "burgers", "--resolution", "32", "--output", path("new.h5")] + changes
    }
    try assertRefused(make(["--samples", "1"]), ranks: 2, status: 64, naming: ["samples"])
    try assertRefused(make(["--samples", "4", "--test-samples", "4"]), status: 64, naming: ["4 of 4"])
    try assertRefused(make(["--samples", "4", "--viscosity", "-1"]), status: 64, naming: ["viscosity"])
    try assertRefused(make(["--samples", "4", "--grid", "33"]), status: 64, naming: ["33"])
    try assertRefused(
      ["data", "make", "burgers", "--samples", "4", "--resolution", "32", "--output", path("absent/new.h5")], ranks: 2,
      status: 64, naming: [path("absent")])
  }

  func testDamagedDataSetFailsInspection() throws {
    for ranks in [nil, 2] {
      try assertRefused(["data", "inspect", path("absent.h5")], ranks: ranks, status: 64, naming: [path("absent.h5")])
    }
    let cut = try copy("cut.h5") { $0 = $0.prefix(9_000) }
    try assertRefused(["data", "inspect", cut], ranks: 2, status: 65, naming: [cut])
  }
}
