import Foundation
import KitiCore
import XCTest

/// How training looks at images: against a plain reference, and by its statistics.
///
/// Odds of a false alarm are one in a million for each statistical comparison; seeds are fixed.
final class ImageAugmentationTests: ImageTestCase {
  private let shape = ImageShape(height: 9, width: 7, channels: 3)

  private func looks(_ augmentation: ImageAugmentation, epochs: Int, samples: Int) -> [[ImageAugmentation.Look]] {
    (0..<epochs).map { epoch in
      (0..<samples).map { augmentation.look(seed: 4, epoch: epoch, sample: $0, shape: shape) }
    }
  }

  /// The view of an image, one number at a time: padded, cut, mirrored, covered.
  private func reference(
    _ image: [Float], _ look: ImageAugmentation.Look, _ augmentation: ImageAugmentation
  ) -> [Float] {
    let (height, width, pad) = (shape.height, shape.width, augmentation.crop)
    func padded(_ y: Int, _ x: Int, _ channel: Int) -> Float {
      var (y, x) = (y - pad, x - pad)
      if augmentation.padding == .reflect {
        if y < 0 { y = -y }
        if y >= height { y = 2 * height - 2 - y }
        if x < 0 { x = -x }
        if x >= width { x = 2 * width - 2 - x }
      }
      guard (0..<height).contains(y), (0..<width).contains(x) else { return 0 }
      return image[(y * width + x) * 3 + channel]
    }
    var output = [Float](repeating: .nan, count: image.count)
    for y in 0..<height {
      for x in 0..<width {
        let column = look.isMirrored ? width - 1 - x : x
        let isCovered = look.coveredRows.contains(y) && look.coveredColumns.contains(x)
        for channel in 0..<3 {
          output[(y * width + x) * 3 + channel] =
            isCovered ? 0 : padded(pad + look.down + y, pad + look.right + column, channel)
        }
      }
    }
    return output
  }

  func testViewsAreThoseOfAPlainReference() throws {
    _ = try makeImages("a.h5", train: 20, shape: [9, 7, 3])
    let plain = try ImageDataSet(path: path("a.h5"))
    for augmentation in [
      ImageAugmentation.none, .init(crop: 2), .init(crop: 6, padding: .reflect), .init(flip: .random),
      .init(flip: .alternating), .init(cutout: 3), .init(cutout: 7),
      .init(crop: 3, padding: .reflect, flip: .random, cutout: 4), .init(crop: 6, flip: .alternating, cutout: 1),
    ] {
      let dataSet = try ImageDataSet(path: path("a.h5"), augmentation: augmentation)
      for epoch in 0..<30 {
        for sample in 0..<20 {
          let image = try read(plain, sample, .plain)
          let look = augmentation.look(seed: 8, epoch: epoch, sample: sample, shape: shape)
          XCTAssertEqual(
            try read(dataSet, sample, .training(seed: 8, epoch: epoch)), reference(image, look, augmentation),
            "\(augmentation), \(look)")
          XCTAssertEqual(try read(dataSet, sample, .plain), image)
        }
      }
    }
  }

  private func read(_ dataSet: ImageDataSet, _ sample: Int, _ view: SampleView) throws -> [Float] {
    let input = GuardedArray(count: dataSet.shape.size)
    let target = GuardedArray(count: 1)
    try dataSet.read(
      .train, sample: sample, view: view, input: .init(start: input.pointer, count: input.count),
      target: .init(start: target.pointer, count: 1))
    XCTAssertTrue(input.guardsHold && target.guardsHold)
    return input.values
  }

  func testMovesAreUniformAndIndependent() {
    let pad = 2
    let all = looks(.init(crop: pad), epochs: 20, samples: 5_000).flatMap { $0 }
    var counts = [Int](repeating: 0, count: 25)
    for look in all { counts[(look.down + pad) * 5 + look.right + pad] += 1 }
    let expected = [Double](repeating: Double(all.count) / 25, count: 25)
    XCTAssertLessThan(Statistics.chiSquare(counts, expected: expected), Statistics.chiSquareLimit(degrees: 24))
  }

  func testRandomFlipsComeInHalfOfTheEpochsIndependently() {
    let all = looks(.init(flip: .random), epochs: 40, samples: 2_500).map { $0.map(\.isMirrored) }
    let count = 40 * 2_500
    let flips = all.joined().count { $0 }
    let error = Statistics.standardErrors * (0.25 * Double(count)).squareRoot()
    XCTAssertEqual(Double(flips), Double(count) / 2, accuracy: error)
    // Of the next epoch an image's flip says nothing.
    let repeats = zip(all, all.dropFirst()).reduce(0) { sum, pair in sum + zip(pair.0, pair.1).count { $0 == $1 } }
    let pairs = Double(39 * 2_500)
    XCTAssertEqual(Double(repeats), pairs / 2, accuracy: Statistics.standardErrors * (0.25 * pairs).squareRoot())
  }

  func testAlternatingFlipsAlternateAfterAStartByChance() {
    let all = looks(.init(crop: 1, flip: .alternating), epochs: 6, samples: 20_000).map { $0.map(\.isMirrored) }
    for (epoch, next) in zip(all, all.dropFirst()) { XCTAssertTrue(zip(epoch, next).allSatisfy { $0 != $1 }) }
    let error = Statistics.standardErrors * (0.25 * 20_000).squareRoot()
    XCTAssertEqual(Double(all[0].count { $0 }), 10_000, accuracy: error)
  }

  func testCoveredSquaresHaveUniformCentresAndAreCutAtTheEdge() {
    let side = 4
    let all = looks(.init(cutout: side), epochs: 10, samples: 6_300).flatMap { $0 }
    var counts = [Int](repeating: 0, count: 63)
    for look in all {
      XCTAssertTrue(look.coveredRows.count <= side && look.coveredColumns.count <= side)
      XCTAssertTrue(look.coveredRows.count >= side / 2 && look.coveredColumns.count >= side / 2)
      // The centre is the upper edge and half the side, or the lower edge less half of it where the upper is cut.
      let row = look.coveredRows.lowerBound > 0 ? look.coveredRows.lowerBound + 2 : look.coveredRows.upperBound - 2
      let column =
        look.coveredColumns.lowerBound > 0 ? look.coveredColumns.lowerBound + 2 : look.coveredColumns.upperBound - 2
      counts[row * 7 + column] += 1
    }
    let expected = [Double](repeating: Double(all.count) / 63, count: 63)
    XCTAssertLessThan(Statistics.chiSquare(counts, expected: expected), Statistics.chiSquareLimit(degrees: 62))
  }

  func testSeedEpochAndSampleEachChangeTheLook() {
    let augmentation = ImageAugmentation(crop: 3, flip: .random, cutout: 3)
    let wide = ImageShape(height: 1 << 15, width: 1 << 15, channels: 1)
    func look(_ seed: UInt64, _ epoch: Int, _ sample: Int) -> ImageAugmentation.Look {
      augmentation.look(seed: seed, epoch: epoch, sample: sample, shape: wide)
    }
    XCTAssertEqual(look(1, 2, 3), look(1, 2, 3))
    XCTAssertNotEqual(look(1, 2, 3), look(2, 2, 3))
    XCTAssertNotEqual(look(1, 2, 3), look(1, 3, 3))
    XCTAssertNotEqual(look(1, 2, 3), look(1, 2, 4))
  }

  func testALookDependsOnNeitherRankNorBatch() throws {
    _ = try makeImages("a.h5", train: 30, shape: [9, 7, 3])
    let dataSet = try ImageDataSet(path: path("a.h5"), augmentation: .init(crop: 2, flip: .random, cutout: 3))
    /// What all ranks of a world get in two epochs, by epoch and sample.
    func views(worldSize: Int, accumulation: Int) throws -> [[Int: [Float]]] {
      var views: [[Int: [Float]]] = [[:], [:]]
      for rank in 0..<worldSize {
        let plan = SamplingPlan(
          sampleCount: 30, globalBatch: 12, accumulation: accumulation, rank: rank, worldSize: worldSize, seed: 6)
        let loader = try BatchLoader(
          dataSet: dataSet, split: .train, plan: plan, capacity: 12, startEpoch: 0, startStep: 0, endEpoch: 2)
        for number in 0..<loader.batchCount {
          let batch = try loader.next()
          for row in 0..<batch.count {
            let input = Array(UnsafeBufferPointer(start: batch.inputs + row * shape.size, count: shape.size))
            views[number / (plan.stepsPerEpoch * accumulation)][batch.indices[row]] = input
          }
        }
      }
      return views
    }
    let alone = try views(worldSize: 1, accumulation: 1)
    XCTAssertEqual(alone.map(\.count), [30, 30])
    for (ranks, accumulation) in [(2, 1), (3, 1), (1, 3), (4, 2)] {
      XCTAssertEqual(try views(worldSize: ranks, accumulation: accumulation), alone, "\(ranks) ranks")
    }
  }
}
