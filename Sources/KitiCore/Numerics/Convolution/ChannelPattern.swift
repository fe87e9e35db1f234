/// Sweeps over numbers `[places, channels]` in whole vectors, whatever the number of channels.
///
/// Numbers of each channel are laid out once for the shortest run of places that is a whole number of groups of four
/// vectors; every sweep begins at channel 0 and repeats that run.
struct ChannelPattern {
  let channels: Int
  /// Floats after which the pattern repeats: a multiple of the channels and of four vectors.
  let period: Int

  private static var group: Int { 4 &* width }
  /// Rows of the pattern that are summed in fp32 before they go to double precision.
  private static let longestSum = 1_024

  init(channels: Int) {
    self.channels = channels
    var period = max(channels, 1)
    while period % Self.group != 0 { period += max(channels, 1) }
    self.period = period
  }

  /// The pattern of one number a channel.
  func lay(_ values: UnsafePointer<Float>, into pattern: UnsafeMutablePointer<Float>) {
    guard channels > 0 else { return }
    var start = 0
    while start < period {
      (pattern + start).update(from: values, count: channels)
      start &+= channels
    }
  }

  /// The patterns of two numbers a channel, one behind the other.
  func lay(
    _ first: UnsafePointer<Float>, _ second: UnsafePointer<Float>, into patterns: UnsafeMutablePointer<Float>
  ) -> (UnsafePointer<Float>, UnsafePointer<Float>) {
    lay(first, into: patterns)
    lay(second, into: patterns + period)
    return (UnsafePointer(patterns), UnsafePointer(patterns + period))
  }

  /// output = max(0, x · scale + shift), where NaN stays NaN.
  func normalize(
    _ x: UnsafePointer<Float>, count: Int, scale: UnsafePointer<Float>, shift: UnsafePointer<Float>,
    into output: UnsafeMutablePointer<Float>
  ) {
    forEachVector(count) { offset, column, lanes in
      let value = load(shift + column).addingProduct(load(x + offset, lanes: lanes), load(scale + column))
      store(value.rectified, output + offset, lanes: lanes)
    }
  }

  /// output = g · gradientScale + z · outputScale + shift.
  func combine(
    _ g: UnsafePointer<Float>, _ z: UnsafePointer<Float>, count: Int, gradientScale: UnsafePointer<Float>,
    outputScale: UnsafePointer<Float>, shift: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>
  ) {
    forEachVector(count) { offset, column, lanes in
      let value = load(shift + column)
        .addingProduct(load(z + offset, lanes: lanes), load(outputScale + column))
        .addingProduct(load(g + offset, lanes: lanes), load(gradientScale + column))
      store(value, output + offset, lanes: lanes)
    }
  }

  /// sums `[2, channels]` += the sums over places of x and of its square.
  func addMoments(_ x: UnsafePointer<Float>, count: Int, to sums: UnsafeMutablePointer<Double>) {
    sweep(count, sums) { offset, _, lanes in
      let value = load(x + offset, lanes: lanes)
      return (value, value)
    }
  }

  /// Calls `body(offset, column, lanes)` for vectors over `count` numbers, of which the last may have fewer lanes.
  @inline(__always)
  private func forEachVector(_ count: Int, _ body: (_ offset: Int, _ column: Int, _ lanes: Int) -> Void) {
    var start = 0
    while start < count {
      let end = min(period, count &- start)
      var column = 0
      while column &+ width <= end {
        body(start &+ column, column, width)
        column &+= width
      }
      if column < end { body(start &+ column, column, end &- column) }
      start &+= period
    }
  }

  /// Calls `body(offset, column, lanes)` for vectors over `count` numbers and adds to `sums` `[2, channels]`, if given,
  /// the sums of the vectors and of the products of the pairs that it returns; lanes that it does not use must be 0.
  @inline(__always)
  func sweep(
    _ count: Int, _ sums: UnsafeMutablePointer<Double>?,
    _ body: (_ offset: Int, _ column: Int, _ lanes: Int) -> (Vector, Vector)
  ) {
    let end = count &- count % Self.group
    var column = 0
    while column < min(period, end) {
      var offset = column
      while offset < end {
        let last = min(end, offset &+ Self.longestSum &* period)
        var first = InlineArray<4, Vector>(repeating: .zero)
        var second = InlineArray<4, Vector>(repeating: .zero)
        while offset < last {
          for q in 0..<4 {
            let (value, factor) = body(offset &+ q &* width, column &+ q &* width, width)
            first[unchecked: q] += value
            second[unchecked: q].addProduct(value, factor)
          }
          offset &+= period
        }
        guard let sums else { continue }
        for q in 0..<4 { add(first[unchecked: q], second[unchecked: q], column &+ q &* width, width, sums) }
      }
      column &+= Self.group
    }
    var offset = end
    while offset < count {
      let lanes = min(width, count &- offset)
      let (value, factor) = body(offset, offset % period, lanes)
      if let sums { add(value, value * factor, offset % period, lanes, sums) }
      offset &+= lanes
    }
  }

  @inline(__always)
  private func add(_ x: Vector, _ y: Vector, _ column: Int, _ lanes: Int, _ sums: UnsafeMutablePointer<Double>) {
    var channel = column % channels
    for lane in 0..<lanes {
      sums[channel] += Double(x[lane])
      sums[channels &+ channel] += Double(y[lane])
      channel = channel &+ 1 == channels ? 0 : channel &+ 1
    }
  }
}
