import Foundation
import KitiCore
import XCTest

/// The kernels' elementary functions against Foundation's in double precision, and their documented errors.
final class ElementaryFunctionTests: XCTestCase {
  /// The largest error of a function over evenly spaced points of a range, by `distance`.
  private func largestError(
    _ function: ElementaryFunction, from low: Float, to high: Float, count: Int = 400_000,
    _ distance: (_ value: Double, _ x: Double) -> Double
  ) -> Double {
    let x = (0..<count).map { min(high, low + (high - low) * (Float($0) / Float(count - 1))) }
    return largestError(function, at: x, distance)
  }

  private func largestError(
    _ function: ElementaryFunction, at x: [Float], _ distance: (_ value: Double, _ x: Double) -> Double
  ) -> Double {
    zip(function(x), x).reduce(0) { worst, pair in
      let error = distance(Double(pair.0), Double(pair.1))
      return error.isNaN ? .infinity : max(worst, error)
    }
  }

  private func relative(_ value: Double, _ expected: Double) -> Double { abs(value - expected) / abs(expected) }

  func testExponentialIsWithinItsStatedError() {
    let wide = largestError(.exponential, from: -87, to: 88.7) { relative($0, exp($1)) }
    let near = largestError(.exponential, from: -1, to: 1) { relative($0, exp($1)) }
    let negative = largestError(.exponentialOfNegative, from: -87, to: 0) { relative($0, exp($1)) }
    XCTAssertLessThan(wide, 2e-7)
    XCTAssertLessThan(near, 2e-7)
    XCTAssertLessThan(negative, 2e-7)
  }

  func testExponentialOfSpecialNumbers() {
    let result = ElementaryFunction.exponential([0, -0.0, 0x1p-133, -0x1p-133, .infinity, -.infinity, .nan, 200])
    XCTAssertEqual(result[0], 1)
    XCTAssertEqual(result[1], 1)
    XCTAssertEqual(result[2], 1)
    XCTAssertEqual(result[3], 1)
    XCTAssertEqual(result[4], .infinity)
    XCTAssertEqual(result[5], 0)
    XCTAssertTrue(result[6].isNaN)
    XCTAssertEqual(result[7], .infinity)
    let edges = ElementaryFunction.exponential([-87.1, -1e30, .greatestFiniteMagnitude, 88.8, 88.7, -87, 1e30, -88.5])
    XCTAssertEqual(edges[0], 0)
    XCTAssertEqual(edges[1], 0)
    XCTAssertEqual(edges[2], .infinity)
    XCTAssertEqual(edges[3], .infinity)
    XCTAssertTrue(edges[4].isFinite)
    XCTAssertGreaterThan(edges[5], 0)
    XCTAssertEqual(edges[6], .infinity)
    XCTAssertEqual(edges[7], 0)
    let floor = ElementaryFunction.exponentialOfNegative([-87, -88, -1e30, -.infinity, .nan, 0, -0.0, -0x1p-133])
    for lane in 0..<5 { XCTAssertEqual(floor[lane], floor[0]) }
    XCTAssertEqual(relative(Double(floor[0]), exp(-87)), 0, accuracy: 2e-7)
    for lane in 5..<8 { XCTAssertEqual(floor[lane], 1) }
  }

  func testLogarithmIsWithinItsStatedErrorOverAllNormalNumbers() {
    let powers = (0..<400_000).map { Float(exp2(-126 + 253.9 * Double($0) / 399_999)) }
    let wide = largestError(.logarithm, at: powers) { $1 == 1 ? abs($0) : relative($0, log($1)) }
    let near = largestError(.logarithm, from: 0.5, to: 2) { $1 == 1 ? abs($0) : relative($0, log($1)) }
    XCTAssertLessThan(wide, 2e-7)
    XCTAssertLessThan(near, 2e-7)
    XCTAssertEqual(ElementaryFunction.logarithm([1]), [0])
  }

  func testLogarithmIsNeverPositiveBelowOne() {
    // All numbers 1 − k·2⁻²³ that normals are made of: their radius is the root of this.
    var first = 0
    while first < 1 << 23 {
      let numbers = (first..<first + 65_536).map { 1 - Float($0) * 0x1p-23 }
      for (value, number) in zip(ElementaryFunction.logarithm(numbers), numbers) where !(value <= 0) {
        return XCTFail("ln \(number) is \(value)")
      }
      first += 65_536
    }
  }

  func testSquareRootIsWithinItsStatedError() {
    let numbers = (0..<400_000).map { Float(exp2(-122.9 + 250.8 * Double($0) / 399_999)) }
    let wide = largestError(.squareRoot, at: numbers) { relative($0, $1.squareRoot()) }
    let near = largestError(.squareRoot, from: 0.5, to: 4) { relative($0, $1.squareRoot()) }
    XCTAssertLessThan(wide, 1.1e-7)
    XCTAssertLessThan(near, 1.1e-7)
    XCTAssertEqual(ElementaryFunction.squareRoot([0, -0.0]), [0, 0])
    XCTAssertTrue(ElementaryFunction.squareRoot([.nan])[0].isNaN)
    // Of numbers below 1e-37 the root is small, if nothing more.
    for root in ElementaryFunction.squareRoot([1e-38, 0x1p-130, 0x1p-149]) {
      XCTAssertTrue(root >= 0 && root < 2e-19)
    }
  }

  func testSineAndCosineOfTurns() {
    let sine = largestError(.sineOfTurns, from: -0.5, to: 0.5) { abs($0 - sin(2 * .pi * $1)) }
    let cosine = largestError(.cosineOfTurns, from: -0.5, to: 0.5) { abs($0 - cos(2 * .pi * $1)) }
    XCTAssertLessThan(sine, 3e-7)
    XCTAssertLessThan(cosine, 8e-7)
    XCTAssertEqual(ElementaryFunction.sineOfTurns([0]), [0])
    XCTAssertEqual(ElementaryFunction.cosineOfTurns([0]), [1])
  }

  func testNormalDistributionIsWithinItsStatedErrors() {
    let normal = Statistics.normalDistribution
    let body = largestError(.normalDistribution, from: -5, to: 10) { relative($0, normal($1)) }
    let tail = largestError(.normalDistribution, from: -12, to: -5) { relative($0, normal($1)) }
    let absolute = largestError(.normalDistribution, from: -20, to: 20) { abs($0 - normal($1)) }
    let slope = largestError(.normalDensity, from: -5, to: 5) { relative($0, exp(-$1 * $1 / 2) / (2 * .pi).squareRoot()) }
    XCTAssertLessThan(body, 1e-6)
    XCTAssertLessThan(tail, 7e-6)
    XCTAssertLessThan(absolute, 2e-7)
    XCTAssertLessThan(slope, 1e-6)
  }

  func testNormalDistributionOfSpecialNumbers() {
    let numbers: [Float] = [0, -0.0, 0x1p-133, .infinity, -.infinity, .nan, 40, -40]
    let distribution = ElementaryFunction.normalDistribution(numbers)
    XCTAssertEqual(distribution[0], 0.5, accuracy: 1e-7)
    XCTAssertEqual(distribution[1], 0.5, accuracy: 1e-7)
    XCTAssertEqual(distribution[2], 0.5, accuracy: 1e-7)
    XCTAssertEqual(distribution[3], 1)
    XCTAssertEqual(distribution[4], 0)
    XCTAssertTrue(distribution[5].isNaN)
    XCTAssertEqual(distribution[6], 1)
    XCTAssertEqual(distribution[7], 0, accuracy: 1e-37)
    XCTAssertEqual(ElementaryFunction.normalDensity(numbers)[0], 0.398_942_28, accuracy: 1e-7)
  }
}
