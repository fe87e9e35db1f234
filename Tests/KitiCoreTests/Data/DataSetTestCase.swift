import Foundation
import KitiCore
import KitiHDF5
import XCTest

/// A test of one process that works on data sets in a fresh folder, which goes when the test ends.
class DataSetTestCase: XCTestCase {
  private(set) var folder: URL!

  override func setUpWithError() throws {
    try skipUnderLauncher()
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("kiti-data-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  override func tearDownWithError() throws {
    if let folder { try FileManager.default.removeItem(at: folder) }
  }

  func path(_ name: String = "data.h5") -> String { folder.appendingPathComponent(name).path }

  /// The value of element `element` of sample `sample`, different for each.
  func value(_ split: DataSplit, target: Bool, sample: Int, element: Int) -> Float {
    Float(sample * 100 + element) + (target ? 0.5 : 0) + (split == .test ? 0.25 : 0)
  }

  /// A well-formed data set with the values of `value`, after `change` has had its way with it.
  @discardableResult
  func makeDataSet(
    _ name: String = "data.h5", train: Int = 10, test: Int = 4, inputShape: [Int] = [3], targetShape: [Int] = [2],
    kind: String? = "burgers", change: (Group) throws -> Void = { _ in }
  ) throws -> String {
    let file = try HDF5File.create(path(name))
    if let kind { try file.attributes.set("kind", to: kind) }
    for (split, count) in [(DataSplit.train, train), (.test, test)] {
      for (array, shape) in [("inputs", inputShape), ("targets", targetShape)] {
        let size = shape.reduce(1, *)
        let values = (0..<count * size).map {
          value(split, target: array == "targets", sample: $0 / size, element: $0 % size)
        }
        try file.root.createDataSet(
          "\(split.rawValue)/\(array)", of: Float.self, shape: [count] + shape, chunks: [1] + shape
        ).write(values)
      }
    }
    try change(file.root)
    try file.close()
    return path(name)
  }

  /// Checks that `body` throws an error of this kind whose text holds all of `fragments`, and a remedy.
  func assertError(
    _ kind: KitiError.Kind, naming fragments: String..., file: StaticString = #filePath, line: UInt = #line,
    _ body: () throws -> Void
  ) {
    XCTAssertThrowsError(try body(), file: file, line: line) { error in
      guard let error = error as? KitiError else { return XCTFail("\(error)", file: file, line: line) }
      XCTAssertEqual(error.kind, kind, "\(error)", file: file, line: line)
      for fragment in fragments {
        XCTAssertTrue("\(error)".contains(fragment), "'\(fragment)' missing in: \(error)", file: file, line: line)
      }
    }
  }
}

/// Skips a test of one process when several ranks would run it side by side.
func skipUnderLauncher() throws {
  let size = ProcessInfo.processInfo.environment["OMPI_COMM_WORLD_SIZE"].flatMap { Int($0) } ?? 1
  if size > 1 { throw XCTSkip("this concerns one process") }
}
