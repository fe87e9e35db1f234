/// Brings images of any size to one size, each axis on its own.
///
/// Where an axis shrinks, an output pixel is the mean of the area that it covers; where it grows, a value between the
/// two nearest pixels.
struct ImageResampling {
  /// One output place along an axis: weights of the source places from `first` on.
  private struct Tap {
    var first: Int
    var weights: [Float]
  }

  private let target: (height: Int, width: Int)
  private var source = (height: 0, width: 0)
  private var rows: [Tap] = []
  private var columns: [Tap] = []
  /// `[source height, target width, 3]`.
  private var narrowed: [Float] = []

  init(height: Int, width: Int) { target = (height, width) }

  /// - Parameters:
  ///   - pixels: `[height, width, 3]`.
  ///   - output: `[target height, target width, 3]`, filled on return.
  mutating func resample(
    _ pixels: UnsafeBufferPointer<UInt8>, height: Int, width: Int, into output: UnsafeMutableBufferPointer<UInt8>
  ) {
    precondition(pixels.count == 3 * height * width && output.count == 3 * target.height * target.width)
    if source != (height, width) {
      source = (height, width)
      rows = Self.taps(from: height, to: target.height)
      columns = Self.taps(from: width, to: target.width)
      narrowed = Array(repeating: 0, count: 3 * height * target.width)
    }
    for y in 0..<height {
      for (x, tap) in columns.enumerated() {
        for channel in 0..<3 {
          var sum: Float = 0
          for (offset, weight) in tap.weights.enumerated() {
            sum += weight * Float(pixels[3 * (y * width + tap.first + offset) + channel])
          }
          narrowed[3 * (y * target.width + x) + channel] = sum
        }
      }
    }
    for (y, tap) in rows.enumerated() {
      for place in 0..<3 * target.width {
        var sum: Float = 0
        for (offset, weight) in tap.weights.enumerated() {
          sum += weight * narrowed[3 * target.width * (tap.first + offset) + place]
        }
        output[3 * target.width * y + place] = UInt8(max(0, min(255, sum.rounded())))
      }
    }
  }

  private static func taps(from count: Int, to targetCount: Int) -> [Tap] {
    let scale = Double(count) / Double(targetCount)
    return (0..<targetCount).map { place in
      if scale <= 1 {
        let position = max(0, min(Double(count - 1), (Double(place) + 0.5) * scale - 0.5))
        let first = min(Int(position), max(0, count - 2))
        let share = Float(position - Double(first))
        return count == 1 ? Tap(first: 0, weights: [1]) : Tap(first: first, weights: [1 - share, share])
      }
      let (start, end) = (Double(place) * scale, Double(place + 1) * scale)
      let (first, last) = (Int(start), min(count - 1, Int(end.rounded(.up)) - 1))
      let weights = (first...last).map { source in
        Float((min(end, Double(source + 1)) - max(start, Double(source))) / scale)
      }
      return Tap(first: first, weights: weights)
    }
  }
}
