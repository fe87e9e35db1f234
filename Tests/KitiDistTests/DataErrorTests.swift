import Foundation
import XCTest

/// A data set that is missing, damaged or of another kind gets one report that names the file and, where it can, the array.
final class DataErrorTests: ProgramTestCase {
  private func refuse(
    _ data: String, ranks: [Int?] = [nil, 2], status: Int32, naming fragments: String..., file: StaticString = #filePath,
    line: UInt = #line
  ) throws {
    let arguments = try train("new", set: ["data.path=\(data)"])
    let refusals = ranks.map { Refusal(arguments: arguments, ranks: $0, fragments: [data] + fragments) }
    try assertRefused(refusals, status: status, file: file, line: line)
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
    try refuse(folder.path, ranks: [nil], status: 64)
  }

  func testFileCutShortIsNamed() throws {
    let refusals = try [0, 100, 3_000, 20_000].map { count in
      let file = try copy("cut-\(count).h5") { $0 = $0.prefix(count) }
      return Refusal(arguments: try train("new", set: ["data.path=\(file)"]), ranks: nil, fragments: [file])
    }
    try assertRefused(refusals, status: 65)
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
      while let place = bytes.range(of: Data("targets".utf8)) {
        bytes.replaceSubrange(place, with: Data("results".utf8))
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
    try assertRefused(arguments, status: 64, naming: file, "--overwrite")
    try program.succeed(arguments + ["--overwrite"])
  }

  func testImpossibleDataSetsAreRefused() throws {
    func make(_ changes: [String]) -> [String] {
      ["data", "make", "burgers", "--resolution", "32", "--output", path("new.h5")] + changes
    }
    try "mine".write(toFile: path("file"), atomically: true, encoding: .utf8)
    let refusals = [
      (make(["--samples", "1"]), "samples"), (make(["--samples", "4", "--test-samples", "4"]), "4 samples with 4"),
      (make(["--samples", "4", "--viscosity", "-1"]), "viscosity"), (make(["--samples", "4", "--grid", "33"]), "33"),
      (make(["--samples", "4", "--output", path("file/new.h5")]), path("file")),
    ]
    for ranks in [nil, 2] {
      try assertRefused(refusals.map { Refusal(arguments: $0, ranks: ranks, fragments: [$1]) }, status: 64)
    }
  }

  func testDamagedDataSetFailsInspection() throws {
    try assertRefused(["data", "inspect", path("absent.h5")], status: 64, naming: path("absent.h5"))
    let cut = try copy("cut.h5") { $0 = $0.prefix(9_000) }
    try assertRefused(["data", "inspect", cut], status: 65, naming: cut)
  }
}
