import Foundation

/// Watches the highest waves of a viscous flow: a solution that the grid resolves has next to nothing there.
///
/// A rough initial field may hold something there at first. Viscosity alone shrinks that by 10^5 within a known
/// time; from then on (at the latest at the end), what is left comes from the flow itself. While a front is
/// sharpest, this share was measured to be the relative error that the grid causes, or a little more.
struct ResolutionMonitor {
  enum Problem {
    case notFinite
    /// The amplitude of the highest waves, as a share of the largest initial wave.
    case underResolved(Double)
  }

  private let band: ClosedRange<Int>
  private let peak: Double
  private let limit: Double
  private let firstCheck: Int

  /// - Parameter initial: coefficients of waves 0 … highest; wave 0 is left aside.
  init(_ initial: UnsafeBufferPointer<SIMD2<Double>>, viscosity: Double, endTime: Double, steps: Int) {
    let highest = initial.count - 1
    band = max(1, highest - highest / 16)...highest
    peak = initial.dropFirst().reduce(0) { max($0, ($1 * $1).sum()) }
    limit = peak * Self.tolerance * Self.tolerance
    let angular = 2 * Double.pi * Double(band.lowerBound)
    let damped = -log(Self.tolerance) / (viscosity * angular * angular)
    firstCheck = damped < endTime ? Int((Double(steps) * damped / endTime).rounded(.up)) : steps
  }

  private static let tolerance = 1e-5

  /// What is wrong with the solution after `step` steps, if anything. O(waves in the band).
  func check(_ state: UnsafeBufferPointer<SIMD2<Double>>, step: Int) -> Problem? {
    var largest = 0.0
    var sum = 0.0
    for k in band {
      let square = (state[k] * state[k]).sum()
      largest = max(largest, square)
      sum += square
    }
    guard sum.isFinite else { return .notFinite }
    return step < firstCheck || largest <= limit ? nil : .underResolved((largest / peak).squareRoot())
  }
}
