/// Where the points of tiles are in a block of channels of a panel.
///
/// Of the 6 × 6 points those without a part between the points have one row a tile, those with one in one direction four,
/// and the last sixteen.
struct StridedLayout {
  private let channels: Int
  /// Floats from one point to the next, of those with one and with four rows a tile. A cache line more than they need keeps
  /// points from falling on the same lines of the cache.
  private let singleStride: Int
  private let fourfoldStride: Int
  let floats: Int

  init(tiles: Int, channels: Int) {
    self.channels = channels
    let size = tiles * channels
    singleStride = size + 16
    fourfoldStride = 4 * size + 16
    floats = 25 * singleStride + 10 * fourfoldStride + 16 * size + 16
  }

  var points: [WinogradPoints] {
    let (fourfold, all) = (25 * singleStride, 25 * singleStride + 10 * fourfoldStride)
    return (0..<5).map {
      WinogradPoints(
        rows: 1, count: 5, start: 5 * $0 * singleStride, stride: singleStride, weight: 6 * $0, weightStride: 1)
    } + [
      WinogradPoints(rows: 4, count: 5, start: fourfold, stride: fourfoldStride, weight: 5, weightStride: 6),
      WinogradPoints(
        rows: 4, count: 5, start: fourfold + 5 * fourfoldStride, stride: fourfoldStride, weight: 30, weightStride: 1),
      WinogradPoints(rows: 16, count: 1, start: all, stride: 0, weight: 35, weightStride: 0),
    ]
  }

  /// One vector of channels of a tile. Not inlined: pointers that are known to be multiples of each other apart are made anew
  /// for each number, for which registers do not suffice.
  ///
  /// - Parameter block: its first number of that vector.
  @inline(never)
  func tile(_ index: Int, in block: UnsafeMutablePointer<Float>) -> StridedTile {
    let fourfold = block + (25 &* singleStride &+ 4 &* index &* channels)
    return StridedTile(
      single: block + index &* channels, singleStride: singleStride, down: fourfold,
      across: fourfold + 5 &* fourfoldStride, fourfoldStride: fourfoldStride,
      all: block + (25 &* singleStride &+ 10 &* fourfoldStride &+ 16 &* index &* channels), rowStride: channels)
  }
}

/// One vector of channels of a transformed tile.
struct StridedTile {
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
