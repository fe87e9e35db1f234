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

  @inline(never)
  func run(_ a: Input, _ b: Input, into c: Output, accumulate: Bool) {
    for point in 0..<WinogradProduct.points {
      let left = a + point &* self.a.point
      let right = b + point &* self.b.point
      let target = c + point &* self.c.point
      var column = 0
      while column &+ 2 &* width <= columns {
        pair(left, right + column, target + column, accumulate)
        column &+= 2 &* width
      }
      if column < columns { single(left, right + column, target + column, accumulate) }
    }
  }

  /// Two vectors of columns, in tiles of six or four rows.
  @inline(__always)
  private func pair(_ a: Input, _ b: Input, _ c: Output, _ accumulate: Bool) {
    var row = 0
    while row < rows {
      let left = rows &- row
      let (aTile, cTile) = (a + row &* self.a.row, c + row &* self.c.row)
      // Eight rows are two tiles of four, not one of six and one of two.
      if left >= 6 && left != 8 {
        tile(InlineArray<6, InlineArray<2, Vector>>(repeating: .init(repeating: .zero)), aTile, b, cTile, accumulate)
        row &+= 6
      } else if left >= 4 {
        tile(InlineArray<4, InlineArray<2, Vector>>(repeating: .init(repeating: .zero)), aTile, b, cTile, accumulate)
        row &+= 4
      } else {
        tile(InlineArray<2, InlineArray<2, Vector>>(repeating: .init(repeating: .zero)), aTile, b, cTile, accumulate)
        row &+= 2
      }
    }
  }

  /// One vector of columns, in tiles of as many rows as there are registers for.
  @inline(__always)
  private func single(_ a: Input, _ b: Input, _ c: Output, _ accumulate: Bool) {
    var row = 0
    while row < rows {
      let left = rows &- row
      let (aTile, cTile) = (a + row &* self.a.row, c + row &* self.c.row)
      if width > 8 && left >= 16 {
        tile(InlineArray<16, InlineArray<1, Vector>>(repeating: .init(repeating: .zero)), aTile, b, cTile, accumulate)
        row &+= 16
      } else if left >= 8 {
        tile(InlineArray<8, InlineArray<1, Vector>>(repeating: .init(repeating: .zero)), aTile, b, cTile, accumulate)
        row &+= 8
      } else {
        tile(InlineArray<2, InlineArray<1, Vector>>(repeating: .init(repeating: .zero)), aTile, b, cTile, accumulate)
        row &+= 2
      }
    }
  }

  /// The loops over rows and columns have constant bounds and are unrolled, so that the sums never leave the registers.
  @inline(__always)
  private func tile<let rows: Int, let columns: Int>(
    _ zero: InlineArray<rows, InlineArray<columns, Vector>>, _ a: Input, _ b: Input, _ c: Output, _ accumulate: Bool
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
        let factor = Vector(repeating: left[i &* self.a.row])
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
