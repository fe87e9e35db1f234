import Foundation
import KitiCore
import XCTest

/// Reading CIFAR in its publisher's form.
final class CIFARSourceTests: ImageTestCase {
  private let recordBytes = 3073
  private let trainFiles = (1...5).map { "data_batch_\($0).bin" }

  private func source(_ path: String) throws -> CIFARSource { try CIFARSource(path: path, edition: .cifar10) }

  /// What a file's records hold, taken apart one number at a time.
  private func expected(_ files: [String]) throws -> (pixels: [UInt8], labels: [Int32]) {
    var (pixels, labels): ([UInt8], [Int32]) = ([], [])
    for file in files {
      let bytes = try ImageFixtures.bytes("cifar-10-batches-bin/\(file)")
      for start in stride(from: 0, to: bytes.count, by: recordBytes) {
        labels.append(Int32(bytes[start]))
        for place in 0..<1024 { for plane in 0..<3 { pixels.append(bytes[start + 1 + 1024 * plane + place]) } }
      }
    }
    return (pixels, labels)
  }

  /// A folder with the fixture, to be spoilt.
  private func spoil(_ name: String, _ change: (inout [UInt8]) -> Void) throws -> String {
    let copy = "copy-\(UUID().uuidString)"
    try self.copy("cifar-10-batches-bin", to: copy)
    var bytes = try bytes("\(copy)/\(name)")
    change(&bytes)
    try write(bytes, "\(copy)/\(name)")
    return path(copy)
  }

  func testImagesLabelsAndNamesAreThePublishers() throws {
    let source = try source(cifar)
    XCTAssertEqual(source.shape, ImageShape(height: 32, width: 32, channels: 3))
    XCTAssertEqual(
      source.classes,
      ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"])
    XCTAssertEqual(source.sampleCount(.train), 15)
    XCTAssertEqual(source.sampleCount(.test), 4)
    for (split, files) in [(DataSplit.train, trainFiles), (.test, ["test_batch.bin"])] {
      let (read, expected) = (try contents(source, split), try expected(files))
      XCTAssertEqual(read.pixels, expected.pixels)
      XCTAssertEqual(read.labels, expected.labels)
    }
  }

  func testAnyOrderOfReadingGivesTheSame() throws {
    let source = try source(cifar)
    let all = try contents(source, .train)
    var random = TestNumbers(3)
    for _ in 0..<100 {
      let start = Int.random(in: 0..<15, using: &random)
      let samples = start..<Int.random(in: start + 1...15, using: &random)
      let read = try LabeledImages(source, .train, samples)
      XCTAssertEqual(read.labels, Array(all.labels[samples]))
      XCTAssertEqual(read.pixels, Array(all.pixels[3072 * samples.lowerBound..<3072 * samples.upperBound]))
      if Bool.random(using: &random) { _ = try LabeledImages(source, .test, 1..<2) }
    }
  }

  func testTheArchiveGivesTheSameAsTheFolder() throws {
    let whole = try source(cifar)
    try copy("cifar-10-batches-bin", to: "cifar-10-batches-bin")
    XCTAssertEqual(try contents(source(folder.path), .train), try contents(whole, .train), "the folder around it")
    // The publisher's archive has its members in no order.
    let members = ["test_batch", "data_batch_3", "data_batch_5", "data_batch_1", "data_batch_2", "data_batch_4"]
    let names = members.map { "cifar-10-batches-bin/\($0).bin" } + ["cifar-10-batches-bin/batches.meta.txt"]
    for (archive, options) in [("a.tar", "-cf"), ("a.tar.gz", "-czf"), ("ustar.tgz", "--format=ustar -czf")] {
      try tar(options.split(separator: " ").map(String.init) + [archive] + names)
      for split in DataSplit.allCases {
        XCTAssertEqual(try contents(source(path(archive)), split), try contents(whole, split), archive)
      }
    }
  }

  func testCIFAR100TakesTheFineLabels() throws {
    let names = (0..<100).map { "class \($0)" }.joined(separator: "\n") + "\n"
    try write(Array(names.utf8), "fine_label_names.txt")
    let image = [UInt8](repeating: 7, count: 3072)
    try write([19, 99] + image + [0, 3] + image, "train.bin")
    try write([1, 0] + image, "test.bin")
    let source = try CIFARSource(path: folder.path, edition: .cifar100)
    XCTAssertEqual(source.classes[99], "class 99")
    XCTAssertEqual(try contents(source, .train).labels, [99, 3])
    for labels in [[20, 0], [0, 100]] as [[UInt8]] {
      try write([1, 1] + image + labels + image, "train.bin")
      let source = try CIFARSource(path: folder.path, edition: .cifar100)
      assertError(.badData, naming: path("train.bin"), "label \(labels.max()!)", "record 1") {
        _ = try contents(source, .train)
      }
    }
  }

  func testALabelThatIsNoClassIsNamed() throws {
    let wrong = try spoil("data_batch_4.bin") { $0[2 * self.recordBytes] = 10 }
    assertError(.badData, naming: "\(wrong)/data_batch_4.bin", "label 10", "record 2") {
      _ = try contents(source(wrong), .train)
    }
  }

  func testFilesCutShortOrTooLongAreNamed() throws {
    let changes: [(inout [UInt8]) -> Void] = [
      { $0.removeLast() }, { $0.append(0) }, { $0 = [] }, { $0.removeLast(3073) },
      { $0 = Array(repeating: 0, count: 10_001 * 3073) },
    ]
    for (number, change) in changes.enumerated() {
      let wrong = try spoil("data_batch_2.bin", change)
      assertError(.badData, naming: "data_batch_2.bin", wrong) { _ = try source(wrong) }
      XCTAssertNoThrow(try FileManager.default.removeItem(atPath: wrong), "\(number)")
    }
  }

  func testAFileThatShrinksMeanwhileIsNamed() throws {
    let place = try spoil("data_batch_1.bin") { _ in }
    let source = try source(place)
    try write(Array(try bytes("\((place as NSString).lastPathComponent)/data_batch_1.bin").dropLast(10)),
      "\((place as NSString).lastPathComponent)/data_batch_1.bin")
    assertError(.badData, naming: "data_batch_1.bin", "cut short", "record 2") { _ = try contents(source, .train) }
  }

  func testMissingAndForeignFilesAreNamed() throws {
    assertError(.usage, naming: path("absent")) { _ = try source(path("absent")) }
    assertError(.badData, naming: folder.path, "data_batch_1.bin") { _ = try source(folder.path) }
    for name in ["batches.meta.txt", "data_batch_5.bin", "test_batch.bin"] {
      let wrong = try spoil(name) { _ in }
      try FileManager.default.removeItem(atPath: "\(wrong)/\(name)")
      assertError(.badData, naming: name, wrong) { _ = try source(wrong) }
    }
    for text in ["\n", "one\ntwo\n", (0..<10).map { _ in "same" }.joined(separator: "\n")] {
      let wrong = try spoil("batches.meta.txt") { $0 = Array(text.utf8) }
      assertError(.badData, naming: "batches.meta.txt", "10 different") { _ = try source(wrong) }
    }
    let empty = try spoil("batches.meta.txt") { $0 = [] }
    assertError(.badData, naming: "batches.meta.txt", "cut short") { _ = try source(empty) }
    let binary = try spoil("batches.meta.txt") { $0 = [0xFF, 0xFE, 10] }
    assertError(.badData, naming: "batches.meta.txt", "UTF-8") { _ = try source(binary) }
    try write(Array("no archive".utf8), "text.tar.gz")
    assertError(.badData, naming: path("text.tar.gz")) { _ = try source(path("text.tar.gz")) }
  }

  func testArchivesCutShortAreNamed() throws {
    try copy("cifar-10-batches-bin", to: "c")
    try tar(["-czf", "a.tar.gz", "c"])
    let whole = try bytes("a.tar.gz")
    for length in [0, 1, 10, 100, whole.count / 2, whole.count - 200] {
      try write(Array(whole[..<length]), "short.tar.gz")
      assertError(.badData, naming: path("short.tar.gz")) { _ = try contents(source(path("short.tar.gz")), .train) }
    }
  }

  func testNothingLeadsOutOfTheFolderOrTheArchive() throws {
    try copy("cifar-10-batches-bin", to: "deep/c")
    for (name, transform) in [("above", "s,^c,../c,"), ("absolute", "s,^c,/tmp/c,"), ("within", "s,^c,c/../c,")] {
      try tar(["-C", "deep", "-P", "--transform", transform, "-czf", "\(name).tar.gz", "c"])
      assertError(.badData, naming: path("\(name).tar.gz"), "There is no file") {
        _ = try source(path("\(name).tar.gz"))
      }
    }
    // One file behind a link, in the folder and in archives with symbolic and with hard links.
    try FileManager.default.moveItem(atPath: path("deep/c/test_batch.bin"), toPath: path("elsewhere"))
    try FileManager.default.createSymbolicLink(
      atPath: path("deep/c/test_batch.bin"), withDestinationPath: path("elsewhere"))
    assertError(.badData, naming: "test_batch.bin") { _ = try source(path("deep/c")) }
    try tar(["-C", "deep", "-czf", "link.tar.gz", "c"])
    assertError(.badData, naming: "test_batch.bin") { _ = try source(path("link.tar.gz")) }
    try FileManager.default.removeItem(atPath: path("deep/c/test_batch.bin"))
    try FileManager.default.moveItem(atPath: path("elsewhere"), toPath: path("deep/c/a"))
    try FileManager.default.linkItem(atPath: path("deep/c/a"), toPath: path("deep/c/test_batch.bin"))
    try tar(["-C", "deep", "-czf", "hard.tar.gz", "c/a", "c/test_batch.bin", "c/batches.meta.txt"])
    assertError(.badData, naming: path("hard.tar.gz")) { _ = try source(path("hard.tar.gz")) }
  }

  func testTwoMembersOfOneNameAndHugeOnesAreRefused() throws {
    try copy("cifar-10-batches-bin", to: "c")
    try copy("cifar-10-batches-bin", to: "d")
    try tar(["-czf", "two.tar.gz", "c", "d"])
    assertError(.badData, naming: path("two.tar.gz"), "two members") { _ = try source(path("two.tar.gz")) }
    // A hole of 8 GiB takes no room on the disk, and the archive says so in a few bytes.
    XCTAssertTrue(FileManager.default.createFile(atPath: path("c/hole"), contents: nil))
    truncate(path("c/hole"), 8 << 30)
    try tar(["-S", "-czf", "hole.tar.gz", "c"])
    assertError(.badData, naming: path("hole.tar.gz"), "\(8 << 30) bytes") { _ = try source(path("hole.tar.gz")) }
  }

  func testAPipeIsNotWaitedFor() throws {
    mkfifo(path("pipe"), 0o644)
    assertError(.badData, naming: path("pipe"), "no plain file") { _ = try source(path("pipe")) }
  }
}
