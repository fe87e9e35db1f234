import Foundation

/// Thresholds for statistical tests. The seeds are fixed, so that a test that passes once always passes; the odds say
/// how likely a correct generator would have failed when the seed was chosen.
enum Statistics {
  /// One in a million, two-sided: standard errors.
  static let standardErrors = 4.89

  /// Σ (observed − expected)² / expected.
  static func chiSquare(_ observed: [Int], expected: [Double]) -> Double {
    zip(observed, expected).reduce(0) { sum, cell in
      let difference = Double(cell.0) - cell.1
      return sum + difference * difference / cell.1
    }
  }

  /// The value that χ² exceeds with odds of one in a million (Wilson and Hilferty, 1931).
  static func chiSquareLimit(degrees: Int) -> Double {
    let k = Double(degrees)
    let term = 1 - 2 / (9 * k) + 4.753 * (2 / (9 * k)).squareRoot()
    return k * term * term * term
  }

  /// The value that the Kolmogorov–Smirnov distance of n draws exceeds with odds of one in a million:
  /// 2·exp(−2nD²) = 1e-6.
  static func kolmogorovLimit(count: Int) -> Double {
    (log(2e6) / (2 * Double(count))).squareRoot()
  }

  static func kolmogorovDistance(_ values: [Float], distribution: (Double) -> Double) -> Double {
    let sorted = values.sorted()
    let n = Double(sorted.count)
    var distance = 0.0
    for (index, value) in sorted.enumerated() {
      let expected = distribution(Double(value))
      distance = max(distance, abs(expected - Double(index) / n), abs(Double(index + 1) / n - expected))
    }
    return distance
  }

  static func normalDistribution(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }
}
