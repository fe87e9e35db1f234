import CFFTW
import Foundation

/// A pair of discrete Fourier transforms between `points` equally spaced real values of a function of
/// period 1 and its Fourier coefficients, in double precision.
///
/// With values `u_j = u(j / points)` and coefficients `c_k`, k = 0 … points / 2,
/// `u_j = c_0 + Σ_{k ≥ 1} 2 Re(c_k exp(2πi j k / points))`; for even `points` the last term, k = points / 2,
/// is counted once. A coefficient is stored as (real part, imaginary part).
///
/// The buffers belong to the transform and are reused; one transform serves one thread at a time. Plans are
/// made without timing, so that the same input gives the same bits in every run.
package final class RealFourierTransform {
  /// Number of grid points, at least 1.
  package let points: Int
  /// Number of coefficients, `points / 2 + 1`.
  package let coefficientCount: Int
  /// Function values, `[points]`.
  package let values: UnsafeMutableBufferPointer<Double>
  /// Fourier coefficients, `[coefficientCount]`.
  package let coefficients: UnsafeMutableBufferPointer<SIMD2<Double>>

  private let forwardPlan: OpaquePointer
  private let inversePlan: OpaquePointer

  /// FFTW makes and destroys plans through shared tables, one thread at a time.
  private static let planning = NSLock()

  /// - Throws: `KitiError` of kind `.usage` if `points` is below 1 or beyond FFTW's 32-bit sizes, `.failed`
  ///   if memory runs out.
  package init(points: Int) throws {
    guard points >= 1, let size = Int32(exactly: points) else {
      throw KitiError(
        .usage, "A Fourier transform of \(points) points is impossible.",
        remedy: "Use between 1 and \(Int32.max) grid points.")
    }
    self.points = points
    coefficientCount = points / 2 + 1
    let real = fftw_malloc(points * MemoryLayout<Double>.stride)
    let complex = fftw_malloc(coefficientCount * MemoryLayout<SIMD2<Double>>.stride)
    guard let real, let complex else {
      fftw_free(real)
      fftw_free(complex)
      throw KitiError(
        .failed, "Out of memory for a Fourier transform of \(points) points.",
        remedy: "Use fewer grid points.")
    }
    let samples = real.bindMemory(to: Double.self, capacity: points)
    values = UnsafeMutableBufferPointer(start: samples, count: points)
    let pairs = complex.bindMemory(to: SIMD2<Double>.self, capacity: coefficientCount)
    coefficients = UnsafeMutableBufferPointer(start: pairs, count: coefficientCount)
    values.initialize(repeating: 0)
    coefficients.initialize(repeating: .zero)

    let transformed = UnsafeMutableRawPointer(pairs).assumingMemoryBound(to: fftw_complex.self)
    let plans = Self.planning.withLock {
      (
        fftw_plan_dft_r2c_1d(size, samples, transformed, Self.planFlags),
        fftw_plan_dft_c2r_1d(size, transformed, samples, Self.planFlags)
      )
    }
    guard let forward = plans.0, let inverse = plans.1 else {
      fftw_free(real)
      fftw_free(complex)
      throw KitiError(
        .failed, "FFTW cannot plan a transform of \(points) points.", remedy: "Use fewer grid points.")
    }
    forwardPlan = forward
    inversePlan = inverse
  }

  /// `FFTW_ESTIMATE | FFTW_DESTROY_INPUT`: no timing, and leave to overwrite the source.
  private static let planFlags: UInt32 = 1 << 6 | 1 << 0

  deinit {
    Self.planning.withLock {
      fftw_destroy_plan(forwardPlan)
      fftw_destroy_plan(inversePlan)
    }
    fftw_free(values.baseAddress)
    fftw_free(coefficients.baseAddress)
  }

  /// `coefficients` from `values`, times `points` (the caller divides where it multiplies anyway);
  /// `values` are overwritten. O(points log points).
  package func forwardUnscaled() { fftw_execute(forwardPlan) }

  /// `values` from `coefficients`, which are overwritten. O(points log points).
  package func inverse() { fftw_execute(inversePlan) }
}
