import Foundation
import KitiCore
import XCTest

/// Reading folders of PNG and JPEG files.
final class ImageFolderSourceTests: ImageTestCase {
  private func source(
    _ name: String = "set", size: (height: Int, width: Int)? = nil, channels: Int? = 3, testFraction: Double? = nil,
    seed: UInt64 = 1
  ) throws -> ImageFolderSource {
    try ImageFolderSource(
      path: path(name), options: .init(size: size, channels: channels, testFraction: testFraction, seed: seed))
  }

  /// Pixels of a fixture as another decoder sees them.
  private func pixels(_ fixture: String) throws -> [UInt8] { try ImageFixtures.bytes("images/\(fixture).rgb") }

  private func luma(_ rgb: [UInt8]) -> [UInt8] {
    let weights = [0.299, 0.587, 0.114]
    return stride(from: 0, to: rgb.count, by: 3).map { place -> UInt8 in
      // Halves are rounded up, and exact halves are not exact in binary.
      var sum = 1e-9
      for channel in 0..<3 { sum += weights[channel] * Double(rgb[place + channel]) }
      return UInt8(sum.rounded())
    }
  }

  func testEveryKindOfFileGivesThePixelsOfAnotherDecoder() throws {
    let files = [
      "color.png", "grey.png", "palette.png", "deep.png", "color.jpg", "halved.jpeg", "progressive.jpg", "grey.jpg",
    ]
    for (number, file) in files.enumerated() {
      try copy("images/\(file)", to: "set/train/\(number)/\(file)")
    }
    try copy("images/color.png", to: "set/test/3/color.png")
    let source = try source()
    XCTAssertEqual(source.classes, files.indices.map { "\($0)" })
    XCTAssertEqual(source.shape, ImageShape(height: 32, width: 32, channels: 3))
    let train = try contents(source, .train)
    XCTAssertEqual(train.labels, files.indices.map { Int32($0) })
    for (number, file) in files.enumerated() {
      XCTAssertEqual(Array(train.pixels[3072 * number..<3072 * (number + 1)]), try pixels(file), file)
    }
    XCTAssertEqual(try contents(source, .test).labels, [3])
    let grey = try contents(self.source(channels: 1), .train)
    XCTAssertEqual(Array(grey.pixels[..<1024]), luma(try pixels("color.png")))
    XCTAssertEqual(Array(grey.pixels[1024..<2048]), luma(try pixels("grey.png")))
  }

  func testColorsAreNotMixedUnlessTold() throws {
    try copy("images/grey.png", to: "set/train/a/1.png")
    try copy("images/grey.jpg", to: "set/test/a/1.jpg")
    XCTAssertEqual(try source(channels: nil).shape.channels, 1)
    try copy("images/color.png", to: "set/train/a/2.png")
    assertError(.badData, naming: path("set/train/a/2.png"), "in color", "--channels") {
      _ = try contents(source(channels: nil), .train)
    }
    XCTAssertEqual(try contents(source(channels: 1), .train).pixels.count, 2048)
  }

  func testAShareOfEachClassIsSetAside() throws {
    for name in ["cat", "dog"] {
      for number in 0..<10 { try copy("images/color.png", to: "set/\(name)/\(number).png") }
    }
    try write([1], "set/.hidden")
    let source = try source(testFraction: 0.3)
    XCTAssertEqual(source.classes, ["cat", "dog"])
    XCTAssertEqual(try contents(source, .train).labels, Array(repeating: 0, count: 7) + Array(repeating: 1, count: 7))
    XCTAssertEqual(try contents(source, .test).labels, [0, 0, 0, 1, 1, 1])
    for fraction in [nil, 0, 1, -1, .nan] as [Double?] {
      assertError(.usage, naming: path("set"), "--test-fraction") { _ = try self.source(testFraction: fraction) }
    }
    assertError(.badData, naming: path("set"), "testing") { _ = try self.source(testFraction: 0.01) }
    assertError(.badData, naming: path("set"), "training") { _ = try self.source(testFraction: 0.99) }
  }

  func testTheSeedDecidesWhichFilesAreSetAside() throws {
    // Images of one colour, each another, tell which is which.
    for number in 0..<20 { try write(pgmLikePNG(grey: UInt8(number)), "set/a/\(100 + number).png") }
    func tested(_ seed: UInt64) throws -> [UInt8] {
      try contents(source(channels: 1, testFraction: 0.25, seed: seed), .test).pixels
    }
    XCTAssertEqual(try tested(1), try tested(1))
    XCTAssertNotEqual(try tested(1), try tested(2))
    XCTAssertEqual(Set(try tested(1)).count, 5)
    let train = try contents(source(channels: 1, testFraction: 0.25), .train).pixels
    XCTAssertEqual(Set(train).union(try tested(1)).count, 20)
  }

  /// A PNG file of one grey pixel, made by hand: stored deflate blocks and checksums.
  private func pgmLikePNG(grey: UInt8) -> [UInt8] {
    func word(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * UInt32($0))) } }
    func checksum(_ bytes: [UInt8]) -> UInt32 {
      ~bytes.reduce(0xFFFF_FFFF) { sum, byte in
        (0..<8).reduce(sum ^ UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 1 ? 0xEDB8_8320 : 0) }
      }
    }
    func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
      word(UInt32(data.count)) + Array(name.utf8) + data + word(checksum(Array(name.utf8) + data))
    }
    let (first, second) = (UInt32(1) + UInt32(grey), UInt32(1) + 1 + UInt32(grey))
    let stream: [UInt8] = [0x78, 1, 1, 2, 0, 0xFD, 0xFF, 0, grey] + word(second << 16 | first)
    return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + chunk("IHDR", word(1) + word(1) + [8, 0, 0, 0, 0])
      + chunk("IDAT", stream) + chunk("IEND", [])
  }

  func testShrinkingTakesMeansOverAreas() throws {
    try copy("images/color.png", to: "set/train/a/1.png")
    try copy("images/color.png", to: "set/test/a/1.png")
    let whole = try pixels("color.png").map(Double.init)
    // 32 → 12 rows and 32 → 20 columns: areas that cut pixels.
    let (height, width) = (12, 20)
    let small = try contents(source(size: (height, width)), .train).pixels
    func covered(_ place: Int, _ count: Int) -> [(Int, Double)] {
      let scale = 32.0 / Double(count)
      return (0..<32).map { source -> (Int, Double) in
        let end = min(Double(source + 1), Double(place + 1) * scale)
        let start = max(Double(source), Double(place) * scale)
        return (source, max(0, end - start) / scale)
      }
    }
    for y in 0..<height {
      for x in 0..<width {
        for channel in 0..<3 {
          var mean = 0.0
          for (row, down) in covered(y, height) {
            for (column, right) in covered(x, width) { mean += down * right * whole[3 * (32 * row + column) + channel] }
          }
          XCTAssertEqual(Double(small[3 * (width * y + x) + channel]), mean, accuracy: 0.5 + 1e-3)
        }
      }
    }
    XCTAssertEqual(try contents(source(size: (32, 32)), .train).pixels, try pixels("color.png"), "nothing to do")
  }

  func testGrowingIsLinearBetweenPixels() throws {
    try copy("images/color.png", to: "set/train/a/1.png")
    try write(pgmLikePNG(grey: 9), "set/test/a/1.png")
    let whole = try pixels("color.png").map(Double.init)
    let large = try contents(source(size: (64, 32)), .train).pixels
    for y in 0..<64 {
      let position = max(0, min(31, (Double(y) + 0.5) / 2 - 0.5))
      let (above, share) = (Int(position), position - Double(Int(position)))
      for place in 0..<96 {
        let value = (1 - share) * whole[96 * above + place] + share * whole[96 * min(31, above + 1) + place]
        XCTAssertEqual(Double(large[96 * y + place]), value, accuracy: 0.5 + 1e-3)
      }
    }
    XCTAssertEqual(try contents(source(size: (5, 7)), .test).pixels, Array(repeating: 9, count: 105), "one pixel")
  }

  func testImagesOfAnotherSizeAreNamed() throws {
    try copy("images/color.png", to: "set/train/a/1.png")
    try write(pgmLikePNG(grey: 9), "set/train/a/2.png")
    try copy("images/color.png", to: "set/test/a/1.png")
    assertError(.badData, naming: path("set/train/a/2.png"), "1 x 1", "--size") { _ = try contents(source(), .train) }
  }

  func testFilesThatAreNoImagesAreNamed() throws {
    func spoil(_ name: String, _ bytes: [UInt8], naming fragment: String = "set") throws {
      try? FileManager.default.removeItem(atPath: path("set"))
      try copy("images/color.png", to: "set/train/a/1.png")
      try copy("images/color.png", to: "set/test/a/1.png")
      try write(bytes, "set/\(name)")
      assertError(.badData, naming: path("set/\(name)"), fragment) { _ = try contents(source(), .train) }
    }
    try spoil("train/a/2.png", [], naming: "neither PNG nor JPEG")
    try spoil("train/a/2.png", Array("text".utf8), naming: "neither PNG nor JPEG")
    try spoil("train/a/notes.txt", [1])
    try spoil("train/notes.txt", [1], naming: "no folder")
    try spoil("train/a/2.png", ImageFixtures.bytes("images/transparent.png"), naming: "transparent")
    try spoil("train/a/2.jpg", ImageFixtures.bytes("images/print.jpg"), naming: "CMYK")
    for name in ["color.png", "color.jpg", "progressive.jpg"] {
      let whole = try ImageFixtures.bytes("images/\(name)")
      for length in [9, 60, whole.count / 2, whole.count - 20] {
        try spoil("train/a/2.png", Array(whole[..<length]), naming: "damaged or cut short")
      }
    }
    // A picture of 60,000 x 60,000 pixels, as its header says.
    var huge = try ImageFixtures.bytes("images/color.jpg")
    let frame = try XCTUnwrap(huge.indices.first { huge[$0] == 0xFF && huge[$0 + 1] == 0xC0 })
    huge.replaceSubrange(frame + 5..<frame + 9, with: [0xEA, 0x60, 0xEA, 0x60])
    try spoil("train/a/2.jpg", huge, naming: "60000 x 60000")
  }

  func testLinksAreNotFollowed() throws {
    try copy("images/color.png", to: "set/train/a/1.png")
    try copy("images/color.png", to: "set/test/a/1.png")
    try FileManager.default.createSymbolicLink(
      atPath: path("set/train/a/2.png"), withDestinationPath: path("set/train/a/1.png"))
    assertError(.badData, naming: path("set/train/a/2.png")) { _ = try source() }
    try FileManager.default.removeItem(atPath: path("set/train/a/2.png"))
    try FileManager.default.createSymbolicLink(atPath: path("set/train/b"), withDestinationPath: path("set/train/a"))
    assertError(.badData, naming: path("set/train/b")) { _ = try source() }
  }

  func testFoldersOfAnotherShapeAreNamed() throws {
    assertError(.usage, naming: path("set")) { _ = try source() }
    try copy("images/color.png", to: "set/train/a/1.png")
    assertError(.usage, naming: path("set"), "train") { _ = try source() }
    try copy("images/color.png", to: "set/test/b/1.png")
    assertError(.badData, naming: path("set/test"), "'b'") { _ = try source() }
    try copy("images/color.png", to: "set/train/b/1.png")
    XCTAssertEqual(try contents(source(), .test).labels, [1])
    assertError(.usage, naming: path("set"), "share") { _ = try source(testFraction: 0.5) }
  }
}
