/// What the accumulators of a matrix product start from.
package enum ProductStart {
  /// C = A·B
  case zero
  /// C += A·B
  case accumulate
  /// C = bias + A·B, one bias a column
  case bias(UnsafePointer<Float>)
}

/// A matrix in memory: element (i, j) is at `pointer[i · rowStride + j · columnStride]`.
package struct Matrix {
  package var pointer: UnsafePointer<Float>
  package var rowStride: Int
  package var columnStride: Int

  package init(_ pointer: UnsafePointer<Float>, rowStride: Int, columnStride: Int = 1) {
    self.pointer = pointer
    self.rowStride = rowStride
    self.columnStride = columnStride
  }

  /// The same memory read as the transposed matrix.
  package var transposed: Matrix { Matrix(pointer, rowStride: columnStride, columnStride: rowStride) }
}

/// C `[m, n]` = start + scale · A `[m, k]` · B `[k, n]`, in fp32.
///
/// Made for the products of a network's step: tall and thin, small, batched, transposed. A may be read in either
/// direction. B and C have contiguous rows; tiles of six rows and two vectors of C stay in registers, and k is cut so that the
/// parts of A and B in use stay in the first-level cache.
///
/// Complexity: 2·m·n·k operations, at about nine tenths of the processor's peak once n is a multiple of two vectors and
/// k above 30.
package func multiply(
  _ m: Int, _ n: Int, _ k: Int, _ a: Matrix, _ b: Matrix, into c: UnsafeMutablePointer<Float>, rowStride: Int,
  start: ProductStart = .zero, scale: Float = 1
) {
  guard m > 0, n > 0 else { return }
  if b.columnStride != 1 || n < 8 {
    return multiplyNarrow(m, n, k, a, b, into: c, rowStride: rowStride, start: start, scale: scale)
  }
  let block = max(32, 8_192 / (min(m, 64) + min(n, 64)))
  var first = 0
  repeat {
    let depth = min(block, k - first)
    let left = a.pointer + first &* a.columnStride
    let right = b.pointer + first &* b.rowStride
    let tile = Tile(
      k: depth, aRow: a.rowStride, aColumn: a.columnStride, bRow: b.rowStride, cRow: rowStride, scale: scale)
    if first > 0 {
      tile.sweep(m, n, left, right, c, UnsafePointer(c), rowStride)
    } else {
      switch start {
      case .zero: tile.sweep(m, n, left, right, c, nil, 0)
      case .accumulate: tile.sweep(m, n, left, right, c, UnsafePointer(c), rowStride)
      case .bias(let bias): tile.sweep(m, n, left, right, c, bias, 0)
      }
    }
    first += depth
  } while first < k
}

/// The inner part of a product: k is short enough for the cache, C is swept tile by tile.
private struct Tile {
  let k: Int
  let aRow: Int
  let aColumn: Int
  let bRow: Int
  let cRow: Int
  let scale: Float

  typealias Input = UnsafePointer<Float>
  typealias Output = UnsafeMutablePointer<Float>

  func sweep(_ m: Int, _ n: Int, _ a: Input, _ b: Input, _ c: Output, _ start: Input?, _ startRow: Int) {
    var i = 0
    while i < m {
      let left = m &- i
      // Eight rows are two tiles of four, not one of six and one of two.
      let rows = left == 4 || left == 8 ? 4 : left >= 6 ? 6 : left >= 4 ? 4 : left >= 2 ? 2 : 1
      let aTile = a + i &* aRow
      let cTile = c + i &* cRow
      let startTile = start.map { $0 + i &* startRow }
      switch rows {
      case 6: panel(InlineArray<6, Void>.self, n, aTile, b, cTile, startTile, startRow)
      case 4: panel(InlineArray<4, Void>.self, n, aTile, b, cTile, startTile, startRow)
      case 2: panel(InlineArray<2, Void>.self, n, aTile, b, cTile, startTile, startRow)
      default: panel(InlineArray<1, Void>.self, n, aTile, b, cTile, startTile, startRow)
      }
      i &+= rows
    }
  }

  /// Some rows of C, all columns.
  @inline(__always)
  private func panel<let rows: Int>(
    _: InlineArray<rows, Void>.Type, _ n: Int, _ a: Input, _ b: Input, _ c: Output, _ start: Input?, _ startRow: Int
  ) {
    var j = 0
    while j &+ 2 &* width <= n {
      let sums = InlineArray<rows, InlineArray<2, Vector>>(repeating: .init(repeating: Vector(repeating: 0)))
      tile(sums, a, b + j, c + j, start.map { $0 + j }, startRow)
      j &+= 2 &* width
    }
    if j &+ width <= n {
      let sums = InlineArray<rows, InlineArray<1, Vector>>(repeating: .init(repeating: Vector(repeating: 0)))
      tile(sums, a, b + j, c + j, start.map { $0 + j }, startRow)
      j &+= width
    }
    if width > 8, j &+ 8 <= n {
      let sums = InlineArray<rows, InlineArray<1, SIMD8<Float>>>(repeating: .init(repeating: .init(repeating: 0)))
      tile(sums, a, b + j, c + j, start.map { $0 + j }, startRow)
      j &+= 8
    }
    if j < n { edge(rows, n &- j, a, b + j, c + j, start.map { $0 + j }, startRow) }
  }

  /// The register tile: `rows` × `columns` vectors of C, whose sums start at zero. The loops over rows and columns have
  /// constant bounds and are unrolled, so that the sums never leave the registers.
  @inline(__always)
  private func tile<let rows: Int, let columns: Int, V: SIMD>(
    _ zero: InlineArray<rows, InlineArray<columns, V>>, _ a: Input, _ b: Input, _ c: Output, _ start: Input?,
    _ startRow: Int
  ) where V.Scalar == Float {
    var sums = zero
    var left = a
    var right = b
    for _ in 0..<k {
      var row = InlineArray<columns, V>(repeating: V(repeating: 0))
      for j in 0..<columns {
        row[unchecked: j] = UnsafeRawPointer(right + j &* V.scalarCount).loadUnaligned(as: V.self)
      }
      for i in 0..<rows {
        let factor = V(repeating: left[i &* aRow])
        for j in 0..<columns { sums[unchecked: i][unchecked: j].addProduct(factor, row[unchecked: j]) }
      }
      left += aColumn
      right += bRow
    }
    for i in 0..<rows {
      for j in 0..<columns {
        let initial =
          start.map {
            UnsafeRawPointer($0 + (i &* startRow &+ j &* V.scalarCount)).loadUnaligned(as: V.self)
          } ?? V(repeating: 0)
        UnsafeMutableRawPointer(c + (i &* cRow &+ j &* V.scalarCount)).storeBytes(
          of: initial.addingProduct(sums[unchecked: i][unchecked: j], V(repeating: scale)), as: V.self)
      }
    }
  }

  /// The last columns, fewer than eight.
  func edge(_ rows: Int, _ columns: Int, _ a: Input, _ b: Input, _ c: Output, _ start: Input?, _ startRow: Int) {
    for i in 0..<rows {
      for j in 0..<columns {
        var sum: Float = 0
        for p in 0..<k { sum.addProduct(a[i &* aRow &+ p &* aColumn], b[p &* bRow &+ j]) }
        let initial = start.map { $0[i &* startRow &+ j] } ?? 0
        c[i &* cRow &+ j] = initial.addingProduct(sum, scale)
      }
    }
  }
}

/// Products with few columns, or with a B that is read across: dot products, in whole vectors where both
/// factors are contiguous along k.
private func multiplyNarrow(
  _ m: Int, _ n: Int, _ k: Int, _ a: Matrix, _ b: Matrix, into c: UnsafeMutablePointer<Float>, rowStride: Int,
  start: ProductStart, scale: Float
) {
  let contiguous = a.columnStride == 1 && b.rowStride == 1
  for i in 0..<m {
    let row = a.pointer + i &* a.rowStride
    for j in 0..<n {
      let column = b.pointer + j &* b.columnStride
      var sum: Float = 0
      var p = 0
      if contiguous {
        var lanes = (Vector(repeating: 0), Vector(repeating: 0))
        while p &+ 2 &* width <= k {
          lanes.0.addProduct(load(row + p), load(column + p))
          lanes.1.addProduct(load(row + p + width), load(column + p + width))
          p &+= 2 &* width
        }
        sum = (lanes.0 + lanes.1).sum()
      }
      while p < k {
        sum.addProduct(row[p &* a.columnStride], column[p &* b.rowStride])
        p &+= 1
      }
      let target = c + (i &* rowStride &+ j)
      switch start {
      case .zero: target.pointee = scale * sum
      case .accumulate: target.pointee.addProduct(scale, sum)
      case .bias(let bias): target.pointee = bias[j].addingProduct(scale, sum)
      }
    }
  }
}
