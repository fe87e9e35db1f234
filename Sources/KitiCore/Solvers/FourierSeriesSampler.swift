/// Evaluates a real Fourier series of period 1 on an even grid, exactly for any number of terms: waves the grid
/// cannot tell apart are added up before one transform.
///
/// One sampler serves one thread at a time; evaluation allocates nothing.
public final class FourierSeriesSampler {
  /// Number of grid points; point j lies at x = j / points.
  public let points: Int
  private let transform: RealFourierTransform

  /// - Throws: `KitiError` of kind `.usage` if `points` is below 1.
  public init(points: Int) throws {
    transform = try RealFourierTransform(points: points)
    self.points = points
  }

  /// The values of the series at all grid points, `[points]`, valid until the next call.
  ///
  /// - Parameter series: the factors of 1, cos 2πx, sin 2πx, cos 4πx, …: `1 + 2K` numbers; none means 0.
  /// - Complexity: O(K + points log points).
  public func evaluate(_ series: UnsafeBufferPointer<Double>) -> UnsafeBufferPointer<Double> {
    let coefficients = transform.coefficients
    coefficients.update(repeating: .zero)
    if let constant = series.first { coefficients[0].x = constant }
    for k in stride(from: 1, through: (series.count - 1) / 2, by: 1) {
      let cosine = series[2 * k - 1]
      let sine = series[2 * k]
      let alias = k % points
      if alias == 0 || 2 * alias == points {
        coefficients[alias].x += cosine
      } else if 2 * alias < points {
        coefficients[alias] += SIMD2(0.5 * cosine, -0.5 * sine)
      } else {
        coefficients[points - alias] += SIMD2(0.5 * cosine, 0.5 * sine)
      }
    }
    transform.inverse()
    return UnsafeBufferPointer(transform.values)
  }
}
