/// Turns stored images into what a network takes: normalised, and moved, mirrored and covered as a look says.
struct ImageView: Sendable {
  private let shape: ImageShape
  private let padding: ImageAugmentation.Padding
  /// `[channels, 256]`: the normalised value of each byte.
  private let values: AlignedBuffer<Float>

  /// - Parameters:
  ///   - mean, standardDeviation: of each channel, of pixels from 0 to 1. A channel without deviation is only shifted.
  init(shape: ImageShape, mean: [Double], standardDeviation: [Double], padding: ImageAugmentation.Padding) {
    self.shape = shape
    self.padding = padding
    values = AlignedBuffer(count: 256 * shape.channels)
    for channel in 0..<shape.channels {
      let scale = standardDeviation[channel] > 0 ? standardDeviation[channel] : 1
      for byte in 0..<256 {
        values.pointer[256 * channel + byte] = Float((Double(byte) / 255 - mean[channel]) / scale)
      }
    }
  }

  /// - Parameters:
  ///   - image: `[height, width, channels]`.
  ///   - output: of the same shape, filled on return.
  func show(_ image: UnsafePointer<UInt8>, _ look: ImageAugmentation.Look, _ output: UnsafeMutablePointer<Float>) {
    if shape.channels == 3 {
      show(image, look, output) { pixel, target, values in
        target[0] = values[Int(pixel[0])]
        target[1] = values[256 &+ Int(pixel[1])]
        target[2] = values[512 &+ Int(pixel[2])]
      }
    } else {
      show(image, look, output) { pixel, target, values in target[0] = values[Int(pixel[0])] }
    }
    cover(look, output)
  }

  @inline(__always)
  private func show(
    _ image: UnsafePointer<UInt8>, _ look: ImageAugmentation.Look, _ output: UnsafeMutablePointer<Float>,
    _ convert: (UnsafePointer<UInt8>, UnsafeMutablePointer<Float>, UnsafePointer<Float>) -> Void
  ) {
    let (height, width, channels) = (shape.height, shape.width, shape.channels)
    let values = UnsafePointer(values.pointer)
    let reflects = padding == .reflect
    // Columns of the moved image that show some of the image; the others lie beyond its edges.
    let inside = max(0, -look.right)..<min(width, width - look.right)
    for y in 0..<height {
      var row = y &+ look.down
      let target = output + y &* width &* channels
      if row < 0 || row >= height {
        guard reflects else {
          target.update(repeating: 0, count: width &* channels)
          continue
        }
        row = Self.reflected(row, height)
      }
      let source = image + row &* width &* channels
      // Mirrored, the moved image's column x is the output's column width - 1 - x.
      let (first, step) = look.isMirrored ? (width &- 1, -1) : (0, 1)
      var x = 0
      while x < width {
        let place = target + (first &+ step &* x) &* channels
        if inside.contains(x) {
          convert(source + (x &+ look.right) &* channels, place, values)
        } else if reflects {
          convert(source + Self.reflected(x &+ look.right, width) &* channels, place, values)
        } else {
          place.update(repeating: 0, count: channels)
        }
        x &+= 1
      }
    }
  }

  /// The place within `0 ..< count` that a place less than `count` outside of it shows, without repeating the edge.
  @inline(__always)
  private static func reflected(_ place: Int, _ count: Int) -> Int {
    place < 0 ? -place : place >= count ? 2 &* (count &- 1) &- place : place
  }

  private func cover(_ look: ImageAugmentation.Look, _ output: UnsafeMutablePointer<Float>) {
    for y in look.coveredRows {
      let start = (y * shape.width + look.coveredColumns.lowerBound) * shape.channels
      (output + start).update(repeating: 0, count: look.coveredColumns.count * shape.channels)
    }
  }
}
