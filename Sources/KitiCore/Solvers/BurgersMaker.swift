/// Makes samples for operator learning: the initial field u(x, 0) of Burgers' equation, drawn from a Gaussian
/// random field, and the solution u(x, endTime), both at x = j / resolution.
///
/// A sample is a function of its normal numbers alone; samples made at two resolutions from the same numbers are
/// the same functions at other points. One maker serves one thread at a time; its work space is made once.
public final class BurgersMaker {
  /// Points of a sample, a divisor of the solver's grid.
  public let resolution: Int
  public let field: GaussianRandomField
  public let solver: BurgersSolver

  private let sampler: FourierSeriesSampler
  private let series: UnsafeMutableBufferPointer<Double>
  private let solution: UnsafeMutableBufferPointer<Double>

  /// - Parameters:
  ///   - resolution: points of a sample, at least 2.
  ///   - viscosity: ν > 0, in units of length² / time.
  ///   - gridPoints: points of the solver's grid, an even multiple of `resolution`; by default the smallest such
  ///     with at least 1,024 points. With ν = 0.1 the solution then agrees with one on 4,096 points to 1e-13.
  ///   - endTime: the time of the targets.
  ///   - field: the distribution of the initial fields.
  /// - Throws: `KitiError` of kind `.usage` for values out of range.
  public init(
    resolution: Int, viscosity: Double = 0.1, gridPoints: Int? = nil, endTime: Double = 1,
    timeStep: BurgersSolver.TimeStep = .automatic, field: GaussianRandomField = .burgers
  ) throws {
    guard resolution >= 2, resolution <= 1 << 24 else {
      throw KitiError(
        .usage, "Burgers samples of \(resolution) points cannot be made.",
        remedy: "Give a resolution of at least 2, such as 1024.")
    }
    let grid = gridPoints ?? Self.defaultGridPoints(resolution: resolution)
    guard grid % resolution == 0 else {
      throw KitiError(
        .usage, "A solver grid of \(grid) points does not hold every point of samples of \(resolution) points.",
        remedy: "Use a multiple of the resolution, such as \(Self.defaultGridPoints(resolution: resolution)).")
    }
    self.resolution = resolution
    self.field = field
    solver = try BurgersSolver(
      viscosity: viscosity, gridPoints: grid, endTime: endTime, timeStep: timeStep)
    sampler = try FourierSeriesSampler(points: resolution)
    series = .allocate(capacity: field.normalCount)
    series.initialize(repeating: 0)
    solution = .allocate(capacity: grid)
    solution.initialize(repeating: 0)
  }

  deinit {
    series.deallocate()
    solution.deallocate()
  }

  /// The smallest even multiple of `resolution` with at least 1,024 points.
  public static func defaultGridPoints(resolution: Int) -> Int {
    let factor = max(1, (1024 + resolution - 1) / resolution)
    return resolution * (resolution % 2 == 0 || factor % 2 == 0 ? factor : factor + 1)
  }

  /// Makes one sample.
  ///
  /// - Parameters:
  ///   - sample: the sample's number, for error messages.
  ///   - normals: `[field.normalCount]` standard normal numbers, in the order constant, cos 1, sin 1, cos 2, …
  ///   - input: `[resolution]`, on return u(j / resolution, 0).
  ///   - target: `[resolution]`, on return u(j / resolution, endTime).
  /// - Throws: `KitiError` of kind `.usage` for buffers of another length, else as `BurgersSolver.solve`.
  public func makeSample(
    _ sample: Int, normals: UnsafeBufferPointer<Double>, input: UnsafeMutableBufferPointer<Float>,
    target: UnsafeMutableBufferPointer<Float>
  ) throws {
    guard normals.count == field.normalCount else {
      throw KitiError(
        .usage, "A Burgers sample needs \(field.normalCount) normal numbers, not \(normals.count).",
        remedy: "Pass as many numbers as the field's `normalCount` says.")
    }
    _ = series.update(from: normals)
    try makeSampleFromSeries(sample, input: input, target: target)
  }

  /// Makes samples `range`, one after the other.
  ///
  /// - Parameters:
  ///   - range: the numbers of the samples.
  ///   - normals: fills `[field.normalCount]` standard normal numbers for a sample, from its number alone.
  /// - Returns: inputs and targets, each `[range.count, resolution]`.
  /// - Throws: as `makeSample`, and what `normals` throws.
  public func makeSamples(
    _ range: Range<Int>, normals: (_ sample: Int, _ numbers: UnsafeMutableBufferPointer<Double>) throws -> Void
  ) throws -> (inputs: [Float], targets: [Float]) {
    var inputs = [Float](repeating: 0, count: range.count * resolution)
    var targets = inputs
    try inputs.withUnsafeMutableBufferPointer { inputs in
      try targets.withUnsafeMutableBufferPointer { targets in
        for sample in range {
          let place = (sample - range.lowerBound) * resolution
          let points = place..<place + resolution
          try normals(sample, series)
          try makeSampleFromSeries(
            sample, input: .init(rebasing: inputs[points]), target: .init(rebasing: targets[points]))
        }
      }
    }
    return (inputs, targets)
  }

  /// Makes one sample from the normal numbers in `series`, which are overwritten.
  private func makeSampleFromSeries(
    _ sample: Int, input: UnsafeMutableBufferPointer<Float>, target: UnsafeMutableBufferPointer<Float>
  ) throws {
    guard input.count == resolution, target.count == resolution else {
      throw KitiError(
        .usage,
        "Buffers of \(input.count) and \(target.count) points cannot hold a Burgers sample of \(resolution) points.",
        remedy: "Pass buffers of the maker's resolution.")
    }
    try field.scale(series)
    try solver.solve(series: UnsafeBufferPointer(series), into: solution, sample: sample)
    let initial = sampler.evaluate(UnsafeBufferPointer(series))
    let spacing = solver.gridPoints / resolution
    for j in 0..<resolution {
      input[j] = Float(initial[j])
      target[j] = Float(solution[j * spacing])
    }
  }
}
