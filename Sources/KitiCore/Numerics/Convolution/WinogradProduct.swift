/// Matrix products C = A·B or C += A·B, one for each point of the transformed tiles, in fp32.
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
  var points = WinogradProduct.points

  struct Strides {
    var point: Int
    var row: Int
    var column = 1
  }

  typealias Input = UnsafePointer<Float>
  typealias Output = UnsafeMutablePointer<Float>

  static let points = 36

  /// - Parameter ahead: gets a turn with each register tile.
  @inline(never)
  func run(_ a: Input, _ b: Input, into c: Output, accumulate: Bool, ahead: inout ReadAhead) {
    func sweep<K: KnownSizes>(_ known: K.Type) { self.sweep(known, a, b, c, accumulate, &ahead) }
    switch (self.a.row, self.a.column, self.b.row, self.c.row) {
    case (1, 16, 16, 16): sweep(Known<1, 16, 16, 16, 0>.self)
    case (1, 32, 32, 32): sweep(Known<1, 32, 32, 32, 0>.self)
    case (1, 16, 32, 32): sweep(Known<1, 16, 32, 32, 0>.self)
    case (1, 32, 64, 64): sweep(Known<1, 32, 64, 64, 0>.self)
    case (1, 64, 64, 64): sweep(Known<1, 64, 64, 64, 0>.self)
    case (1, _, _, _): sweep(Known<1, 0, 0, 0, 0>.self)
    case (16, 1, 16, 16) where depth == 16: sweep(Known<16, 1, 16, 16, 16>.self)
    case (32, 1, 32, 32) where depth == 32: sweep(Known<32, 1, 32, 32, 32>.self)
    case (16, 1, 32, 32) where depth == 16: sweep(Known<16, 1, 32, 32, 16>.self)
    case (32, 1, 16, 16) where depth == 32: sweep(Known<32, 1, 16, 16, 32>.self)
    case (32, 1, 64, 64) where depth == 32: sweep(Known<32, 1, 64, 64, 32>.self)
    case (64, 1, 32, 32) where depth == 64: sweep(Known<64, 1, 32, 32, 64>.self)
    case (64, 1, 64, 64) where depth == 64: sweep(Known<64, 1, 64, 64, 64>.self)
    case (_, 1, _, _): sweep(Known<0, 1, 0, 0, 0>.self)
    default: preconditionFailure("A has neither rows nor columns of neighbouring numbers")
    }
  }

  /// Register tiles of a product, which is how many turns reading ahead gets.
  static func turns(rows: Int, columns: Int, depth: Int, points: Int = points) -> Int {
    let vectors = columns / width
    let (fours, pairs) = (vectors / 4, vectors % 4 / 2)
    return points
      * (fours * Tiles(rows, columns: 4, depth: depth).count + pairs * Tiles(rows, columns: 2, depth: depth).count
        + vectors % 2 * NarrowTiles(rows).count)
  }

  /// Rows in register tiles. In 16 registers four and two with two vectors of columns; three and two with four vectors, but for
  /// short sums, at both ends of which units wait, two: so many sums are enough to keep the units at work. In 32 registers six,
  /// four and two, and eight as two tiles of four, not one of six and one of two.
  private struct Tiles {
    private(set) var sixes = 0
    private(set) var fours = 0
    private(set) var threes = 0
    let twos: Int

    @inline(__always)
    init(_ rows: Int, columns: Int, depth: Int) {
      if width == 8, columns == 4 {
        threes = depth <= 16 ? 0 : rows % 3 == 1 ? (rows &- 4) / 3 : rows / 3
      } else {
        if width > 8 { sixes = rows >= 8 && rows % 6 == 2 ? rows / 6 &- 1 : rows / 6 }
        fours = (rows &- 6 &* sixes) / 4
      }
      twos = (rows &- 6 &* sixes &- 4 &* fours &- 3 &* threes) / 2
    }

    var count: Int { sixes + fours + threes + twos }
  }

  private struct NarrowTiles {
    let sixteens: Int
    let eights: Int
    let twos: Int

    @inline(__always)
    init(_ rows: Int) {
      sixteens = width > 8 ? rows / 16 : 0
      eights = (rows &- 16 &* sixteens) / 8
      twos = (rows &- 16 &* sixteens &- 8 &* eights) / 2
    }

    var count: Int { sixteens + eights + twos }
  }

  @inline(__always)
  private func sweep<K: KnownSizes>(
    _ known: K.Type, _ a: Input, _ b: Input, _ c: Output, _ accumulate: Bool,
    _ ahead: inout ReadAhead
  ) {
    let vectors = columns / width
    let (wide, even) = (vectors / 4 &* 4 &* width, vectors / 2 &* 2 &* width)
    if wide > 0 { sweep(Columns<4>.self, known, 0..<wide, a, b, c, accumulate, &ahead) }
    if even > wide { sweep(Columns<2>.self, known, wide..<even, a, b, c, accumulate, &ahead) }
    if columns > even { sweepLast(known, even, a, b, c, accumulate, &ahead) }
  }

  /// Columns in panels of two or four vectors.
  @inline(never)
  private func sweep<let count: Int, K: KnownSizes>(
    _: Columns<count>.Type, _ known: K.Type, _ columns: Range<Int>, _ a: Input, _ b: Input,
    _ c: Output, _ accumulate: Bool, _ ahead: inout ReadAhead
  ) {
    let tiles = Tiles(rows, columns: count, depth: depth)
    var (left, firstRight, firstTarget) = (a, b + columns.lowerBound, c + columns.lowerBound)
    for _ in 0..<points {
      var (right, target, column) = (firstRight, firstTarget, columns.lowerBound)
      while column < columns.upperBound {
        var row = 0
        if width == 8, count == 4 {
          row = sweepTiles(Zero<3, count>.self, known, tiles.threes, from: row, left, right, target, accumulate, &ahead)
        } else {
          row = sweepTiles(Zero<6, count>.self, known, tiles.sixes, from: row, left, right, target, accumulate, &ahead)
          row = sweepTiles(Zero<4, count>.self, known, tiles.fours, from: row, left, right, target, accumulate, &ahead)
        }
        _ = sweepTiles(Zero<2, count>.self, known, tiles.twos, from: row, left, right, target, accumulate, &ahead)
        right += count &* width
        target += count &* width
        column &+= count &* width
      }
      left += self.a.point
      firstRight += self.b.point
      firstTarget += self.c.point
    }
  }

  /// One vector of columns, in tiles of as many rows as there are registers for.
  @inline(never)
  private func sweepLast<K: KnownSizes>(
    _ known: K.Type, _ column: Int, _ a: Input, _ b: Input, _ c: Output, _ accumulate: Bool,
    _ ahead: inout ReadAhead
  ) {
    let tiles = NarrowTiles(rows)
    for point in 0..<points {
      let left = a + point &* self.a.point
      let right = b + (point &* self.b.point &+ column)
      let target = c + (point &* self.c.point &+ column)
      var row = sweepTiles(Zero<16, 1>.self, known, tiles.sixteens, from: 0, left, right, target, accumulate, &ahead)
      row = sweepTiles(Zero<8, 1>.self, known, tiles.eights, from: row, left, right, target, accumulate, &ahead)
      _ = sweepTiles(Zero<2, 1>.self, known, tiles.twos, from: row, left, right, target, accumulate, &ahead)
    }
  }

  /// Register tiles of one size below each other. Returns the row behind them.
  @inline(__always)
  private func sweepTiles<let rows: Int, let columns: Int, K: KnownSizes>(
    _ zero: Zero<rows, columns>.Type, _ known: K.Type, _ count: Int, from row: Int, _ a: Input,
    _ b: Input, _ c: Output, _ accumulate: Bool, _ ahead: inout ReadAhead
  ) -> Int {
    let (aRow, cRow) = (aRow(known), cRow(known))
    var (aTile, cTile, remaining) = (a + row &* aRow, c + row &* cRow, count)
    while remaining > 0 {
      ahead.advance()
      tile(zero, known, aTile, b, cTile, accumulate)
      aTile += rows &* aRow
      cTile += rows &* cRow
      remaining &-= 1
    }
    return row &+ rows &* count
  }

  /// The loops over rows and columns have constant bounds and are unrolled, so that the sums never leave the registers; that
  /// over the depth takes sixteen steps at a time where the depth is known, else four.
  @inline(__always)
  private func tile<let rows: Int, let columns: Int, K: KnownSizes>(
    _ zero: Zero<rows, columns>.Type, _ known: K.Type, _ a: Input, _ b: Input, _ c: Output, _ accumulate: Bool
  ) {
    let (aColumn, bRow, cRow) = (aColumn(known), bRow(known), cRow(known))
    var sums = zero.sums
    if accumulate {
      for i in 0..<rows {
        for j in 0..<columns { sums[unchecked: i][unchecked: j] = load(c + (i &* cRow &+ j &* width)) }
      }
    }
    var (left, right, remaining) = (a, b, K.depth > 0 ? K.depth : depth)
    while K.depth > 0, remaining > 0 {
      // One after another and not in a loop, which the compiler would not unroll.
      addFour(known, left, right, to: &sums)
      addFour(known, left + 4 &* aColumn, right + 4 &* bRow, to: &sums)
      addFour(known, left + 8 &* aColumn, right + 8 &* bRow, to: &sums)
      addFour(known, left + 12 &* aColumn, right + 12 &* bRow, to: &sums)
      left += 16 &* aColumn
      right += 16 &* bRow
      remaining &-= 16
    }
    while remaining >= 4 {
      addFour(known, left, right, to: &sums)
      left += 4 &* aColumn
      right += 4 &* bRow
      remaining &-= 4
    }
    while remaining > 0 {
      add(known, left, right, to: &sums)
      left += aColumn
      right += bRow
      remaining &-= 1
    }
    for i in 0..<rows {
      for j in 0..<columns { store(sums[unchecked: i][unchecked: j], c + (i &* cRow &+ j &* width)) }
    }
  }

  @inline(__always)
  private func addFour<let rows: Int, let columns: Int, K: KnownSizes>(
    _ known: K.Type, _ left: Input, _ right: Input, to sums: inout InlineArray<rows, InlineArray<columns, Vector>>
  ) {
    for k in 0..<4 { add(known, left + k &* aColumn(known), right + k &* bRow(known), to: &sums) }
  }

  /// Adds the products of one number of each row of A and a row of B. Whichever of both are fewer stay in registers.
  @inline(__always)
  private func add<let rows: Int, let columns: Int, K: KnownSizes>(
    _ known: K.Type, _ left: Input, _ right: Input,
    to sums: inout InlineArray<rows, InlineArray<columns, Vector>>
  ) {
    let aRow = aRow(known)
    if rows < columns {
      var factors = InlineArray<rows, Vector>(repeating: .zero)
      for i in 0..<rows { factors[unchecked: i] = Vector(repeating: left[i &* aRow]) }
      for j in 0..<columns {
        let value = load(right + j &* width)
        for i in 0..<rows { sums[unchecked: i][unchecked: j].addProduct(factors[unchecked: i], value) }
      }
    } else {
      var values = InlineArray<columns, Vector>(repeating: .zero)
      for j in 0..<columns { values[unchecked: j] = load(right + j &* width) }
      for i in 0..<rows {
        let factor = Vector(repeating: left[i &* aRow])
        for j in 0..<columns { sums[unchecked: i][unchecked: j].addProduct(factor, values[unchecked: j]) }
      }
    }
  }

  @inline(__always)
  private func aRow<K: KnownSizes>(_: K.Type) -> Int { K.aRow > 0 ? K.aRow : a.row }
  @inline(__always)
  private func aColumn<K: KnownSizes>(_: K.Type) -> Int { K.aColumn > 0 ? K.aColumn : a.column }
  @inline(__always)
  private func bRow<K: KnownSizes>(_: K.Type) -> Int { K.bRow > 0 ? K.bRow : b.row }
  @inline(__always)
  private func cRow<K: KnownSizes>(_: K.Type) -> Int { K.cRow > 0 ? K.cRow : c.row }
}

/// Sizes that are known when this is compiled, and 0 for one that is not: strides of A's rows and columns and of the rows of
/// B and C, and the depth, a multiple of 16.
private protocol KnownSizes {
  static var aRow: Int { get }
  static var aColumn: Int { get }
  static var bRow: Int { get }
  static var cRow: Int { get }
  static var depth: Int { get }
}

private enum Known<let a: Int, let column: Int, let b: Int, let c: Int, let steps: Int>: KnownSizes {
  @inline(__always)
  static var aRow: Int { a }
  @inline(__always)
  static var aColumn: Int { column }
  @inline(__always)
  static var bRow: Int { b }
  @inline(__always)
  static var cRow: Int { c }
  @inline(__always)
  static var depth: Int { steps }
}

/// Sums of a register tile.
private enum Zero<let rows: Int, let columns: Int> {
  @inline(__always)
  static var sums: InlineArray<rows, InlineArray<columns, Vector>> {
    .init(repeating: .init(repeating: Vector(repeating: 0)))
  }
}
