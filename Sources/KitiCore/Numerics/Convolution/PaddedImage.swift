/// One sample as Winograd's tiles read it, `[vector of channels, row, column, channel]`: with zeros around it, whole tiles in
/// both directions, whole vectors, and whatever is folded into the reading applied. Places of a row follow each other at a
/// distance that is known when this is compiled.
///
/// Rows are read when they are needed first, so that a tile finds them in the first-level cache.
final class PaddedImage {
  let channels: Int
  let rowStride: Int
  private let planeStride: Int
  private let height: Int
  private let imageWidth: Int
  private let buffer: AlignedBuffer<Float>
  private var rowsRead = 0

  init(height: Int, width imageWidth: Int, channels: Int) {
    self.height = height
    self.imageWidth = imageWidth
    self.channels = channels
    // One cache line more keeps rows from falling on the same lines of the cache.
    rowStride = (roundedUp(imageWidth, 4) + 2) * width + 16
    planeStride = (roundedUp(height, 4) + 2) * rowStride
    buffer = AlignedBuffer(count: roundedUp(channels, width) / width * planeStride)
  }

  var byteCount: Int { buffer.byteCount }

  /// The six by six places that the first output tile of a row depends on, with one vector of channels.
  func inputTiles(_ row: Int, channel: Int) -> UnsafePointer<Float> {
    UnsafePointer(buffer.pointer + (channel / width &* planeStride &+ 4 &* row &* rowStride))
  }

  /// The four by four places of the tile itself.
  func outputTiles(_ row: Int, channel: Int) -> UnsafePointer<Float> {
    inputTiles(row, channel: channel) + (rowStride &+ width)
  }

  /// Makes the tiles of a row valid; those of the rows before it must have been, unless it is the first.
  @inline(never)
  func read(_ source: NormalizedValues, sample: Int, tileRow: Int) {
    readRows(tileRow) { row, target in
      let offset = (sample &* height &+ row) &* imageWidth &* channels
      let values = source.values + offset
      guard let (scale, shift) = source.normalization else { return copy(values, into: target) }
      forEachVector { channel, lanes in
        let a = load(scale + channel, lanes: lanes)
        let b = load(shift + channel, lanes: lanes)
        forEachPlace(channel, target) { place, target in
          let value = b.addingProduct(load(values + place, lanes: lanes), a)
          // Written so that NaN passes through.
          store(value.replacing(with: 0, where: value .<= 0), target)
        }
      }
    }
  }

  /// The same for the gradient of the output.
  @inline(never)
  func read(_ gradient: ConvolutionGradient, sample: Int, tileRow: Int) {
    readRows(tileRow) { row, target in
      let offset = (sample &* height &+ row) &* imageWidth &* channels
      let values = gradient.values + offset
      guard let norm = gradient.normalization else { return copy(values, into: target) }
      let output = norm.output + offset
      forEachVector { channel, lanes in
        let a = load(norm.gradientScale + channel, lanes: lanes)
        let b = load(norm.outputScale + channel, lanes: lanes)
        let c = load(norm.shift + channel, lanes: lanes)
        forEachPlace(channel, target) { place, target in
          let value = c.addingProduct(load(output + place, lanes: lanes), b)
          store(value.addingProduct(load(values + place, lanes: lanes), a), target)
        }
      }
    }
  }

  @inline(__always)
  private func readRows(_ tileRow: Int, _ body: (_ row: Int, _ target: UnsafeMutablePointer<Float>) -> Void) {
    let first = tileRow == 0 ? 0 : rowsRead
    let end = min(height, 4 &* tileRow &+ 5)
    var row = first
    while row < end {
      body(row, buffer.pointer + ((row &+ 1) &* rowStride &+ width))
      row &+= 1
    }
    rowsRead = max(first, end)
  }

  private func copy(_ values: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>) {
    forEachVector { channel, lanes in
      forEachPlace(channel, target) { place, target in store(load(values + place, lanes: lanes), target) }
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

  /// Calls `body` with the offset of each place of a row and where it belongs.
  @inline(__always)
  private func forEachPlace(
    _ channel: Int, _ target: UnsafeMutablePointer<Float>, _ body: (Int, UnsafeMutablePointer<Float>) -> Void
  ) {
    var (place, target) = (channel, target + channel / width &* planeStride)
    for _ in 0..<imageWidth {
      body(place, target)
      place &+= channels
      target += width
    }
  }
}
