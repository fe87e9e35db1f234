import Foundation
import XCTest

/// Importing images: the same file on any number of ranks, or one report that names what is wrong.
final class ImportTests: ProgramTestCase {
  /// CIFAR-10 in its publisher's form, two images a file.
  private func makeCIFAR(
    _ name: String = "cifar", spoil: (String, inout [UInt8]) -> Void = { _, _ in }
  ) throws -> String {
    let place = path(name)
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    for (number, file) in ((1...5).map { "data_batch_\($0).bin" } + ["test_batch.bin"]).enumerated() {
      var bytes = (0..<2 * 3073).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
      bytes[0] = UInt8(number)
      bytes[3073] = 9
      spoil(file, &bytes)
      try Data(bytes).write(to: URL(fileURLWithPath: "\(place)/\(file)"))
    }
    try (0..<10).map { "class\($0)\n" }.joined().write(
      toFile: "\(place)/batches.meta.txt", atomically: true, encoding: .utf8)
    return place
  }

  private func arguments(_ source: String, _ output: String) -> [String] {
    ["data", "import", "cifar10", source, "--output", path(output), "--note", "made by a test"]
  }

  func testTheFileIsTheSameOnAnyNumberOfRanks() throws {
    let source = try makeCIFAR()
    var files: [Data] = []
    for ranks in [nil, 2, 3] {
      let name = "\(ranks ?? 1).h5"
      let outcome = try program.succeed(
        arguments(source, name), ranks: ranks, environment: ["SOURCE_DATE_EPOCH": "1700000000"])
      XCTAssertTrue(outcome.output.contains("10 training and 2 test images of 32 x 32 x 3 in 10 classes"), outcome.text)
      XCTAssertEqual(outcome.errors, "", "no progress without a terminal")
      files.append(try Data(contentsOf: URL(fileURLWithPath: path(name))))
    }
    XCTAssertTrue(files.allSatisfy { $0 == files[0] }, "sizes \(files.map(\.count))")
  }

  func testInspectionShowsClassesAndStatistics() throws {
    try program.succeed(arguments(makeCIFAR(), "a.h5"))
    let output = try program.succeed(["data", "inspect", path("a.h5")]).output
    for fragment in [
      "cifar10", "10 training, 2 test", "made by a test", "class9", "/train/inputs", "10 × 32 × 32 × 3", "mean  ",
      "std  ",
    ] {
      XCTAssertTrue(output.contains(fragment), "'\(fragment)' is missing: \(output)")
    }
  }

  func testWrongSourcesAreNamed() throws {
    let label = try makeCIFAR("label") { if $0 == "data_batch_3.bin" { $1[3073] = 10 } }
    let cut = try makeCIFAR("cut") { if $0 == "test_batch.bin" { $1.removeLast() } }
    for ranks in [nil, 2] {
      try assertRefused(
        [
          Refusal(
            arguments: arguments(label, "new.h5"), ranks: ranks,
            fragments: ["\(label)/data_batch_3.bin", "label 10", "record 1"]),
          Refusal(arguments: arguments(cut, "new.h5"), ranks: ranks, fragments: ["\(cut)/test_batch.bin", "cut short"]),
          Refusal(arguments: arguments(data, "new.h5"), ranks: ranks, fragments: [data]),
        ], status: 65)
      try assertRefused(
        [Refusal(arguments: arguments(path("absent"), "new.h5"), ranks: ranks, fragments: [path("absent")])],
        status: 64)
    }
    XCTAssertFalse(FileManager.default.fileExists(atPath: path("new.h5")))
    XCTAssertFalse(FileManager.default.fileExists(atPath: path("new.h5.partial")))
  }

  func testExistingFilesAreNotReplacedUnlessTold() throws {
    let source = try makeCIFAR()
    try program.succeed(arguments(source, "a.h5"))
    try assertRefused(arguments(source, "a.h5"), status: 64, naming: path("a.h5"), "--overwrite")
    try program.succeed(arguments(source, "a.h5") + ["--overwrite"])
  }

  func testWrongOptionsAreNamed() throws {
    func images(_ options: [String]) -> [String] {
      ["data", "import", "images", folder.path, "--output", path("a.h5")] + options
    }
    try assertRefused(images(["--channels", "2"]), ranks: [nil], status: 64, naming: "--channels 2")
    try assertRefused(images(["--size", "32"]), ranks: [nil], status: 64, naming: "--size")
    try assertRefused(images(["--size", "0x5"]), ranks: [nil], status: 64, naming: "--size")
    try assertRefused(["data", "import", "cifar11"], status: 64, naming: "cifar11")
  }

  func testImagesAreNoFields() throws {
    try program.succeed(arguments(makeCIFAR(), "a.h5"))
    try assertRefused(
      try train("new", set: ["data.path=\(path("a.h5"))"]), status: 65, naming: path("a.h5"), "'cifar10'", "'burgers'")
    try assertRefused(
      try train("new", set: ["data.kind=cifar10"]), status: 65, naming: data, "'burgers'", "'cifar10'")
    try assertRefused(
      try train("new", set: ["data.augmentation.crop=4"]), status: 64, naming: "data.augmentation", "burgers")
  }

  func testTheLoaderIsMeasured() throws {
    try program.succeed(arguments(makeCIFAR(), "a.h5"))
    for (ranks, options) in [(nil, []), (2, ["--data", path("a.h5"), "--batch", "3"])] as [(Int?, [String])] {
      let output = try program.succeed(["bench", "loader", "--json", "--steps", "5"] + options, ranks: ranks).output
      XCTAssertEqual(output.split(separator: "\n").count, 1, output)
      let object = try XCTUnwrap(JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any])
      XCTAssertEqual(object["bench"] as? String, "loader")
      XCTAssertEqual(object["ranks"] as? Int, ranks ?? 1)
      for key in ["samplesPerSecond", "msPerStep", "peakMiB"] {
        XCTAssertGreaterThan(try XCTUnwrap(object[key] as? Double, key), 0, key)
      }
    }
  }
}
