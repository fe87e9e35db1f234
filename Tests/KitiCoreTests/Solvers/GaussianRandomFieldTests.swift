import Foundation
import KitiCore
import XCTest

/// The random initial fields: their distribution, and that a field does not depend on the grid.
///
/// Bounds on statistics lie 4.5 standard errors out: a correct field misses one with odds of 7e-6, any of the 21
/// with odds of 1.5e-4; the seeds are fixed.
final class GaussianRandomFieldTests: XCTestCase {
  func testWavesHaveTheVarianceOfTheCovariance() throws {
    let (samples, points, waves) = (4000, 32, 9)
    let field = try GaussianRandomField(variance: 625, shift: 25, exponent: 2, modes: 15)
    var cosines = [Double](repeating: 0, count: waves)
    var sines = cosines
    var (sum, total) = (0.0, 0.0)
    for sample in 0..<samples {
      let values = try evaluate(randomSeries(sample, field: field), points: points)
      sum += values[5]
      total += values[5] * values[5]
      for k in 0..<waves {
        var (c, s) = (0.0, 0.0)
        for (j, value) in values.enumerated() {
          let angle = 2 * Double.pi * Double(k * j % points) / Double(points)
          c += value * cos(angle) / Double(points)
          s += value * sin(angle) / Double(points)
        }
        cosines[k] += c * c
        sines[k] += s * s
      }
    }
    let slack = 4.5 * (2 / Double(samples)).squareRoot()
    for k in 0..<waves {
      let angular = 4 * Double.pi * Double.pi * Double(k * k)
      let eigenvalue = 625 / ((angular + 25) * (angular + 25))
      let expected = Double(samples) * (k == 0 ? eigenvalue : eigenvalue / 2)
      XCTAssertEqual(cosines[k] / expected, 1, accuracy: slack, "cosine wave \(k)")
      if k > 0 { XCTAssertEqual(sines[k] / expected, 1, accuracy: slack, "sine wave \(k)") }
    }
    let variance = (1...15).reduce(field.eigenvalue(0)) { $0 + 2 * field.eigenvalue($1) }
    XCTAssertEqual(total / (Double(samples) * variance), 1, accuracy: slack)
    XCTAssertEqual(sum / Double(samples), 0, accuracy: 4.5 * (variance / Double(samples)).squareRoot())
  }

  func testTermsLeftOutAreAsSmallAsDocumented() {
    let field = GaussianRandomField.burgers
    let leftOut = (1025...200_000).reduce(0) { $0 + 2 * field.eigenvalue($1) }
    let kept = (1...1024).reduce(field.eigenvalue(0)) { $0 + 2 * field.eigenvalue($1) }
    XCTAssertEqual(leftOut.squareRoot(), 1.6e-5, accuracy: 0.05e-5)
    XCTAssertEqual(kept.squareRoot(), 1.16, accuracy: 0.005)
  }

  func testGeneralCovariance() throws {
    let field = try GaussianRandomField(variance: 3, shift: 2, exponent: 1.5, modes: 2)
    XCTAssertEqual(field.normalCount, 5)
    var series = [Double](repeating: 1, count: 5)
    try series.withUnsafeMutableBufferPointer { try field.scale($0) }
    let first = (6 * pow(4 * .pi * .pi + 2, -1.5)).squareRoot()
    let second = (6 * pow(16 * .pi * .pi + 2, -1.5)).squareRoot()
    let expected = [(3 * pow(2, -1.5)).squareRoot(), first, first, second, second]
    for (value, expected) in zip(series, expected) { XCTAssertEqual(value, expected, accuracy: 1e-14) }
  }

  func testSamplerAddsUpTheSeriesOnAnyGrid() throws {
    for terms in [0, 1, 3, 9, 41] {
      var numbers = NormalNumbers(seed: terms)
      let series = (0..<terms).map { _ in numbers.next() }
      for points in [1, 2, 3, 7, 8, 12, 64] {
        let values = try evaluate(series, points: points)
        for j in 0..<points {
          var expected = series.first ?? 0
          for k in stride(from: 1, through: terms / 2, by: 1) {
            let angle = 2 * Double.pi * Double(k * j) / Double(points)
            expected += series[2 * k - 1] * cos(angle) + series[2 * k] * sin(angle)
          }
          XCTAssertEqual(values[j], expected, accuracy: 1e-12, "\(terms) terms, \(points) points, point \(j)")
        }
      }
    }
  }

  func testFieldIsTheSameAtEveryResolution() throws {
    for sample in 0..<5 {
      let series = try randomSeries(sample)
      let fine = try evaluate(series, points: 6144)
      for points in [2, 48, 64, 1024] {
        for (j, value) in try evaluate(series, points: points).enumerated() {
          XCTAssertEqual(value, fine[j * 6144 / points], accuracy: 1e-13)
        }
      }
    }
  }

  func testRefusesFieldsThatDoNotExist() throws {
    let bad: [(Double, Double, Double, Int)] = [
      (-1, 25, 2, 8), (.nan, 25, 2, 8), (625, 0, 2, 8), (625, -1, 2, 8), (625, 25, 0.5, 8), (625, 25, .infinity, 8),
      (625, 25, 2, -1), (625, 25, 2, .max),
    ]
    for (variance, shift, exponent, modes) in bad {
      XCTAssertThrowsError(
        try GaussianRandomField(variance: variance, shift: shift, exponent: exponent, modes: modes)
      ) { XCTAssertEqual(($0 as? KitiError)?.kind, .usage) }
    }
    var short = [1.0, 2]
    XCTAssertThrowsError(try short.withUnsafeMutableBufferPointer { try GaussianRandomField.burgers.scale($0) })
    XCTAssertThrowsError(try FourierSeriesSampler(points: 0))
  }
}
