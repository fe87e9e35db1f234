import KitiCore

extension BurgersSolver {
  func solved(_ start: [Double], sample: Int? = nil) throws -> [Double] {
    var values = start
    try values.withUnsafeMutableBufferPointer { try solve($0, sample: sample) }
    return values
  }
}

extension [Double] {
  var mean: Double { reduce(0, +) / Double(count) }
  /// The mean of the squares.
  var energy: Double { reduce(0) { $0 + $1 * $1 } / Double(count) }
}

func relativeError(_ values: [Double], _ reference: [Double]) -> Double {
  (zip(values, reference).map(-).energy / reference.energy).squareRoot()
}

/// The Fourier series of sample number `sample` of the random initial fields.
func randomSeries(_ sample: Int, field: GaussianRandomField = .burgers) throws -> [Double] {
  var numbers = NormalNumbers(seed: sample)
  var series = (0..<field.normalCount).map { _ in numbers.next() }
  try series.withUnsafeMutableBufferPointer { try field.scale($0) }
  return series
}

func evaluate(_ series: [Double], points: Int) throws -> [Double] {
  let sampler = try FourierSeriesSampler(points: points)
  return series.withUnsafeBufferPointer { Array(sampler.evaluate($0)) }
}
