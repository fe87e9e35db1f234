import Foundation

/// A Gaussian random function of period 1 with mean 0 and covariance `variance · (−Δ + shift)^(−exponent)`,
/// as the first terms of its Karhunen–Loève series:
///
///     u(x) = √λ_0 ξ_0 + Σ_{k=1}^{modes} √(2 λ_k) (ξ_{2k−1} cos 2πkx + ξ_{2k} sin 2πkx),
///     λ_k = variance · ((2πk)² + shift)^(−exponent),
///
/// with independent standard normal ξ. The series, and so the function, depends on the normal numbers alone,
/// whatever grid it is evaluated on. Source: Z. Li et al., *Fourier Neural Operator for Parametric Partial
/// Differential Equations* (arXiv 2010.08895), §5.1.
public struct GaussianRandomField: Sendable {
  public let variance: Double
  public let shift: Double
  public let exponent: Double
  /// The highest wave number of the series.
  public let modes: Int

  /// The initial fields of Li et al., §5.1: `N(0, 625 (−Δ + 25)^(−2))`. The terms left out beyond 1,024 waves
  /// have a standard deviation of 1.6e-5 at a point, of 1.16 for the whole field.
  public static let burgers = GaussianRandomField(
    uncheckedVariance: 625, shift: 25, exponent: 2, modes: 1024)

  /// - Throws: `KitiError` of kind `.usage` unless `variance` ≥ 0, `shift` > 0, `exponent` > 1/2 (below, the
  ///   field has no finite variance at a point), all finite, and `modes` is from 0 to 2^24.
  public init(variance: Double, shift: Double, exponent: Double, modes: Int) throws {
    guard variance >= 0, variance.isFinite, shift > 0, shift.isFinite, exponent > 0.5, exponent.isFinite,
      (0...1 << 24).contains(modes)
    else {
      throw KitiError(
        .usage,
        "There is no random field of variance \(variance), shift \(shift), exponent \(exponent) and \(modes) modes.",
        remedy: "Give a variance of at least 0, a shift above 0, an exponent above 1/2 and 0 to 2^24 modes.")
    }
    self.init(uncheckedVariance: variance, shift: shift, exponent: exponent, modes: modes)
  }

  private init(uncheckedVariance variance: Double, shift: Double, exponent: Double, modes: Int) {
    self.variance = variance
    self.shift = shift
    self.exponent = exponent
    self.modes = modes
  }

  /// How many normal numbers make one field: `1 + 2 · modes`, in the order constant, cos 1, sin 1, cos 2, …
  public var normalCount: Int { 1 + 2 * modes }

  /// The eigenvalue λ_k of the covariance for wave number k.
  public func eigenvalue(_ waveNumber: Int) -> Double {
    let angular = 2 * Double.pi * Double(waveNumber)
    return variance * pow(angular * angular + shift, -exponent)
  }

  /// Turns standard normal numbers, in place, into the field's Fourier series.
  ///
  /// - Parameter series: `[normalCount]`, on return the factors of 1, cos 2πx, sin 2πx, cos 4πx, …
  /// - Throws: `KitiError` of kind `.usage` if the buffer has another length.
  public func scale(_ series: UnsafeMutableBufferPointer<Double>) throws {
    guard series.count == normalCount else {
      throw KitiError(
        .usage, "A random field of \(modes) modes needs \(normalCount) normal numbers, not \(series.count).",
        remedy: "Pass as many numbers as `normalCount` says.")
    }
    series[0] *= eigenvalue(0).squareRoot()
    for k in stride(from: 1, through: modes, by: 1) {
      let factor = (2 * eigenvalue(k)).squareRoot()
      series[2 * k - 1] *= factor
      series[2 * k] *= factor
    }
  }
}
