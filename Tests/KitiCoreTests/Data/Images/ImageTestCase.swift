import Foundation
import KitiCore
import KitiHDF5
import XCTest

/// A test of one process that works on images in a fresh folder, which goes when the test ends.
class ImageTestCase: DataSetTestCase {
  /// 15 training and 4 test images of CIFAR-10 in the publisher's form.
  var cifar: String { get throws { try ImageFixtures.path("cifar-10-batches-bin") } }

  func write(_ bytes: [UInt8], _ name: String) throws {
    let url = folder.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
  }

  func bytes(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: folder.appendingPathComponent(name))) }

  /// Copies a fixture into the test's folder.
  func copy(_ fixture: String, to name: String) throws {
    let target = folder.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: ImageFixtures.path(fixture), toPath: target.path)
  }

  /// Makes an archive of what lies in a folder with the system's tar.
  func tar(_ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["tar"] + arguments
    process.currentDirectoryURL = folder
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    XCTAssertEqual(process.terminationStatus, 0)
  }

  func gzip(_ name: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["gzip", "-n", path(name)]
    try process.run()
    process.waitUntilExit()
    XCTAssertEqual(process.terminationStatus, 0)
  }

  /// Everything a source has.
  func contents(_ source: any ImageSource, _ split: DataSplit) throws -> LabeledImages {
    try LabeledImages(source, split, 0..<source.sampleCount(split))
  }

  /// Of `makeImages`.
  var classes: [String] { ["a", "b", "c"] }

  /// A file of random images, after `change` has had its way with it.
  func makeImages(
    _ name: String = "images.h5", train: Int = 7, test: Int = 3, shape: [Int] = [4, 5, 3],
    change: (Group) throws -> Void = { _ in }
  ) throws -> String {
    var random = TestNumbers(11)
    let file = try HDF5File.create(path(name), ifExists: .replace)
    try file.attributes.set("kind", to: "images")
    try file.attributes.set("classes", to: classes)
    try file.attributes.set("mean", to: Array([0.25, 0.5, 0.75].prefix(shape[2])))
    try file.attributes.set("std", to: Array([0.5, 0.25, 0].prefix(shape[2])))
    for (split, count) in [("train", train), ("test", test)] {
      let pixels = (0..<count * shape.reduce(1, *)).map { _ in UInt8.random(in: 0...255, using: &random) }
      try file.root.createDataSet("\(split)/inputs", of: UInt8.self, shape: [count] + shape).write(pixels)
      try file.root.createDataSet("\(split)/targets", of: Int32.self, shape: [count])
        .write((0..<count).map { Int32($0 % 3) })
    }
    try change(file.root)
    try file.close()
    return path(name)
  }

  /// A file of IDX form.
  func idx(_ extents: [Int], _ bytes: [UInt8]) -> [UInt8] {
    let words = extents.flatMap { extent in (0..<4).map { UInt8(extent >> (24 - 8 * $0) & 255) } }
    return [0, 0, 8, UInt8(extents.count)] + words + bytes
  }

  /// The four files of a data set of images of 2 x 3 pixels, each pixel another value.
  func writeIDX(train: Int = 5, test: Int = 2) throws {
    for (prefix, count) in [("train", train), ("t10k", test)] {
      try write(idx([count, 2, 3], (0..<6 * count).map { UInt8($0) }), "\(prefix)-images-idx3-ubyte")
      try write(idx([count], (0..<count).map { UInt8($0 % 10) }), "\(prefix)-labels-idx1-ubyte")
    }
  }
}

enum ImageFixtures {
  static func path(_ name: String) throws -> String {
    let folder = try XCTUnwrap(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
    return folder.appendingPathComponent(name).path
  }

  static func bytes(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path(name)))) }
}

/// Some images of a source with their labels.
struct LabeledImages: Equatable {
  var pixels: [UInt8]
  var labels: [Int32]

  init(_ source: any ImageSource, _ split: DataSplit, _ samples: Range<Int>) throws {
    pixels = Array(repeating: 255, count: samples.count * source.shape.size)
    labels = Array(repeating: -1, count: samples.count)
    try pixels.withUnsafeMutableBufferPointer { pixels in
      try labels.withUnsafeMutableBufferPointer { labels in
        try source.read(split, samples, images: pixels, labels: labels)
      }
    }
  }
}
