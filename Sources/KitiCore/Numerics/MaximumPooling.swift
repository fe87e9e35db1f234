// The largest numbers of a window, a vector of channels at a time: the window stays in registers and the first-level
// cache.

/// output `[channels]` = the largest of x over a window; NaN if one of its numbers is.
///
/// - Parameters:
///   - x: the window's first place; each place has `channels` numbers.
///   - rowStride: places from one row of the window to the next.
package func poolMaximum(
  _ x: UnsafePointer<Float>, rows: Int, columns: Int, rowStride: Int, channels: Int,
  into output: UnsafeMutablePointer<Float>
) {
  var channel = 0
  while channel < channels {
    let lanes = min(width, channels &- channel)
    let largest = maximum(x + channel, rows, columns, rowStride, channels, lanes)
    store(largest, output + channel, lanes: lanes)
    channel &+= width
  }
}

/// Adds the gradient of a window's largest numbers to `inputGradient`, at the first place that holds them; nowhere if
/// that is NaN.
///
/// - Parameters:
///   - g: gradient of the largest numbers, `[channels]`.
///   - inputGradient: of the window's first place; laid out as x.
package func addMaximumGradient(
  _ g: UnsafePointer<Float>, _ x: UnsafePointer<Float>, rows: Int, columns: Int, rowStride: Int, channels: Int,
  to inputGradient: UnsafeMutablePointer<Float>
) {
  var channel = 0
  while channel < channels {
    let lanes = min(width, channels &- channel)
    let largest = maximum(x + channel, rows, columns, rowStride, channels, lanes)
    var rest = load(g + channel, lanes: lanes)
    for row in 0..<rows {
      for column in 0..<columns {
        let place = (row &* rowStride &+ column) &* channels &+ channel
        let isLargest = load(x + place, lanes: lanes) .== largest
        let target = inputGradient + place
        let passed = Vector(repeating: 0).replacing(with: rest, where: isLargest)
        store(load(UnsafePointer(target), lanes: lanes) + passed, target, lanes: lanes)
        rest.replace(with: 0, where: isLargest)
      }
    }
    channel &+= width
  }
}

@inline(__always)
private func maximum(
  _ x: UnsafePointer<Float>, _ rows: Int, _ columns: Int, _ rowStride: Int, _ channels: Int, _ lanes: Int
) -> Vector {
  var largest = Vector(repeating: -.infinity)
  for row in 0..<rows {
    for column in 0..<columns {
      let value = load(x + (row &* rowStride &+ column) &* channels, lanes: lanes)
      // Also where the value is NaN; what is NaN stays so.
      largest.replace(with: value, where: .!(value .<= largest) .& (largest .== largest))
    }
  }
  return largest
}
