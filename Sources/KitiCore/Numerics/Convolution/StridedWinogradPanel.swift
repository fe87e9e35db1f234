/// Transformed tiles of a block for a stride of 2, or their products: `[block of channels, point, row, channel]`.
///
/// Of the 6 × 6 points those without a part between the points have one row a tile, those with one in one direction four,
/// and the last sixteen.
final class StridedWinogradPanel {
  let channels: WinogradPlan.Channels
  /// Floats from one point to the next, of those with one and with four rows a tile. A cache line more than they need keeps
  /// points from falling on the same lines of the cache.
  let singleStride: Int
  let fourfoldStride: Int
  private let blockStride: Int
  private let buffer: AlignedBuffer<Float>

  init(_ plan: WinogradPlan, channels: WinogradPlan.Channels, blocks: Int) {
    self.channels = channels
    let size = plan.tiles * channels.blockSize
    singleStride = size + 16
    fourfoldStride = 4 * size + 16
    blockStride = 25 * singleStride + 10 * fourfoldStride + 16 * size + 16
    buffer = AlignedBuffer(count: blocks * blockStride)
  }

  var byteCount: Int { buffer.byteCount }

  /// Points whose products are computed in one call: `count` of them, with `rows` rows a tile.
  struct Points {
    let rows: Int
    let count: Int
    /// The first one in a panel and in a weight `[6, 6]`, and from one to the next.
    let start: Int
    let stride: Int
    let weight: Int
    let weightStride: Int
  }

  var points: InlineArray<8, Points> {
    let (fourfold, all) = (25 &* singleStride, 25 &* singleStride &+ 10 &* fourfoldStride)
    return InlineArray { i in
      switch i {
      case 0..<5:
        Points(rows: 1, count: 5, start: 5 &* i &* singleStride, stride: singleStride, weight: 6 &* i, weightStride: 1)
      case 5: Points(rows: 4, count: 5, start: fourfold, stride: fourfoldStride, weight: 5, weightStride: 6)
      case 6:
        Points(
          rows: 4, count: 5, start: fourfold &+ 5 &* fourfoldStride, stride: fourfoldStride, weight: 30,
          weightStride: 1)
      default: Points(rows: 16, count: 1, start: all, stride: 0, weight: 35, weightStride: 0)
      }
    }
  }

  func block(_ index: Int) -> UnsafeMutablePointer<Float> { buffer.pointer + index &* blockStride }

  /// One vector of channels of a tile.
  func tile(_ index: Int, block: Int, channel: Int) -> StridedWinogradTile {
    let (first, size) = (self.block(block) + channel, channels.blockSize)
    let fourfold = first + (25 &* singleStride &+ 4 &* index &* size)
    return StridedWinogradTile(
      single: first + index &* size, singleStride: singleStride, down: fourfold,
      across: fourfold + 5 &* fourfoldStride, fourfoldStride: fourfoldStride,
      all: first + (25 &* singleStride &+ 10 &* fourfoldStride &+ 16 &* index &* size), rowStride: size)
  }
}

/// One vector of channels of a transformed tile.
struct StridedWinogradTile {
  /// At point (i, j): `5 · i + j` strides on.
  let single: UnsafeMutablePointer<Float>
  let singleStride: Int
  /// At a point along the columns, for each place between along the rows, and the other way round.
  let down: UnsafeMutablePointer<Float>
  let across: UnsafeMutablePointer<Float>
  let fourfoldStride: Int
  /// For each place between in both directions.
  let all: UnsafeMutablePointer<Float>
  /// From one place between to the next.
  let rowStride: Int

  @inline(__always)
  func atPoint(_ i: Int, _ j: Int) -> UnsafeMutablePointer<Float> { single + (5 &* i &+ j) &* singleStride }
  @inline(__always)
  func down(_ i: Int, place: Int) -> UnsafeMutablePointer<Float> { down + (i &* fourfoldStride &+ place &* rowStride) }
  @inline(__always)
  func across(_ j: Int, place: Int) -> UnsafeMutablePointer<Float> {
    across + (j &* fourfoldStride &+ place &* rowStride)
  }
  @inline(__always)
  func between(_ row: Int, _ column: Int) -> UnsafeMutablePointer<Float> { all + (4 &* row &+ column) &* rowStride }
}
