/// C = start + A·B, where the elements of A and the rows of B and C are found through tables of offsets, in fp32.
///
/// A convolution is such a product without a copy of its windows: element (i, p) of A is at `a[aRows[i] + aDepth[p]]`,
/// with the places of windows in one table and the places inside a window in the other. Row p of B `[k, n]` begins at
/// `b + bDepth[p]`, row i of C `[m, n]` at `c + cRows[i]`.
struct GatheredProduct {
  typealias Input = UnsafePointer<Float>
  typealias Output = UnsafeMutablePointer<Float>
  typealias Offsets = UnsafePointer<Int>

  var a: Input
  var aRows: Offsets
  var aDepth: Offsets
  var b: Input
  var bDepth: Offsets
  var c: Output
  var cRows: Offsets

  /// Rows of a register tile: sums take 16 of the 32 registers of AVX-512 or 12 of the 16 of AVX2 with two vectors a
  /// row, and 24 of those of AVX-512 with four, which read B in longer runs.
  private static func tileRows(_ n: Int) -> Int { width == 16 && n < 4 &* width ? 8 : 6 }
  /// Rows and columns of B that are worked on together: 256 KB in the second-level cache.
  private static let (depthBlock, columnBlock) = (128, 512)

  /// - Parameters:
  ///   - start: rows as in C, which it may be; nil stands for zero.
  ///   - ahead: gets a turn with each row of register tiles.
  func compute(_ m: Int, _ n: Int, _ k: Int, start: Input? = nil, ahead: inout ReadAhead) {
    guard m > 0, n > 0 else { return }
    var column = 0
    while column < n {
      let columns = min(Self.columnBlock, n - column)
      var depth = 0
      repeat {
        let part = min(Self.depthBlock, k - depth)
        let block = GatheredProduct(
          a: a, aRows: aRows, aDepth: aDepth + depth, b: b + column, bDepth: bDepth + depth, c: c + column,
          cRows: cRows)
        block.sweep(m, columns, part, depth == 0 ? start.map { $0 + column } : UnsafePointer(c + column), &ahead)
        depth += part
      } while depth < k
      column += columns
    }
  }

  /// How many turns reading ahead gets in a product.
  static func turns(_ m: Int, _ n: Int, _ k: Int) -> Int {
    let largest = tileRows(min(n, columnBlock))
    var (tiles, left) = (0, m)
    while left > 0 {
      left -= tileHeight(left, largest)
      tiles += 1
    }
    return tiles * ((n + columnBlock - 1) / columnBlock) * max(1, (k + depthBlock - 1) / depthBlock)
  }

  /// A block of B that stays in the second-level cache, by tiles of C.
  private func sweep(_ m: Int, _ n: Int, _ k: Int, _ start: Input?, _ ahead: inout ReadAhead) {
    let tileRows = Self.tileRows(n)
    var i = 0
    while i < m {
      ahead.advance()
      let rows = Self.tileHeight(m &- i, tileRows)
      switch rows {
      case 8: panel(InlineArray<8, Void>.self, i, n, k, start)
      case 7: panel(InlineArray<7, Void>.self, i, n, k, start)
      case 6: panel(InlineArray<6, Void>.self, i, n, k, start)
      case 5: panel(InlineArray<5, Void>.self, i, n, k, start)
      case 4: panel(InlineArray<4, Void>.self, i, n, k, start)
      case 3: panel(InlineArray<3, Void>.self, i, n, k, start)
      case 2: panel(InlineArray<2, Void>.self, i, n, k, start)
      default: panel(InlineArray<1, Void>.self, i, n, k, start)
      }
      i &+= rows
    }
  }

  /// Of the next tile: in the end tiles of nearly the same height, 27 rows as 7 + 7 + 7 + 6, not 8 + 8 + 8 + 3.
  private static func tileHeight(_ rows: Int, _ tileRows: Int) -> Int {
    if rows > 4 &* tileRows { return tileRows }
    let tiles = (rows &+ tileRows &- 1) / tileRows
    return (rows &+ tiles &- 1) / tiles
  }

  /// Rows from `first`, all columns.
  @inline(__always)
  private func panel<let rows: Int>(
    _: InlineArray<rows, Void>.Type, _ first: Int, _ n: Int, _ k: Int, _ start: Input?
  ) {
    var j = 0
    while width == 16, rows <= 6, j &+ 4 &* width <= n {
      tile(InlineArray<rows, InlineArray<4, Vector>>(repeating: .init(repeating: .zero)), first, j, k, start)
      j &+= 4 &* width
    }
    while j &+ 2 &* width <= n {
      tile(InlineArray<rows, InlineArray<2, Vector>>(repeating: .init(repeating: .zero)), first, j, k, start)
      j &+= 2 &* width
    }
    if j &+ width <= n {
      tile(InlineArray<rows, InlineArray<1, Vector>>(repeating: .init(repeating: .zero)), first, j, k, start)
      j &+= width
    }
    if width > 8, j &+ 8 <= n {
      tile(InlineArray<rows, InlineArray<1, SIMD8<Float>>>(repeating: .init(repeating: .zero)), first, j, k, start)
      j &+= 8
    }
    if j < n { edge(first, rows, j, n &- j, k, start) }
  }

  /// The register tile: `rows` × `columns` vectors of C. The loops over rows and columns have constant bounds and are
  /// unrolled, so that neither the sums nor the rows' offsets leave the registers.
  @inline(__always)
  private func tile<let rows: Int, let columns: Int, V: SIMD>(
    _ zero: InlineArray<rows, InlineArray<columns, V>>, _ first: Int, _ j: Int, _ k: Int, _ start: Input?
  ) where V.Scalar == Float {
    var sums = zero
    var offsets = InlineArray<rows, Int>(repeating: 0)
    for i in 0..<rows { offsets[unchecked: i] = aRows[first &+ i] }
    let (a, b, aDepth, bDepth) = (a, b + j, aDepth, bDepth)
    for p in 0..<k {
      let left = a + aDepth[p]
      let right = b + bDepth[p]
      var row = InlineArray<columns, V>(repeating: .zero)
      for q in 0..<columns {
        row[unchecked: q] = UnsafeRawPointer(right + q &* V.scalarCount).loadUnaligned(as: V.self)
      }
      for i in 0..<rows {
        let factor = V(repeating: left[offsets[unchecked: i]])
        for q in 0..<columns { sums[unchecked: i][unchecked: q].addProduct(factor, row[unchecked: q]) }
      }
    }
    for i in 0..<rows {
      let offset = cRows[first &+ i] &+ j
      for q in 0..<columns {
        let place = offset &+ q &* V.scalarCount
        var value = sums[unchecked: i][unchecked: q]
        if let start { value += UnsafeRawPointer(start + place).loadUnaligned(as: V.self) }
        UnsafeMutableRawPointer(c + place).storeBytes(of: value, as: V.self)
      }
    }
  }

  /// The last columns, fewer than eight.
  @inline(never)
  private func edge(_ first: Int, _ rows: Int, _ j: Int, _ columns: Int, _ k: Int, _ start: Input?) {
    for i in first..<first &+ rows {
      for q in j..<j &+ columns {
        var sum: Float = 0
        for p in 0..<k { sum.addProduct(a[aRows[i] &+ aDepth[p]], b[bDepth[p] &+ q]) }
        let place = cRows[i] &+ q
        c[place] = start.map { $0[place] + sum } ?? sum
      }
    }
  }
}
