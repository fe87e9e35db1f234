import Foundation
import KitiCore
import XCTest

/// Truncated transforms against the sums that define them, in double precision.
final class TruncatedFourierTests: XCTestCase {
  /// [mode, 2, channel] of the transform of x [point, channel].
  private func analyzed(
    _ x: [Double], _ points: Int, _ modes: Int, _ channels: Int, weighted: Bool
  ) -> [Double] {
    let circle = Circle(points)
    var spectrum = [Double](repeating: 0, count: modes * 2 * channels)
    for k in 0..<modes {
      let weight = weighted ? circle.weight(k) : 1
      for s in 0..<points {
        let (c, sine) = circle[k * s]
        for channel in 0..<channels {
          spectrum[(2 * k) * channels + channel] += weight * c * x[s * channels + channel]
          spectrum[(2 * k + 1) * channels + channel] -= weight * sine * x[s * channels + channel]
        }
      }
    }
    return spectrum
  }

  private func synthesized(
    _ spectrum: [Double], _ points: Int, _ modes: Int, _ channels: Int, weighted: Bool
  ) -> [Double] {
    let circle = Circle(points)
    var y = [Double](repeating: 0, count: points * channels)
    for k in 0..<modes {
      let weight = weighted ? circle.weight(k) : 1
      for s in 0..<points {
        let (c, sine) = circle[k * s]
        for channel in 0..<channels {
          y[s * channels + channel] +=
            weight * (c * spectrum[2 * k * channels + channel] - sine * spectrum[(2 * k + 1) * channels + channel])
        }
      }
    }
    return y
  }

  private struct Circle {
    let points: Int
    let values: [(Double, Double)]

    init(_ points: Int) {
      self.points = points
      values = (0..<points).map {
        let angle = 2 * Double.pi * Double($0) / Double(points)
        return (cos(angle), sin(angle))
      }
    }

    subscript(index: Int) -> (Double, Double) { values[index % points] }
    func weight(_ mode: Int) -> Double { (mode == 0 || 2 * mode == points ? 1 : 2) / Double(points) }
  }

  /// A spectrum laid out with a gap between modes, which must stay as it is.
  private func spread(_ spectrum: [Float], _ modes: Int, _ row: Int, stride: Int) -> [Float] {
    var result = [Float](repeating: 77, count: (modes - 1) * stride + row)
    for k in 0..<modes { for i in 0..<row { result[k * stride + i] = spectrum[k * row + i] } }
    return result
  }

  private func gathered(_ values: [Float], _ modes: Int, _ row: Int, stride: Int) -> [Float] {
    (0..<modes * row).map { values[$0 / row * stride + $0 % row] }
  }

  private func check(_ points: Int, _ modes: Int, _ channels: Int, gap: Int, _ numbers: inout TestNumbers) {
    let transform = TruncatedFourier(points: points, modes: modes, channels: channels)
    let (row, stride) = (2 * channels, 2 * channels + gap)
    let x = numbers.floats(points * channels)
    let y = numbers.floats(modes * row)
    let before = numbers.floats(points * channels)
    for weighted in [false, true] {
      let what = "\(points) points, \(modes) modes, \(channels) channels, weighted \(weighted)"
      let input = GuardedArray(x)
      let spectrum = GuardedArray(spread([Float](repeating: .nan, count: modes * row), modes, row, stride: stride))
      transform.analyze(input.pointer, into: spectrum.pointer, modeStride: stride, weighted: weighted)
      let computed = gathered(spectrum.values, modes, row, stride: stride)
      // A sum of as many terms below 1 as there are points; a single one may cancel.
      let magnitude = Double(points).squareRoot() * (weighted ? 2 / Double(points) : 1)
      assertClose(
        computed, analyzed(x.doubles, points, modes, channels, weighted: weighted), within: 2e-6, magnitude: magnitude,
        "analyze, \(what)")
      XCTAssertTrue(spectrum.guardsHold, "analyze wrote outside, \(what)")
      XCTAssertEqual(
        spread(computed, modes, row, stride: stride), spectrum.values, "analyze wrote between modes, \(what)")

      let source = GuardedArray(spread(y, modes, row, stride: stride))
      let expected = synthesized(y.doubles, points, modes, channels, weighted: weighted)
      let output = GuardedArray(count: points * channels)
      transform.synthesize(
        source.pointer, modeStride: stride, into: output.pointer, weighted: weighted, accumulate: false)
      assertClose(output.values, expected, within: 2e-6, "synthesize, \(what)")
      XCTAssertTrue(output.guardsHold, "synthesize wrote outside, \(what)")
      // ⟨Ax, y⟩ = ⟨x, Aᵀy⟩, in fp32 as the backward pass uses them.
      let size =
        (magnitude + dot(computed.doubles, computed.doubles).squareRoot()) * dot(y.doubles, y.doubles).squareRoot()
      XCTAssertEqual(
        dot(computed.doubles, y.doubles), dot(x.doubles, output.values.doubles), accuracy: 2e-6 * size,
        "not adjoint, \(what)")

      let sum = GuardedArray(before)
      transform.synthesize(
        source.pointer, modeStride: stride, into: sum.pointer, weighted: weighted, accumulate: true)
      assertClose(
        sum.values, zip(before, expected).map { Double($0) + $1 }, within: 2e-6, "synthesize adds, \(what)")
    }
  }

  func testTransformsOfEveryLengthTo64() {
    var numbers = TestNumbers(3)
    let channelCounts = [1, 3, 8, 17, 64]
    var turn = 0
    for points in 1...64 {
      let limit = points / 2 + 1
      for modes in Set([1, 2, 3, 4, points / 4 + 1, limit - 1, limit]) where modes >= 1 && modes <= limit {
        check(points, modes, channelCounts[turn % 5], gap: turn % 3 * 5, &numbers)
        turn += 1
      }
    }
  }

  func testEveryNumberOfModesAndChannelsOfSomeLengths() {
    var numbers = TestNumbers(4)
    for points in [7, 12, 15, 16, 18] {
      for modes in 1...points / 2 + 1 {
        for channels in [1, 2, 3, 8, 9, 17] { check(points, modes, channels, gap: 0, &numbers) }
      }
    }
  }

  func testLongFoldsThatTakeSeveralBlocks() {
    var numbers = TestNumbers(5)
    // A block holds 1,536 / channels places of a quarter of the points.
    for (points, modes, channels) in [(1_024, 16, 64), (256, 5, 200), (64, 33, 700), (100, 7, 2_000)] {
      check(points, modes, channels, gap: 0, &numbers)
    }
  }

  func testErrorStaysNearRoundingAtTheUsualSize() {
    let (points, modes, channels) = (1_024, 16, 64)
    var numbers = TestNumbers(6)
    let transform = TruncatedFourier(points: points, modes: modes, channels: channels)
    let x = numbers.normals(points * channels)
    let spectrum = GuardedArray(count: modes * 2 * channels)
    let back = GuardedArray(count: points * channels)
    let input = GuardedArray(x)
    transform.analyze(input.pointer, into: spectrum.pointer, modeStride: 2 * channels, weighted: false)
    transform.synthesize(
      spectrum.pointer, modeStride: 2 * channels, into: back.pointer, weighted: true, accumulate: false)
    func meanSquareError(_ values: [Float], _ reference: [Double]) -> Double {
      let difference = zip(values.doubles, reference).map { $0 - $1 }
      return (dot(difference, difference) / dot(reference, reference)).squareRoot()
    }
    let exact = analyzed(x.doubles, points, modes, channels, weighted: false)
    let error = meanSquareError(spectrum.values, exact)
    let roundTrip = meanSquareError(back.values, synthesized(exact, points, modes, channels, weighted: true))
    XCTAssertLessThan(error, 4e-7)
    XCTAssertLessThan(roundTrip, 4e-7)
  }

  func testNonFiniteNumbersStayInTheirChannel() {
    for points in [15, 16] {
      for bad in [Float.nan, .infinity] {
        let (modes, channels) = (4, 9)
        let transform = TruncatedFourier(points: points, modes: modes, channels: channels)
        let x = GuardedArray(count: points * channels, repeating: 0.5)
        x.pointer[3 * channels + 2] = bad
        let spectrum = GuardedArray(count: modes * 2 * channels)
        transform.analyze(x.pointer, into: spectrum.pointer, modeStride: 2 * channels, weighted: false)
        for (index, value) in spectrum.values.enumerated() where index % channels != 2 {
          XCTAssertTrue(value.isFinite, "\(bad) spread to another channel")
        }
        XCTAssertFalse(spectrum.values[2].isFinite, "\(bad) is lost")
        let y = GuardedArray(count: points * channels)
        transform.synthesize(
          spectrum.pointer, modeStride: 2 * channels, into: y.pointer, weighted: true, accumulate: false)
        for (index, value) in y.values.enumerated() { XCTAssertEqual(value.isFinite, index % channels != 2) }
      }
    }
  }
}
