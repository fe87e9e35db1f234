/// A row of tiles of a sample as Winograd's tiles read it, `[vector of channels, row, column, channel]`: with zeros around
/// the sample, whole tiles in both directions, whole vectors, and whatever is folded into the reading applied. Places of a row
/// follow each other at a distance that is known when this is compiled.
///
/// Only these rows and as many of the next ones are kept, and take turns, so that they stay in the first-level cache.
final class PaddedImage {
  let channels: Int
  let rowStride: Int
  let planeStride: Int
  private let height: Int
  private let imageWidth: Int
  private let side: Int
  /// That are kept.
  private let rows: Int
  private let rowsAbove: Int
  private let rowsBelow: Int
  private let alternates: Bool
  private let buffer: AlignedBuffer<Float>

  /// - Parameters:
  ///   - side: from one tile to the next.
  ///   - rowsAbove, rowsBelow: that a tile reads beside its own.
  ///   - alternates: whether every second row and column, counted with the frame, is kept times √½.
  init(
    height: Int, width imageWidth: Int, channels: Int, side: Int = 4, rowsAbove: Int = 1, rowsBelow: Int = 1,
    alternates: Bool = false
  ) {
    self.height = height
    self.imageWidth = imageWidth
    self.channels = channels
    self.side = side
    self.rowsAbove = rowsAbove
    self.rowsBelow = rowsBelow
    self.alternates = alternates
    // One cache line more keeps rows from falling on the same lines of the cache.
    rowStride = (roundedUp(imageWidth, side) + 2) * width + 16
    rows = rowsAbove + rowsBelow > 0 ? 2 * side : side
    planeStride = rows * rowStride
    buffer = AlignedBuffer(count: roundedUp(channels, width) / width * planeStride)
  }

  var byteCount: Int { buffer.byteCount }

  /// The places that the first tile of a row reads, from the frame on, with the first vector of channels. Those below the
  /// first `side` rows are `wrap(row)` further on than they would be.
  func inputTiles(_ row: Int) -> UnsafePointer<Float> {
    UnsafePointer(buffer.pointer + side &* row % rows &* rowStride)
  }

  func wrap(_ row: Int) -> Int { side &* (row &+ 1) % rows == 0 ? -rows &* rowStride : 0 }

  /// The places of the tile itself.
  func outputTiles(_ row: Int) -> UnsafePointer<Float> {
    inputTiles(row) + (rowsAbove &* rowStride &+ width)
  }

  /// Reads a row of tiles; the row above must be the one that was read last, unless this is the first.
  @inline(never)
  func read(_ source: NormalizedValues, sample: Int, tileRow: Int) {
    readRows(tileRow) { row, factors, target in
      let offset = (sample &* height &+ row) &* imageWidth &* channels
      let values = source.values + offset
      guard let (scale, shift) = source.normalization else { return copy(values, factors, into: target) }
      forEachVector { channel, lanes in
        let a = factors * load(scale + channel, lanes: lanes)
        let b = factors * load(shift + channel, lanes: lanes)
        forEachPlace(channel, target) { place, isOdd, target in
          store(b[isOdd].addingProduct(load(values + place, lanes: lanes), a[isOdd]).rectified, target)
        }
      }
    }
  }

  /// The same for the gradient of the output.
  @inline(never)
  func read(_ gradient: ConvolutionGradient, sample: Int, tileRow: Int) {
    readRows(tileRow) { row, factors, target in
      let offset = (sample &* height &+ row) &* imageWidth &* channels
      let values = gradient.values + offset
      guard let norm = gradient.normalization else { return copy(values, factors, into: target) }
      let output = norm.output + offset
      forEachVector { channel, lanes in
        let a = factors * load(norm.gradientScale + channel, lanes: lanes)
        let b = factors * load(norm.outputScale + channel, lanes: lanes)
        let c = factors * load(norm.shift + channel, lanes: lanes)
        forEachPlace(channel, target) { place, isOdd, target in
          let value = c[isOdd].addingProduct(load(output + place, lanes: lanes), b[isOdd])
          store(value.addingProduct(load(values + place, lanes: lanes), a[isOdd]), target)
        }
      }
    }
  }

  @inline(__always)
  private func readRows(
    _ tileRow: Int, _ body: (_ row: Int, _ factors: Factors, _ target: UnsafeMutablePointer<Float>) -> Void
  ) {
    let half: Float = 0.707_106_781
    let shared = rowsAbove &+ rowsBelow
    let start = side &* tileRow
    // Counted with the frame.
    for place in (tileRow == 0 ? 0 : start &+ shared)..<start &+ side &+ shared {
      let target = buffer.pointer + place % rows &* rowStride
      let row = place &- rowsAbove
      guard row >= 0, row < height else {
        clear(target)
        continue
      }
      let isOdd = row % 2 == 0
      let factors =
        alternates ? Factors(odd: isOdd ? 0.5 : half, even: isOdd ? half : 1) : Factors(odd: 1, even: 1)
      body(row, factors, target + width)
    }
  }

  /// A row above or below the sample.
  private func clear(_ row: UnsafeMutablePointer<Float>) {
    forEachVector { channel, _ in
      (row + channel / width &* planeStride).update(repeating: 0, count: rowStride)
    }
  }

  private func copy(_ values: UnsafePointer<Float>, _ factors: Factors, into target: UnsafeMutablePointer<Float>) {
    let a = factors * Vector(repeating: 1)
    forEachVector { channel, lanes in
      forEachPlace(channel, target) { place, isOdd, target in
        store(load(values + place, lanes: lanes) * a[isOdd], target)
      }
    }
  }

  @inline(__always)
  private func forEachVector(_ body: (_ channel: Int, _ lanes: Int) -> Void) {
    var channel = 0
    while channel &+ width <= channels {
      body(channel, width)
      channel &+= width
    }
    if channel < channels { body(channel, channels &- channel) }
  }

  /// Calls `body` with the offset of each place of a row, whether its column counted with the frame is odd, and where it
  /// belongs.
  @inline(__always)
  private func forEachPlace(
    _ channel: Int, _ target: UnsafeMutablePointer<Float>,
    _ body: (_ place: Int, _ isOdd: Bool, _ target: UnsafeMutablePointer<Float>) -> Void
  ) {
    var (place, target) = (channel, target + channel / width &* planeStride)
    for _ in 0..<imageWidth / 2 {
      body(place, true, target)
      body(place &+ channels, false, target + width)
      place &+= 2 &* channels
      target += 2 &* width
    }
    if imageWidth % 2 == 1 { body(place, true, target) }
  }
}

/// What numbers at the odd and at the even columns, counted with the frame, are kept times.
private struct Factors {
  let odd: Float
  let even: Float

  @inline(__always)
  static func * (factors: Factors, vector: Vector) -> FactorVectors {
    FactorVectors(odd: vector * Vector(repeating: factors.odd), even: vector * Vector(repeating: factors.even))
  }
}

private struct FactorVectors {
  let odd: Vector
  let even: Vector

  @inline(__always)
  subscript(isOdd: Bool) -> Vector { isOdd ? odd : even }
}
