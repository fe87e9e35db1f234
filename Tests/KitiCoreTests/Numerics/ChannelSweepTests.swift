import KitiCore
import XCTest

/// Passes with numbers of their own for every channel, against plain statements of what they compute.
final class ChannelSweepTests: XCTestCase {
  private let sizes = [(1, 1), (3, 7), (5, 16), (2, 17), (70, 3), (130, 33), (9, 64), (0, 5)]

  private func forEachSize(_ body: (_ rows: Int, _ channels: Int, _ numbers: inout TestNumbers) -> Void) {
    var numbers = TestNumbers(300)
    for (rows, channels) in sizes { body(rows, channels, &numbers) }
  }

  func testNormalize() {
    forEachSize { rows, channels, numbers in
      let z = GuardedArray(numbers.normals(rows * channels))
      let (scale, shift) = (GuardedArray(numbers.normals(channels)), GuardedArray(numbers.normals(channels)))
      let expected = z.values.indices.map {
        Double(z.values[$0]) * Double(scale.values[$0 % channels]) + Double(shift.values[$0 % channels])
      }
      normalize(z.pointer, scale: scale.pointer, shift: shift.pointer, rows: rows, channels: channels, into: z.pointer)
      assertClose(z.values, expected, within: 2e-7, magnitude: 1, "\(rows) × \(channels)")
      XCTAssertTrue(z.guardsHold)
    }
  }

  func testNormalizeAndRectify() {
    forEachSize { rows, channels, numbers in
      let count = rows * channels
      let (z, x) = (GuardedArray(numbers.normals(count)), GuardedArray(numbers.normals(count)))
      let norms = (0..<4).map { _ in GuardedArray(numbers.normals(channels)) }
      func expected(_ addend: (Int, Int) -> Double) -> [Double] {
        (0..<count).map { index in
          let channel = index % channels
          let velocity =
            Double(z.values[index]) * Double(norms[0].values[channel]) + Double(norms[1].values[channel])
          return max(0, addend(index, channel) + 0.375 * velocity)
        }
      }
      let cases: [(Addend, [Double])] = [
        (.nothing, expected { _, _ in 0 }), (.values(x.pointer), expected { index, _ in Double(x.values[index]) }),
        (
          .normalized(x.pointer, scale: norms[2].pointer, shift: norms[3].pointer),
          expected { index, channel in
            Double(x.values[index]) * Double(norms[2].values[channel]) + Double(norms[3].values[channel])
          }
        ),
      ]
      for (addend, values) in cases {
        let y = GuardedArray(count: count)
        normalizeAndRectify(
          z.pointer, scale: norms[0].pointer, shift: norms[1].pointer, timeStep: 0.375, plus: addend, rows: rows,
          channels: channels, into: y.pointer)
        assertClose(y.values, values, within: 3e-7, magnitude: 1, "\(rows) × \(channels)")
        XCTAssertTrue(y.guardsHold)
      }
    }
  }

  func testNotANumberPassesTheRectifier() {
    let (z, one) = (GuardedArray([.nan, -1, .infinity]), GuardedArray([1, 1, 1]))
    let y = GuardedArray(count: 3)
    normalizeAndRectify(
      z.pointer, scale: one.pointer, shift: one.pointer, plus: .nothing, rows: 1, channels: 3, into: y.pointer)
    XCTAssertTrue(y.values[0].isNaN)
    XCTAssertEqual(Array(y.values[1...]), [0, .infinity])
  }

  func testNormalizeGradient() {
    forEachSize { rows, channels, numbers in
      let (g, z) = (GuardedArray(numbers.normals(rows * channels)), GuardedArray(numbers.normals(rows * channels)))
      let factors = (0..<3).map { _ in GuardedArray(numbers.normals(channels)) }
      let expected = (0..<rows * channels).map { index in
        let channel = index % channels
        return Double(g.values[index]) * Double(factors[0].values[channel])
          + Double(z.values[index]) * Double(factors[1].values[channel]) + Double(factors[2].values[channel])
      }
      normalizeGradient(
        g.pointer, gradientScale: factors[0].pointer, z.pointer, outputScale: factors[1].pointer,
        shift: factors[2].pointer, rows: rows, channels: channels, into: g.pointer)
      assertClose(g.values, expected, within: 3e-7, magnitude: 1, "\(rows) × \(channels)")
      XCTAssertTrue(g.guardsHold)
    }
  }

  func testTheGradientPassesWhereTheRectifiedNumbersAreAboveZero() {
    forEachSize { rows, channels, numbers in
      let count = rows * channels
      let y = GuardedArray(numbers.normals(count).map { max($0, 0) })
      let upstream = numbers.normals(count)
      let g = GuardedArray(upstream)
      rectifyGradient(g.pointer, where: y.pointer, count: count)
      XCTAssertEqual(g.values, zip(upstream, y.values).map { $1 > 0 ? $0 : 0 })
      XCTAssertTrue(g.guardsHold)
    }
  }

  func testSumsAreAddedAndAccurate() {
    forEachSize { rows, channels, numbers in
      let count = rows * channels
      let (x, factor) = (GuardedArray(numbers.normals(count)), GuardedArray(numbers.normals(count)))
      let centre = GuardedArray(numbers.normals(channels))
      let start = (0..<2 * channels).map { _ in numbers.normal() }
      var (products, squares, magnitude) = (start, start, 1.0)
      for index in 0..<count {
        let (value, other, channel) = (Double(x.values[index]), Double(factor.values[index]), index % channels)
        let distance = value - Double(centre.values[channel])
        products[channel] += value
        products[channels + channel] += value * other
        squares[channel] += distance
        squares[channels + channel] += distance * distance
        magnitude = max(magnitude, abs(squares[channels + channel]))
      }
      var (sums, centred) = (start, start)
      sums.withUnsafeMutableBufferPointer {
        addChannelSums(x.pointer, times: factor.pointer, rows: rows, channels: channels, to: $0.baseAddress!)
      }
      centred.withUnsafeMutableBufferPointer {
        addCentredSums(x.pointer, centre: centre.pointer, rows: rows, channels: channels, to: $0.baseAddress!)
      }
      for (index, expected) in products.enumerated() {
        XCTAssertEqual(sums[index], expected, accuracy: 1e-6 * magnitude, "\(rows) × \(channels)")
        XCTAssertEqual(centred[index], squares[index], accuracy: 1e-6 * magnitude, "\(rows) × \(channels), centred")
      }
    }
  }

  func testSampledPlaces() {
    var numbers = TestNumbers(302)
    for (shape, stride) in [([4, 4, 3], 2), ([5, 7, 11], 3), ([1, 1, 1], 2), ([3, 2, 40], 1)] {
      let x = GuardedArray(numbers.normals(shape.reduce(1, *)))
      let expected = Reference.padded(x.values.doubles, shape: shape, stride: stride, outputs: shape[2])
      let y = GuardedArray(count: expected.count)
      samplePlaces(x.pointer, shape: shape, stride: stride, into: y.pointer)
      XCTAssertEqual(y.values.doubles, expected)
      let before = x.values
      addAtSampledPlaces(
        y.pointer, height: shape[0], width: shape[1], channels: shape[2], stride: stride, to: x.pointer)
      for (index, value) in before.enumerated() {
        let place = index / shape[2]
        let isSampled = place / shape[1] % stride == 0 && place % shape[1] % stride == 0
        XCTAssertEqual(x.values[index], isSampled ? 2 * value : value)
      }
      XCTAssertTrue(x.guardsHold && y.guardsHold)
    }
  }

  func testPaddedChannels() {
    var numbers = TestNumbers(301)
    for (shape, stride, outputs) in [([4, 4, 3], 2, 6), ([5, 7, 2], 2, 9), ([1, 1, 1], 2, 1), ([3, 2, 4], 1, 16)] {
      let x = GuardedArray(numbers.normals(shape.reduce(1, *)))
      let expected = Reference.padded(x.values.doubles, shape: shape, stride: stride, outputs: outputs)
      let y = GuardedArray(count: expected.count)
      padChannels(x.pointer, shape: shape, stride: stride, outputs: outputs, into: y.pointer)
      XCTAssertEqual(y.values.doubles, expected)
      let upstream = numbers.normals(expected.count)
      let g = GuardedArray(upstream)
      let places = expected.count / outputs
      let sampledGradient = GuardedArray(count: places * shape[2])
      padChannelsBackward(
        g.pointer, places: places, inputs: shape[2], outputs: outputs, into: sampledGradient.pointer)
      let inputGradient = GuardedArray(count: x.count, repeating: 0)
      addAtSampledPlaces(
        sampledGradient.pointer, height: shape[0], width: shape[1], channels: shape[2], stride: stride,
        to: inputGradient.pointer)
      XCTAssertTrue(y.guardsHold && sampledGradient.guardsHold && inputGradient.guardsHold)
      // ⟨upstream, padded(e)⟩ of each unit vector e.
      for index in 0..<x.count {
        var unit = [Double](repeating: 0, count: x.count)
        unit[index] = 1
        let image = Reference.padded(unit, shape: shape, stride: stride, outputs: outputs)
        XCTAssertEqual(Double(inputGradient.values[index]), dot(image, upstream.doubles))
      }
    }
  }
}
