/// Thirty-six matrix products C = A·B or C += A·B, one for each point of the transformed tiles, in fp32.
///
/// A `[rows, depth]` is read in either direction; B `[depth, columns]` and C have contiguous rows of whole vectors.
struct WinogradProduct {
  /// An even number.
  var rows: Int
  var depth: Int
  /// A whole number of vectors.
  var columns: Int
  var a: Strides
  var b: Strides
  var c: Strides

  struct Strides {
    var point: Int
    var row: Int
    var column = 1
  }

  typealias Input = UnsafePointer<Float>
  typealias Output = UnsafeMutablePointer<Float>

  static let points = 36

  /// From one tile to the next in A. Known when this is compiled, they make addresses constants apart. Where a tile's
  /// points lie together, one cache line more than they need keeps tiles from falling on the same lines of the cache.
  static let fewChannelsStride = points * 32 + 16
  static let manyChannelsStride = points * 64 + 16
  static let pointMajorStride = 64

  /// - Parameter ahead: gets a turn with each register tile.
  @inline(never)
  func run(_ a: Input, _ b: Input, into c: Output, accumulate: Bool, ahead: inout ReadAhead) {
    switch self.a.row {
    case 1: sweep(RowStride<1>.self, a, b, c, accumulate, &ahead)
    case WinogradProduct.fewChannelsStride: sweep(RowStride<1168>.self, a, b, c, accumulate, &ahead)
    case WinogradProduct.manyChannelsStride: sweep(RowStride<2320>.self, a, b, c, accumulate, &ahead)
    case WinogradProduct.pointMajorStride: sweep(RowStride<64>.self, a, b, c, accumulate, &ahead)
    default: preconditionFailure("no product for rows \(self.a.row) numbers apart")
    }
  }

  /// Register tiles of a product, which is how many turns reading ahead gets.
  static func turns(rows: Int, columns: Int) -> Int {
    func tiles(_ tileRows: (Int) -> Int) -> Int {
      var (left, count) = (rows, 0)
      while left > 0 {
        left -= tileRows(left)
        count += 1
      }
      return count
    }
    let vectors = columns / width
    let fours = width > 8 ? vectors / 4 : 0
    let pairs = (vectors - 4 * fours) / 2
    return points * ((fours + pairs) * tiles(tileRows) + vectors % 2 * tiles(narrowTileRows))
  }

  private enum RowStride<let floats: Int> {}

  @inline(__always)
  private func sweep<let aRow: Int>(
    _ stride: RowStride<aRow>.Type, _ a: Input, _ b: Input, _ c: Output, _ accumulate: Bool,
    _ ahead: inout ReadAhead
  ) {
    for point in 0..<WinogradProduct.points {
      let left = a + point &* self.a.point
      let right = b + point &* self.b.point
      let target = c + point &* self.c.point
      var column = 0
      while width > 8, column &+ 4 &* width <= columns {
        panel(Columns<4>.self, stride, left, right + column, target + column, accumulate, &ahead)
        column &+= 4 &* width
      }
      while column &+ 2 &* width <= columns {
        panel(Columns<2>.self, stride, left, right + column, target + column, accumulate, &ahead)
        column &+= 2 &* width
      }
      if column < columns { single(stride, left, right + column, target + column, accumulate, &ahead) }
    }
  }

  /// Two vectors of columns, or four where there are registers for them, in tiles of six or four rows.
  @inline(__always)
  private func panel<let columns: Int, let aRow: Int>(
    _: Columns<columns>.Type, _ stride: RowStride<aRow>.Type, _ a: Input, _ b: Input, _ c: Output, _ accumulate: Bool,
    _ ahead: inout ReadAhead
  ) {
    var row = 0
    while row < rows {
      ahead.advance()
      let count = Self.tileRows(rows &- row)
      let (aTile, cTile) = (a + row &* aRow, c + row &* self.c.row)
      switch count {
      case 6: tile(Zero<6, columns>.sums, stride, aTile, b, cTile, accumulate)
      case 4: tile(Zero<4, columns>.sums, stride, aTile, b, cTile, accumulate)
      default: tile(Zero<2, columns>.sums, stride, aTile, b, cTile, accumulate)
      }
      row &+= count
    }
  }

  /// One vector of columns, in tiles of as many rows as there are registers for.
  @inline(__always)
  private func single<let aRow: Int>(
    _ stride: RowStride<aRow>.Type, _ a: Input, _ b: Input, _ c: Output, _ accumulate: Bool, _ ahead: inout ReadAhead
  ) {
    var row = 0
    while row < rows {
      ahead.advance()
      let count = Self.narrowTileRows(rows &- row)
      let (aTile, cTile) = (a + row &* aRow, c + row &* self.c.row)
      switch count {
      case 16: tile(Zero<16, 1>.sums, stride, aTile, b, cTile, accumulate)
      case 8: tile(Zero<8, 1>.sums, stride, aTile, b, cTile, accumulate)
      default: tile(Zero<2, 1>.sums, stride, aTile, b, cTile, accumulate)
      }
      row &+= count
    }
  }

  /// Rows of the next register tile. Eight are two tiles of four, not one of six and one of two.
  @inline(__always)
  private static func tileRows(_ left: Int) -> Int { left >= 6 && left != 8 ? 6 : left >= 4 ? 4 : 2 }

  @inline(__always)
  private static func narrowTileRows(_ left: Int) -> Int { width > 8 && left >= 16 ? 16 : left >= 8 ? 8 : 2 }

  /// The loops over rows and columns have constant bounds and are unrolled, so that the sums never leave the registers.
  @inline(__always)
  private func tile<let rows: Int, let columns: Int, let aRow: Int>(
    _ zero: InlineArray<rows, InlineArray<columns, Vector>>, _: RowStride<aRow>.Type, _ a: Input, _ b: Input,
    _ c: Output, _ accumulate: Bool
  ) {
    var sums = zero
    if accumulate {
      for i in 0..<rows {
        for j in 0..<columns { sums[unchecked: i][unchecked: j] = load(c + (i &* self.c.row &+ j &* width)) }
      }
    }
    var (left, right) = (a, b)
    for _ in 0..<depth {
      var values = InlineArray<columns, Vector>(repeating: .zero)
      for j in 0..<columns { values[unchecked: j] = load(right + j &* width) }
      for i in 0..<rows {
        let factor = Vector(repeating: left[i &* aRow])
        for j in 0..<columns { sums[unchecked: i][unchecked: j].addProduct(factor, values[unchecked: j]) }
      }
      left += self.a.column
      right += self.b.row
    }
    for i in 0..<rows {
      for j in 0..<columns { store(sums[unchecked: i][unchecked: j], c + (i &* self.c.row &+ j &* width)) }
    }
  }
}

/// Sums of a register tile.
private enum Zero<let rows: Int, let columns: Int> {
  @inline(__always)
  static var sums: InlineArray<rows, InlineArray<columns, Vector>> {
    .init(repeating: .init(repeating: Vector(repeating: 0)))
  }
}
