import Foundation

/// Solves Burgers' equation `u_t + u u_x = ν u_xx` on x ∈ [0, 1), periodic, from t = 0 to t = `endTime`.
///
/// Space: Fourier series with the conservative product `−½ (u²)_x`, waves k < gridPoints / 3 kept (the 2/3 rule:
/// their products are free of aliasing). Time: fourth-order exponential differencing (`ExponentialStep`), which
/// takes the viscous term exactly. The mean m of u is constant; it is taken out beforehand and the result is
/// moved by m · endTime, which is exact and keeps a strong drift from asking for small steps.
///
/// All work space is made once; a solver may be used for any number of samples, by one thread at a time. The
/// result depends on the initial field alone, not on earlier samples.
public final class BurgersSolver {
  /// How the time step is chosen.
  public enum TimeStep: Sendable, Equatable {
    /// At least 512 equal steps, and so many that `h · U · k ≤ 1/4` where U = max |u_0 − mean| and
    /// `k = min(U / ν, 2π gridPoints / 3)` is the highest angular wave number that the solution carries: a
    /// front of height U is U / ν steep, finer waves are damped. Their number is rounded up to a power of two.
    ///
    /// Measured for the random fields of Li et al. (standard deviation 1.16), ν from 0.001 to 1: root mean square
    /// error in time below 1e-9, and with ν = 0.1 below 2e-8 of the solution, which has then decayed.
    case automatic
    /// Equal steps no longer than this.
    case atMost(Double)
  }

  /// ν, in units of length² / time.
  public let viscosity: Double
  /// Number of grid points; point j lies at x = j / gridPoints.
  public let gridPoints: Int
  public let endTime: Double
  public let timeStep: TimeStep
  /// The number of steps that the last solution took.
  public private(set) var lastStepCount = 0

  /// The highest wave number kept, the largest below gridPoints / 3.
  private let highest: Int
  private let transform: RealFourierTransform
  private let workspace: ModeWorkspace
  private var steps: [Int: [ExponentialStep]] = [:]

  /// - Parameters:
  ///   - viscosity: ν > 0.
  ///   - gridPoints: even, 4 to 2^24; powers of two are fastest.
  ///   - endTime: > 0.
  /// - Throws: `KitiError` of kind `.usage` for values out of range.
  public init(viscosity: Double, gridPoints: Int, endTime: Double = 1, timeStep: TimeStep = .automatic) throws {
    guard viscosity > 0, viscosity.isFinite else {
      throw KitiError(
        .usage, "The Burgers solver cannot use viscosity \(viscosity).",
        remedy: "Give a finite number above 0, such as 0.1.")
    }
    guard (4...Self.mostPoints).contains(gridPoints), gridPoints % 2 == 0 else {
      throw KitiError(
        .usage, "The Burgers solver cannot use a grid of \(gridPoints) points.",
        remedy: "Give an even number from 4 to \(Self.mostPoints), best a power of two such as 1024.")
    }
    guard endTime > 0, endTime.isFinite else {
      throw KitiError(
        .usage, "The Burgers solver cannot end at time \(endTime).", remedy: "Give a finite time above 0.")
    }
    if case .atMost(let step) = timeStep, !(step > 0 && step.isFinite) {
      throw KitiError(
        .usage, "The Burgers solver cannot use a time step of \(step).",
        remedy: "Give a finite number above 0, or let the solver choose.")
    }
    self.viscosity = viscosity
    self.gridPoints = gridPoints
    self.endTime = endTime
    self.timeStep = timeStep
    highest = (gridPoints - 1) / 3
    transform = try RealFourierTransform(points: gridPoints)
    workspace = ModeWorkspace(modes: highest)
  }

  deinit { workspace.deallocate() }

  /// Advances a field, in place, by `endTime`. Calling it again goes on from there.
  ///
  /// - Parameters:
  ///   - values: `[gridPoints]`, u(j / gridPoints, 0) on entry and u(j / gridPoints, endTime) on return;
  ///     unchanged on an error. Waves beyond the 2/3 rule are dropped.
  ///   - sample: the sample's number, for error messages.
  /// - Throws: `KitiError` of kind `.badData` if a value is not finite, `.usage` if the buffer has another
  ///   length, `.failed` as described at `solve(series:into:sample:)`.
  /// - Complexity: O(steps · gridPoints · log gridPoints), no allocation except at the first use of a step.
  public func solve(_ values: UnsafeMutableBufferPointer<Double>, sample: Int? = nil) throws {
    try checkLength(values.count)
    try checkFinite(UnsafeBufferPointer(values), sample)
    _ = transform.values.update(from: values)
    transform.forwardUnscaled()
    let scale = 1 / Double(gridPoints)
    for k in 0...highest { workspace.state[k] = transform.coefficients[k] * scale }
    try advance(sample)
    _ = values.update(from: transform.values)
  }

  /// Solves from an initial field given as a Fourier series, so that grids of any size start from the same
  /// function.
  ///
  /// - Parameters:
  ///   - series: the factors of 1, cos 2πx, sin 2πx, cos 4πx, …; waves beyond the 2/3 rule are dropped.
  ///   - values: `[gridPoints]`, on return u(j / gridPoints, endTime).
  ///   - sample: the sample's number, for error messages.
  /// - Throws: `KitiError` of kind `.badData` if a factor is not finite, `.usage` if `values` has another
  ///   length, `.failed` if the solution stops being finite, the grid is too coarse for it (the highest waves
  ///   hold more than 1e-5 of the initial amplitude although viscosity has had time to damp what they held at
  ///   the start), or more than 2^22 steps are needed.
  public func solve(
    series: UnsafeBufferPointer<Double>, into values: UnsafeMutableBufferPointer<Double>, sample: Int? = nil
  ) throws {
    try checkLength(values.count)
    try checkFinite(series, sample)
    workspace.state.update(repeating: .zero)
    if let constant = series.first { workspace.state[0].x = constant }
    for k in stride(from: 1, through: min(highest, (series.count - 1) / 2), by: 1) {
      workspace.state[k] = SIMD2(0.5 * series[2 * k - 1], -0.5 * series[2 * k])
    }
    try advance(sample)
    _ = values.update(from: transform.values)
  }

  private func checkLength(_ count: Int) throws {
    guard count == gridPoints else {
      throw KitiError(
        .usage, "The Burgers solver was given \(count) values for a grid of \(gridPoints) points.",
        remedy: "Pass one value for each grid point.")
    }
  }

  private func checkFinite(_ numbers: UnsafeBufferPointer<Double>, _ sample: Int?) throws {
    guard numbers.allSatisfy(\.isFinite) else {
      throw KitiError(
        .badData, "The initial field of \(Self.name(sample)) holds values that are not finite.",
        remedy: "Check the data or the random field it comes from.")
    }
  }

  private static func name(_ sample: Int?) -> String { sample.map { "Burgers sample \($0)" } ?? "a Burgers sample" }
}

// MARK: Time stepping

extension BurgersSolver {
  /// Takes the coefficients in `workspace.state` to the values at the end time, in `transform.values`.
  private func advance(_ sample: Int?) throws {
    let state = workspace.state
    let mean = state[0].x
    state[0] = .zero
    let count = try stepCount(sample)
    let step = coefficients(count)
    let monitor = ResolutionMonitor(
      UnsafeBufferPointer(state), viscosity: viscosity, endTime: endTime, steps: count)
    try step.withUnsafeBufferPointer { step in
      loadState()
      for number in 1...count {
        takeStep(step)
        if let problem = monitor.check(UnsafeBufferPointer(state), step: number) {
          throw error(problem, sample, time: endTime * Double(number) / Double(count))
        }
      }
    }
    lastStepCount = count

    let waves = transform.coefficients
    let shift = (mean * endTime).truncatingRemainder(dividingBy: 1)
    waves[0] = SIMD2(mean, 0)
    for k in stride(from: 1, through: highest, by: 1) {
      let angle = -2 * Double.pi * (Double(k) * shift).truncatingRemainder(dividingBy: 1)
      let (c, s) = (cos(angle), sin(angle))
      let wave = state[k]
      waves[k] = SIMD2(wave.x * c - wave.y * s, wave.x * s + wave.y * c)
    }
    clearUnusedWaves()
    transform.inverse()
  }

  /// One step of `ExponentialStep` on `workspace.state`; the transform holds a copy of the state before and after.
  private func takeStep(_ step: UnsafeBufferPointer<ExponentialStep>) {
    let waves = transform.coefficients
    let (state, stage) = (workspace.state, workspace.stage)
    let (start, sum) = (workspace.start, workspace.sum)
    let scale = Double.pi / Double(gridPoints)
    transformSquare()
    for k in 1...highest {
      let n = Self.advection(waves[k], scale * Double(k))
      let next = step[k].half * state[k] + step[k].stage * n
      start[k] = n
      stage[k] = next
      waves[k] = next
    }
    transformSquare()
    for k in 1...highest {
      let n = Self.advection(waves[k], scale * Double(k))
      sum[k] = n
      waves[k] = step[k].half * state[k] + step[k].stage * n
    }
    transformSquare()
    for k in 1...highest {
      let n = Self.advection(waves[k], scale * Double(k))
      sum[k] += n
      waves[k] = step[k].half * stage[k] + step[k].stage * (2 * n - start[k])
    }
    transformSquare()
    for k in 1...highest {
      let n = Self.advection(waves[k], scale * Double(k))
      let linear = step[k].full * state[k] + step[k].first * start[k]
      let next = linear + (2 * step[k].middle) * sum[k] + step[k].last * n
      state[k] = next
      waves[k] = next
    }
  }

  /// `−½ (u²)_x` of one wave: −iπk times the coefficient of u².
  @inline(__always)
  private static func advection(_ square: SIMD2<Double>, _ factor: Double) -> SIMD2<Double> {
    SIMD2(factor * square.y, -factor * square.x)
  }

  /// From the coefficients of u to those of u², times `gridPoints`, in the transform.
  private func transformSquare() {
    transform.coefficients[0] = .zero
    clearUnusedWaves()
    transform.inverse()
    let values = transform.values
    for j in 0..<gridPoints { values[j] *= values[j] }
    transform.forwardUnscaled()
  }

  private func loadState() {
    for k in 0...highest { transform.coefficients[k] = workspace.state[k] }
  }

  private func clearUnusedWaves() {
    transform.coefficients[(highest + 1)...].update(repeating: .zero)
  }

  /// The number of steps for the field in `workspace.state`, whose mean is 0.
  private func stepCount(_ sample: Int?) throws -> Int {
    let wanted: Double
    switch timeStep {
    case .atMost(let step):
      wanted = (endTime / step * (1 - 1e-12)).rounded(.up)
    case .automatic:
      loadState()
      clearUnusedWaves()
      transform.inverse()
      let amplitude = transform.values.reduce(0) { max($0, abs($1)) }
      let steepest = min(amplitude / viscosity, 2 * Double.pi * Double(highest))
      wanted = max(Double(Self.fewestSteps), 4 * endTime * amplitude * steepest)
    }
    guard wanted <= Double(Self.mostSteps) else {
      throw KitiError(
        .failed, "Too many time steps: \(Self.name(sample)) would take \(wanted), more than \(Self.mostSteps).",
        remedy: "Use a larger viscosity, a smaller initial field, an earlier end or a coarser grid or step.")
    }
    guard timeStep == .automatic else { return max(1, Int(wanted)) }
    var count = Self.fewestSteps
    while Double(count) < wanted { count *= 2 }
    return count
  }

  private static let fewestSteps = 512
  private static let mostSteps = 1 << 22
  private static let mostPoints = 1 << 24

  /// The step's coefficients for waves 0 … highest, kept for the next sample with the same step.
  private func coefficients(_ count: Int) -> [ExponentialStep] {
    if let known = steps[count] { return known }
    let made = (0...highest).map { k in
      let angular = 2 * Double.pi * Double(k)
      return ExponentialStep(rate: -viscosity * angular * angular, step: endTime / Double(count))
    }
    steps[count] = made
    return made
  }

  private func error(_ problem: ResolutionMonitor.Problem, _ sample: Int?, time: Double) -> KitiError {
    let place = "at time \(time) on a grid of \(gridPoints) points with viscosity \(viscosity)"
    let step = timeStep == .automatic ? "" : ", a shorter time step"
    switch problem {
    case .notFinite:
      return KitiError(
        .failed, "The solution of \(Self.name(sample)) stopped being finite \(place).",
        remedy: "Use a larger grid\(step) or a larger viscosity.")
    case .underResolved(let share):
      return KitiError(
        .failed,
        "The grid is too coarse for \(Self.name(sample)): "
          + "the highest waves hold \(share) of the initial amplitude \(place).",
        remedy: "Use a larger grid, such as \(2 * gridPoints) points\(step) or a larger viscosity.")
    }
  }
}

/// Coefficients of waves 0 … modes: the solution and what one step keeps of its stages.
private struct ModeWorkspace {
  let state: UnsafeMutableBufferPointer<SIMD2<Double>>
  let stage: UnsafeMutableBufferPointer<SIMD2<Double>>
  let start: UnsafeMutableBufferPointer<SIMD2<Double>>
  let sum: UnsafeMutableBufferPointer<SIMD2<Double>>

  init(modes: Int) {
    func make() -> UnsafeMutableBufferPointer<SIMD2<Double>> {
      let buffer = UnsafeMutableBufferPointer<SIMD2<Double>>.allocate(capacity: modes + 1)
      buffer.initialize(repeating: .zero)
      return buffer
    }
    (state, stage, start, sum) = (make(), make(), make(), make())
  }

  func deallocate() { for buffer in [state, stage, start, sum] { buffer.deallocate() } }
}
