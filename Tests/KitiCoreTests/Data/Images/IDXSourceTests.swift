import Foundation
import KitiCore
import XCTest

/// Reading MNIST and Fashion-MNIST in their publishers' form.
final class IDXSourceTests: ImageTestCase {
  private func source() throws -> IDXSource { try IDXSource(path: folder.path, edition: .fashionMNIST) }

  func testPlainAndGzippedFilesGiveTheSame() throws {
    try writeIDX()
    let plain = try source()
    XCTAssertEqual(plain.shape, ImageShape(height: 2, width: 3, channels: 1))
    XCTAssertEqual(plain.sampleCount(.train), 5)
    XCTAssertEqual(plain.sampleCount(.test), 2)
    XCTAssertEqual(plain.classes[9], "Ankle boot")
    let train = try contents(plain, .train)
    XCTAssertEqual(train.pixels, (0..<30).map { UInt8($0) })
    XCTAssertEqual(train.labels, [0, 1, 2, 3, 4])
    for name in ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] { try gzip(name) }
    XCTAssertEqual(try contents(source(), .train), train)
    XCTAssertEqual(try contents(source(), .test).labels, [0, 1])
  }

  func testAnyOrderOfReadingGivesTheSame() throws {
    try writeIDX()
    let source = try source()
    for samples in [3..<5, 0..<1, 1..<2, 4..<5, 4..<5, 0..<5] {
      let read = try LabeledImages(source, .train, samples)
      XCTAssertEqual(read.labels, samples.map { Int32($0) })
      XCTAssertEqual(read.pixels, (6 * samples.lowerBound..<6 * samples.upperBound).map { UInt8($0) })
    }
  }

  func testTheDebianPackageIsRead() throws {
    let place = "/usr/share/datasets/fashion-mnist"
    let isThere = FileManager.default.fileExists(atPath: place)
    try XCTSkipUnless(isThere, "the package dataset-fashion-mnist is not installed")
    let source = try IDXSource(path: place, edition: .fashionMNIST)
    XCTAssertEqual(source.shape, ImageShape(height: 28, width: 28, channels: 1))
    XCTAssertEqual(source.sampleCount(.train), 60_000)
    XCTAssertEqual(source.sampleCount(.test), 10_000)
    // Every class has its tenth, as the publishers say.
    let test = try contents(source, .test)
    XCTAssertEqual((0..<10).map { label in test.labels.count { $0 == label } }, Array(repeating: 1_000, count: 10))
  }

  func testFilesThatDoNotBelongAreNamed() throws {
    let images = "train-images-idx3-ubyte"
    let labels = "train-labels-idx1-ubyte"
    let cases: [(String, [UInt8], String)] = [
      (images, idx([5, 2, 3], Array(repeating: 0, count: 29)), "cut short"),
      (images, idx([5, 2, 3], Array(repeating: 0, count: 31)), "longer"),
      (images, idx([4, 2, 3], Array(repeating: 0, count: 24)), "labels"),
      (images, idx([5, 3, 2], Array(repeating: 0, count: 30)), "3 x 2"),
      (images, idx([5, 6], Array(repeating: 0, count: 30)), "00 00 08 02"),
      (images, [0x50, 0x4B, 3, 4] + Array(repeating: 0, count: 40), "50 4b 03 04"),
      (images, [0, 0], "header"), (images, [], "cut short"),
      (images, idx([5, 1 << 31, 3], []), "extents"), (images, idx([0, 2, 3], []), "extents"),
      (labels, idx([5], [0, 1, 2, 10, 4]), "label 10 for image 3"),
      (labels, idx([5], [0, 1, 2, 3]), "cut short"), (labels, idx([5], [0, 1, 2, 3, 4, 5]), "longer"),
      (labels, [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3], "damaged or cut short"),
    ]
    for (name, bytes, fragment) in cases {
      try writeIDX()
      try write(bytes, name)
      assertError(.badData, naming: path(name), fragment) { _ = try contents(source(), .train) }
    }
    try writeIDX()
    try FileManager.default.removeItem(atPath: path(labels))
    assertError(.badData, naming: labels, "\(labels).gz", folder.path) { _ = try source() }
    assertError(.usage, naming: path(images)) { _ = try IDXSource(path: path(images), edition: .mnist) }
    assertError(.usage, naming: path("absent")) { _ = try IDXSource(path: path("absent"), edition: .mnist) }
  }
}
