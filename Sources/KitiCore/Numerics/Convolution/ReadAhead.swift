import CVector

/// What comes next, asked for line by line while something else is computed, so that memory and arithmetic work at the same
/// time. The processor's own fetching ahead begins only once an array is being read, and stops at the end of a page.
struct ReadAhead {
  /// More than this would drive what is being computed out of the second-level cache.
  private static let mostLines = 320 * 1_024 / 64
  private static let floatsPerLine = 16

  private struct Part {
    var start: UnsafeRawPointer
    var lines: Int
  }

  private var parts = InlineArray<7, Part?>(repeating: nil)
  private var count = 0
  private var total = 0
  private var linesPerTurn = 0
  /// The next line: a part and a place in it.
  private var part = 0
  private var line = 0

  /// Adds places of an array `[places, channels]`, unless the array has been added.
  mutating func add(_ array: UnsafePointer<Float>?, _ places: Range<Int>, channels: Int) {
    guard let array, !places.isEmpty else { return }
    let start = UnsafeRawPointer(array + places.lowerBound * channels)
    for index in 0..<count where parts[index]?.start == start { return }
    let lines = (places.count * channels + Self.floatsPerLine - 1) / Self.floatsPerLine
    parts[count] = Part(start: start, lines: lines)
    count += 1
    total += lines
  }

  /// Adds what the end of a gradient's way reads.
  ///
  /// - Parameter others: places of the other gradient.
  mutating func add(_ finish: GradientFinish, _ places: Range<Int>, others: Range<Int>, channels: Int) {
    add(finish.other, others, channels: channels)
    add(finish.sums?.factor, places, channels: channels)
    switch finish.mask {
    case .none: break
    case .rectified(let values), .normalized(let values, _, _): add(values, places, channels: channels)
    }
  }

  /// Cuts all into so many turns.
  mutating func spread(over turns: Int) {
    linesPerTurn = total <= Self.mostLines ? (total + turns - 1) / turns : 0
  }

  /// Asks for the lines of a turn.
  @inline(__always)
  mutating func advance() {
    if linesPerTurn > 0, part < count { fetch() }
  }

  @inline(never)
  private mutating func fetch() {
    var left = linesPerTurn
    while left > 0, part < count, let current = parts[part] {
      let turn = min(left, current.lines &- line)
      var address = current.start + 64 &* line
      for _ in 0..<turn {
        kiti_fetch(address)
        address += 64
      }
      left &-= turn
      line &+= turn
      if line == current.lines { (part, line) = (part &+ 1, 0) }
    }
  }
}
