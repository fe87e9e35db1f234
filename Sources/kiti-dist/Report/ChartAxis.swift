import Foundation

/// The numbers along one side of a chart, and where they lie.
struct ChartAxis {
  let isLogarithmic: Bool
  /// The first and the last number of the axis.
  let range: ClosedRange<Double>
  /// Where numbers are written.
  let ticks: [Double]

  /// - Parameters:
  ///   - values: all that is drawn; those that the scale cannot show are left out.
  ///   - includesZero: begin at zero, as shares and times do.
  ///   - isTight: end at the largest number instead of at the next tick.
  init(
    _ values: some Sequence<Double>, isLogarithmic: Bool = false, includesZero: Bool = false, isTight: Bool = false
  ) {
    self.isLogarithmic = isLogarithmic
    let shown = values.filter { abs($0) < Self.largest && (!isLogarithmic || $0 > 0) }
    var low = shown.min() ?? (isLogarithmic ? 0.1 : 0)
    var high = shown.max() ?? 1
    if isLogarithmic {
      (range, ticks) = Self.logarithmic(low, high)
      return
    }
    if includesZero { (low, high) = (min(low, 0), max(high, 0)) }
    if low == high {
      let room = low == 0 ? 1 : abs(low) * 0.1
      (low, high) = (includesZero && low >= 0 ? 0 : low - room, high + room)
    }
    let step = Self.step(high - low)
    let first = isTight ? low : (low / step).rounded(.down) * step
    let last = isTight ? high : (high / step).rounded(.up) * step
    range = first...(last > first ? last : first + max(1, abs(first)))
    let count = Int(((last - first) / step + 1e-9).rounded(.down))
    let start = (first / step).rounded(.up) * step
    ticks = (0...count).map { start + Double($0) * step }.filter { $0 <= last + step * 1e-9 }
  }

  /// Beyond it differences of numbers are none.
  private static let largest = 1e100

  /// 1, 2 or 5 times a power of ten: four to six of them make up the length.
  private static func step(_ length: Double) -> Double {
    let power = pow(10, log10(length / 5).rounded(.down))
    let share = length / 5 / power
    return power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10)
  }

  /// Powers of ten, with their halves and doubles where there are few of them.
  private static func logarithmic(_ low: Double, _ high: Double) -> (ClosedRange<Double>, [Double]) {
    let (first, last) = (log10(low), log10(max(high, low * 1.2)))
    let decades = Int(first.rounded(.down))...Int(last.rounded(.up))
    let factors: [Double] = last - first < 2.5 ? [1, 2, 5] : [1]
    let all = decades.flatMap { decade in factors.map { pow(10, Double(decade)) * $0 } }
    let begin = all.last { $0 <= low * 1.0001 } ?? low
    let end = all.first { $0 >= pow(10, last) * 0.9999 } ?? high
    let every = max(1, Int((last - first) / 6))
    let ticks = all.filter { $0 >= begin * 0.9999 && $0 <= end * 1.0001 }
    return (begin...end, ticks.enumerated().filter { $0.offset % every == 0 }.map(\.element))
  }

  /// Where a number lies: 0 at the beginning of the axis, 1 at its end; nil if the scale cannot show it.
  func place(_ value: Double) -> Double? {
    guard value.isFinite, !isLogarithmic || value > 0 else { return nil }
    let (low, high) = (range.lowerBound, range.upperBound)
    return isLogarithmic
      ? (log10(value) - log10(low)) / (log10(high) - log10(low)) : (value - low) / (high - low)
  }

  /// A tick as it is written.
  func text(_ tick: Double) -> String {
    // The last digits of 3 · 0.1 are rounding.
    Markup.number(abs(tick) < 1e-9 * (range.upperBound - range.lowerBound) ? 0 : tick)
  }
}
