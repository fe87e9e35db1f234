import Foundation
import KitiCore
import KitiHDF5
import XCTest

private func read(
  _ dataSet: ImageDataSet, _ split: DataSplit, _ sample: Int, view: SampleView = .plain
) throws -> (input: [Float], target: Float) {
  var input = [Float](repeating: .nan, count: dataSet.shape.size)
  var target = [Float.nan]
  try input.withUnsafeMutableBufferPointer { input in
    try target.withUnsafeMutableBufferPointer { target in
      try dataSet.read(split, sample: sample, view: view, input: input, target: target)
    }
  }
  return (input, target[0])
}

/// Opening files of images and reading samples.
final class ImageDataSetTests: ImageTestCase {
  func testReadsEverySampleNormalised() throws {
    for shape in [[4, 5, 3], [3, 2, 1], [1, 1, 3]] {
      let path = try makeImages(shape: shape)
      let file = try HDF5File.open(path)
      for limit in [0, ImageDataSet.residentLimit] {
        let dataSet = try ImageDataSet(path: path, kind: "images", residentLimit: limit)
        XCTAssertEqual(dataSet.inputShape, shape)
        XCTAssertEqual(dataSet.targetShape, [1])
        XCTAssertEqual(dataSet.classCount, 3)
        XCTAssertEqual(dataSet.classes, classes)
        XCTAssertEqual(dataSet.classCounts(.train), [3, 2, 2])
        for split in DataSplit.allCases {
          let stored = try file.root.dataSet("\(split.rawValue)/inputs").read(UInt8.self)
          for sample in 0..<dataSet.sampleCount(split) {
            let (input, target) = try read(dataSet, split, sample)
            let size = dataSet.shape.size
            let expected = (0..<size).map { place in
              let channel = place % shape[2]
              let value = Double(stored[sample * size + place]) / 255 - dataSet.mean[channel]
              return Float(value / (dataSet.standardDeviation[channel] > 0 ? dataSet.standardDeviation[channel] : 1))
            }
            XCTAssertEqual(input, expected)
            XCTAssertEqual(target, Float(sample % 3))
          }
        }
      }
      try file.close()
    }
  }

  func testTrainingSamplesAreAugmentedWherever() throws {
    let path = try makeImages()
    let augmentation = ImageAugmentation(crop: 2, padding: .reflect, flip: .random, cutout: 2)
    let resident = try ImageDataSet(path: path, augmentation: augmentation)
    let onDisk = try ImageDataSet(path: path, augmentation: augmentation, residentLimit: 0)
    var changed = 0
    for epoch in 0..<20 {
      for sample in 0..<7 {
        let view = SampleView.training(seed: 5, epoch: epoch)
        let look = try read(resident, .train, sample, view: view)
        XCTAssertEqual(look.input, try read(onDisk, .train, sample, view: view).input)
        XCTAssertEqual(look.target, Float(sample % 3))
        if try look.input != read(resident, .train, sample).input { changed += 1 }
      }
    }
    XCTAssertGreaterThan(changed, 120)
  }

  /// A look moves with the padding of the data set's augmentation, whatever else that has.
  func testLooksMoveAndMirrorImages() throws {
    let path = try makeImages(shape: [4, 5, 3])
    for padding in ImageAugmentation.Padding.allCases {
      let dataSet = try ImageDataSet(
        path: path, augmentation: .init(crop: 1, padding: padding, flip: .random, cutout: 3))
      let plain = try read(dataSet, .test, 1).input
      XCTAssertEqual(try read(dataSet, .test, 1, view: .look(.init())).input, plain)
      for (down, right, isMirrored) in [(1, 0, false), (-2, 3, false), (0, 0, true), (2, -1, true)] {
        let look = ImageAugmentation.Look(down: down, right: right, isMirrored: isMirrored)
        let seen = try read(dataSet, .test, 1, view: .look(look)).input
        for place in 0..<60 {
          var (y, x) = (place / 15 + down, (isMirrored ? 4 - place / 3 % 5 : place / 3 % 5) + right)
          let isInside = (0..<4).contains(y) && (0..<5).contains(x)
          (y, x) = (y < 0 ? -y : y > 3 ? 6 - y : y, x < 0 ? -x : x > 4 ? 8 - x : x)
          XCTAssertEqual(seen[place], isInside || padding == .reflect ? plain[(y * 5 + x) * 3 + place % 3] : 0)
        }
      }
    }
  }

  func testReadingAllocatesNoObjects() throws {
    let augmentation = ImageAugmentation(crop: 2, padding: .reflect, flip: .alternating, cutout: 2)
    let path = try makeImages(shape: [16, 16, 3])
    for limit in [0, ImageDataSet.residentLimit] {
      let dataSet = try ImageDataSet(path: path, augmentation: augmentation, residentLimit: limit)
      let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: 769)
      defer { values.deallocate() }
      let input = UnsafeMutableBufferPointer(rebasing: values[..<768])
      let target = UnsafeMutableBufferPointer(rebasing: values[768...])
      let view = SampleView.training(seed: 1, epoch: 1)
      try dataSet.read(.train, sample: 0, view: view, input: input, target: target)
      let count = AllocationCount.during {
        for sample in 0..<100 {
          try? dataSet.read(.train, sample: sample % 7, view: view, input: input, target: target)
        }
      }
      try XCTSkipIf(count == nil, "this runtime does not count allocations")
      XCTAssertEqual(count, 0, "limit \(limit)")
    }
  }

  func testThreadsMayShareADataSet() throws {
    let dataSet = try ImageDataSet(path: makeImages(), residentLimit: 0)
    let expected = try (0..<7).map { try read(dataSet, .train, $0).input }
    DispatchQueue.concurrentPerform(iterations: 4) { _ in
      for sample in 0..<140 {
        XCTAssertEqual(try? read(dataSet, .train, sample % 7).input, expected[sample % 7])
      }
    }
  }

  func testSamplesAndBuffersThatDoNotFitAreRefused() throws {
    let path = try makeImages()
    let dataSet = try ImageDataSet(path: path)
    for sample in [-1, 7, Int.max, Int.min] {
      assertError(.usage, naming: path, "/train", "\(sample)") { _ = try read(dataSet, .train, sample) }
    }
    let small = UnsafeMutableBufferPointer<Float>.allocate(capacity: 2)
    defer { small.deallocate() }
    assertError(.usage, naming: path) { try dataSet.read(.train, sample: 0, input: small, target: small) }
  }

  func testFilesOfAnotherFormAreNamed() throws {
    assertError(.usage, naming: path("absent.h5"), "no such file", "data import") {
      _ = try ImageDataSet(path: path("absent.h5"))
    }
    let good = try makeImages()
    assertError(.badData, naming: good, "'images'", "'cifar10'") { _ = try ImageDataSet(path: good, kind: "cifar10") }
    let fields = try makeDataSet()
    assertError(.badData, naming: fields, "/train/inputs", "float32", "uint8") { _ = try ImageDataSet(path: fields) }
    assertError(.badData, naming: good, "/train/inputs", "uint8") { _ = try FieldDataSet(path: good) }
    let whole = try bytes("images.h5")
    for length in [0, 8, 500, whole.count / 2, whole.count - 1] {
      try write(Array(whole[..<length]), "short.h5")
      assertError(.badData, naming: path("short.h5")) { _ = try ImageDataSet(path: path("short.h5")) }
    }
    for shape in [[4, 5, 2], [4, 5, 4]] {
      let wrong = try makeImages("channels.h5", shape: [4, 5, 3]) { root in
        for split in ["a", "b"] { try root.createDataSet("\(split)/inputs", of: UInt8.self, shape: [1] + shape) }
      }
      XCTAssertNoThrow(try ImageDataSet(path: wrong), "other things in the file do no harm")
      assertError(.badData, naming: "/train/inputs", "\([7] + shape)") {
        _ = try ImageDataSet(path: makeImages("wrong.h5", shape: shape.dropLast() + [shape[2]]))
      }
    }
  }

  func testAttributesThatAreMissingOrWrongAreNamed() throws {
    for name in ["classes", "mean", "std"] {
      let without = try makeImages { try $0.attributes.remove(name) }
      assertError(.badData, naming: without, "'\(name)'", "missing") { _ = try ImageDataSet(path: without) }
    }
    for (name, numbers) in [("mean", [0.5]), ("mean", [0, 0, 1.5]), ("std", [0, 0, -1]), ("std", [0, 0, .nan])] {
      let wrong = try makeImages { try $0.attributes.set(name, to: numbers) }
      assertError(.badData, naming: wrong, "'\(name)'") { _ = try ImageDataSet(path: wrong) }
    }
    let text = try makeImages { try $0.attributes.set("mean", to: "half") }
    assertError(.badData, naming: text, "mean") { _ = try ImageDataSet(path: text) }
  }

  func testLabelsThatAreNoClassAreNamed() throws {
    for label in [-1, 3, Int32.max, Int32.min] {
      let wrong = try makeImages { try $0.dataSet("test/targets").write([label], to: .rows(2..<3)) }
      assertError(.badData, naming: wrong, "/test/targets", "label \(label) in sample 2", "3 classes") {
        _ = try ImageDataSet(path: wrong)
      }
    }
  }

  func testAugmentationThatDoesNotFitTheImagesIsRefused() throws {
    let path = try makeImages()
    for augmentation in [ImageAugmentation(crop: 4), .init(crop: -1), .init(cutout: 5), .init(cutout: -1)] {
      assertError(.usage, naming: path, "data.augmentation", "4 x 5") {
        _ = try ImageDataSet(path: path, augmentation: augmentation)
      }
    }
    XCTAssertNoThrow(try ImageDataSet(path: path, augmentation: .init(crop: 3, padding: .reflect, cutout: 4)))
  }

  func testInspectionTellsTheClassesAndTheNumbers() throws {
    let path = try makeImages()
    let inspection = try DataSetInspection(path: path)
    XCTAssertEqual(inspection.kind, "images")
    XCTAssertEqual(inspection.sampleCounts, [.train: 7, .test: 3])
    XCTAssertEqual(inspection.classes.map(\.name), classes)
    XCTAssertEqual(inspection.classes.map(\.train), [3, 2, 2])
    XCTAssertEqual(inspection.classes.map(\.test), [1, 1, 1])
    XCTAssertEqual(inspection.arrays.map(\.shape), [[7, 4, 5, 3], [7], [3, 4, 5, 3], [3]])
    XCTAssertEqual(inspection.arrays[1].maximum, 2)
    let stored = try HDF5File.open(path).root.dataSet("train/inputs").read(UInt8.self).map(Double.init)
    XCTAssertEqual(inspection.arrays[0].mean, stored.reduce(0, +) / Double(stored.count), accuracy: 1e-9)
    XCTAssertEqual(inspection.arrays[0].nonFiniteCount, 0)
    XCTAssertNoThrow(try inspection.requireFiniteValues())
  }
}
