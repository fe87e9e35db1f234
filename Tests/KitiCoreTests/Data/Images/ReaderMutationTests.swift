import Foundation
import KitiCore
import XCTest

/// Every reader of foreign files survives ten thousand damaged ones, in all of its forms together: it gives images or
/// an error for people, comes to an end, and leaves nothing behind.
final class ReaderMutationTests: ImageTestCase {
  /// Reads `count` damaged copies of `whole`, each as the file `name`.
  private func survive(
    _ count: Int, _ whole: [UInt8], as name: String, seed: Int, file: StaticString = #filePath, line: UInt = #line,
    _ read: () throws -> Void
  ) throws {
    var random = TestNumbers(seed)
    try write(whole, name)
    XCTAssertNoThrow(try read(), "the whole file", file: file, line: line)
    let before = try names()
    var survivors = 0
    for number in 0..<count {
      try overwrite(damaged(whole, &random), name)
      do {
        try read()
        survivors += 1
      } catch let error as KitiError {
        if error.problem.isEmpty || error.kind == .failed { XCTFail("\(number): \(error)", file: file, line: line) }
      } catch {
        XCTFail("\(number): no error for people: \(error)", file: file, line: line)
      }
    }
    XCTAssertEqual(try names(), before, "nothing was made or removed", file: file, line: line)
    XCTAssertLessThan(survivors, count, "some damage is noticed", file: file, line: line)
  }

  /// Everything in the test's folder, links included.
  private func names() throws -> [String] { try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted() }

  private func overwrite(_ bytes: [UInt8], _ name: String) throws {
    // Not emptied first: some file systems bring such a file to the disk when it is closed.
    let descriptor = open(path(name), O_WRONLY)
    defer { close(descriptor) }
    XCTAssertEqual(bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }, bytes.count)
    XCTAssertEqual(ftruncate(descriptor, off_t(bytes.count)), 0)
  }

  /// One to four changes: bits, bytes, extreme numbers, pieces cut out, doubled or moved, ends cut off.
  private func damaged(_ whole: [UInt8], _ random: inout TestNumbers) -> [UInt8] {
    var bytes = whole
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      guard !bytes.isEmpty else { return bytes }
      // Heads decide more than the rest, so half of the changes go there.
      let reach = Bool.random(using: &random) ? bytes.count : min(bytes.count, 64)
      let place = Int.random(in: 0..<reach, using: &random)
      let end = min(bytes.count, place + Int.random(in: 1...16, using: &random))
      switch Int.random(in: 0..<7, using: &random) {
      case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 1: bytes[place] = [0, 1, 0x7F, 0x80, 0xFE, 0xFF].randomElement(using: &random)!
      case 2: for index in place..<end { bytes[index] = 0xFF }
      case 3: bytes.removeSubrange(place..<end)
      case 4: bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
      case 5: for index in place..<end { bytes[index] = UInt8.random(in: 0...255, using: &random) }
      default: bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
      }
    }
    return bytes
  }

  /// A data set of CIFAR's form with one record a file.
  private func makeSmallCIFAR(_ folder: String) throws {
    for name in (1...5).map({ "data_batch_\($0).bin" }) + ["test_batch.bin"] {
      try write(Array(ImageFixtures.bytes("cifar-10-batches-bin/\(name)")[..<3073]), "\(folder)/\(name)")
    }
    try copy("cifar-10-batches-bin/batches.meta.txt", to: "\(folder)/batches.meta.txt")
  }

  private func readCIFAR(_ name: String) throws {
    let source = try CIFARSource(path: path(name), edition: .cifar10)
    for split in DataSplit.allCases { _ = try contents(source, split) }
  }

  func testCIFARRecords() throws {
    try makeSmallCIFAR("c")
    try survive(7_500, bytes("c/data_batch_1.bin"), as: "c/data_batch_1.bin", seed: 1) { try readCIFAR("c") }
  }

  func testCIFARNames() throws {
    try makeSmallCIFAR("c")
    try survive(2_500, bytes("c/batches.meta.txt"), as: "c/batches.meta.txt", seed: 2) { try readCIFAR("c") }
  }

  func testTarArchives() throws {
    try makeSmallCIFAR("c")
    try tar(["-cf", "a.tar", "c"])
    try survive(5_000, bytes("a.tar"), as: "a.tar", seed: 3) { try readCIFAR("a.tar") }
  }

  func testGzippedTarArchives() throws {
    try makeSmallCIFAR("c")
    try tar(["-czf", "a.tar.gz", "c"])
    try survive(5_000, bytes("a.tar.gz"), as: "a.tar.gz", seed: 4) { try readCIFAR("a.tar.gz") }
  }

  func testIDX() throws {
    try writeIDX()
    func read() throws {
      let source = try IDXSource(path: folder.path, edition: .mnist)
      for split in DataSplit.allCases { _ = try contents(source, split) }
    }
    for (seed, name) in [(5, "train-images-idx3-ubyte"), (6, "t10k-labels-idx1-ubyte")] {
      let whole = try bytes(name)
      try survive(2_500, whole, as: name, seed: seed, read)
      try overwrite(whole, name)
      try gzip(name)
      try survive(2_500, bytes(name + ".gz"), as: name + ".gz", seed: seed + 2, read)
      try FileManager.default.removeItem(atPath: path(name + ".gz"))
      try write(whole, name)
    }
  }

  private func surviveImage(_ count: Int, _ fixture: String, seed: Int) throws {
    try copy("images/\(fixture)", to: "set/train/a/1-\(fixture)")
    try copy("images/grey.png", to: "set/test/a/1.png")
    try survive(count, ImageFixtures.bytes("images/\(fixture)"), as: "set/train/a/1-\(fixture)", seed: seed) {
      let source = try ImageFolderSource(path: path("set"), options: .init(size: (4, 4), channels: 3))
      _ = try contents(source, .train)
    }
  }

  func testPNG() throws { try surviveImage(10_000, "palette.png", seed: 9) }

  func testJPEG() throws { try surviveImage(5_000, "grey.jpg", seed: 10) }

  func testProgressiveJPEG() throws { try surviveImage(5_000, "progressive.jpg", seed: 11) }
}
