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
/// direction. B and C have contiguous rows; 6 × 16 tiles of C stay in registers, and k is cut so that the
/// parts of A and B in use stay in the first-level cache.
///
/// Complexity: 2·m·n·k operations, at about nine tenths of the processor's peak once n is a multiple of 16 and
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
      var j = 0
      while j &+ 16 <= n {
        tile(rows, aTile, b + j, cTile + j, startTile.map { $0 + j }, startRow, SIMD16<Float>.self)
        j &+= 16
      }
      if j &+ 8 <= n {
        tile(rows, aTile, b + j, cTile + j, startTile.map { $0 + j }, startRow, SIMD8<Float>.self)
        j &+= 8
      }
      if j < n { edge(rows, n &- j, aTile, b + j, cTile + j, startTile.map { $0 + j }, startRow) }
      i &+= rows
    }
  }

  @inline(__always)
  func tile<V: SIMD>(
    _ rows: Int, _ a: Input, _ b: Input, _ c: Output, _ start: Input?, _ startRow: Int, _: V.Type
  ) where V.Scalar == Float {
    switch rows {
    case 6: six(a, b, c, start, startRow, V.self)
    case 4: four(a, b, c, start, startRow, V.self)
    case 2: two(a, b, c, start, startRow, V.self)
    default: one(a, b, c, start, V.self)
    }
  }

  @inline(__always)
  func read<V: SIMD>(_ pointer: Input, _: V.Type) -> V where V.Scalar == Float {
    UnsafeRawPointer(pointer).loadUnaligned(as: V.self)
  }

  @inline(__always)
  func finish<V: SIMD>(_ sum: V, _ row: Int, _ c: Output, _ start: Input?, _ startRow: Int) where V.Scalar == Float {
    let initial = start.map { read($0 + row &* startRow, V.self) } ?? V(repeating: 0)
    UnsafeMutableRawPointer(c + row &* cRow).storeBytes(
      of: initial.addingProduct(sum, V(repeating: scale)), as: V.self)
  }

  @inline(__always)
  func six<V: SIMD>(_ a: Input, _ b: Input, _ c: Output, _ start: Input?, _ startRow: Int, _: V.Type)
  where V.Scalar == Float {
    var s0 = V(repeating: 0)
    var s1 = s0
    var s2 = s0
    var s3 = s0
    var s4 = s0
    var s5 = s0
    var left = a
    var right = b
    let row = aRow
    for _ in 0..<k {
      let v = read(right, V.self)
      let lower = left + 3 &* row
      s0.addProduct(V(repeating: left[0]), v)
      s1.addProduct(V(repeating: left[row]), v)
      s2.addProduct(V(repeating: left[2 &* row]), v)
      s3.addProduct(V(repeating: lower[0]), v)
      s4.addProduct(V(repeating: lower[row]), v)
      s5.addProduct(V(repeating: lower[2 &* row]), v)
      left += aColumn
      right += bRow
    }
    finish(s0, 0, c, start, startRow)
    finish(s1, 1, c, start, startRow)
    finish(s2, 2, c, start, startRow)
    finish(s3, 3, c, start, startRow)
    finish(s4, 4, c, start, startRow)
    finish(s5, 5, c, start, startRow)
  }

  @inline(__always)
  func four<V: SIMD>(_ a: Input, _ b: Input, _ c: Output, _ start: Input?, _ startRow: Int, _: V.Type)
  where V.Scalar == Float {
    var s0 = V(repeating: 0)
    var s1 = s0
    var s2 = s0
    var s3 = s0
    var left = a
    var right = b
    let row = aRow
    for _ in 0..<k {
      let v = read(right, V.self)
      s0.addProduct(V(repeating: left[0]), v)
      s1.addProduct(V(repeating: left[row]), v)
      s2.addProduct(V(repeating: left[2 &* row]), v)
      s3.addProduct(V(repeating: left[3 &* row]), v)
      left += aColumn
      right += bRow
    }
    finish(s0, 0, c, start, startRow)
    finish(s1, 1, c, start, startRow)
    finish(s2, 2, c, start, startRow)
    finish(s3, 3, c, start, startRow)
  }

  @inline(__always)
  func two<V: SIMD>(_ a: Input, _ b: Input, _ c: Output, _ start: Input?, _ startRow: Int, _: V.Type)
  where V.Scalar == Float {
    var s0 = V(repeating: 0)
    var s1 = s0
    var left = a
    var right = b
    for _ in 0..<k {
      let v = read(right, V.self)
      s0.addProduct(V(repeating: left[0]), v)
      s1.addProduct(V(repeating: left[aRow]), v)
      left += aColumn
      right += bRow
    }
    finish(s0, 0, c, start, startRow)
    finish(s1, 1, c, start, startRow)
  }

  @inline(__always)
  func one<V: SIMD>(_ a: Input, _ b: Input, _ c: Output, _ start: Input?, _: V.Type) where V.Scalar == Float {
    var s0 = V(repeating: 0)
    var left = a
    var right = b
    for _ in 0..<k {
      s0.addProduct(V(repeating: left[0]), read(right, V.self))
      left += aColumn
      right += bRow
    }
    finish(s0, 0, c, start, 0)
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

/// Products with few columns, or with a B that is read across: dot products, eight lanes wide where both
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
        while p &+ 16 <= k {
          lanes.0.addProduct(load(row + p), load(column + p))
          lanes.1.addProduct(load(row + p + 8), load(column + p + 8))
          p &+= 16
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

/// The transpose of a matrix `[rows, columns]` with contiguous rows.
package func transpose(
  _ rows: Int, _ columns: Int, _ input: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>
) {
  var i = 0
  while i < rows {
    let rowEnd = min(i &+ 8, rows)
    for j in 0..<columns {
      var p = i
      while p < rowEnd {
        output[j &* rows &+ p] = input[p &* columns &+ j]
        p &+= 1
      }
    }
    i &+= 8
  }
}
