import Foundation
import KitiHDF5
import XCTest

/// A test that works on files of its own in a fresh folder, which goes when the test ends.
class FileTestCase: XCTestCase {
  private(set) var folder: URL!

  override func setUpWithError() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("kiti-hdf5-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  override func tearDownWithError() throws {
    try FileManager.default.removeItem(at: folder)
  }

  func path(_ name: String = "file.h5") -> String { folder.appendingPathComponent(name).path }

  /// A file with what `fill` puts into it, closed.
  @discardableResult
  func makeFile(_ name: String = "file.h5", userBlockBytes: Int = 0, _ fill: (Group) throws -> Void) throws -> String {
    let file = try HDF5File.create(path(name), userBlockBytes: userBlockBytes)
    try fill(file.root)
    try file.close()
    return path(name)
  }
}

/// Checks that `body` throws an error of this code whose text holds all of `fragments`.
func assertError(
  _ code: HDF5Error.Code, naming fragments: String..., file: StaticString = #filePath, line: UInt = #line,
  _ body: () throws -> Void
) {
  XCTAssertThrowsError(try body(), file: file, line: line) { error in
    guard let error = error as? HDF5Error else { return XCTFail("\(error)", file: file, line: line) }
    XCTAssertEqual(error.code, code, "\(error)", file: file, line: line)
    for fragment in fragments {
      XCTAssertTrue(error.description.contains(fragment), "'\(fragment)' missing in: \(error)", file: file, line: line)
    }
  }
}

/// A plain reference for hyperslabs: the row-major offsets of the selected elements.
func offsets(shape: [Int], start: [Int], count: [Int], stride: [Int]? = nil) -> [Int] {
  var result = [0]
  for axis in shape.indices {
    result = result.flatMap { base in
      (0..<count[axis]).map { base * shape[axis] + start[axis] + $0 * (stride?[axis] ?? 1) }
    }
  }
  return result
}

/// A small generator, so that random shapes are the same on all ranks and in each run.
struct Generator: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return (state >> 33) | (state << 31)
  }
}
