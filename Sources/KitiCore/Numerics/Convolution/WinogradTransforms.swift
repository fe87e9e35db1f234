/// A linear map of F(4 × 4, 3 × 3) in one dimension: four outputs from six inputs (Lavin and Gray, arXiv 1509.09308).
/// Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A; the gradients are the transposed maps.
///
/// The points are 0, ±√½, ±√2 and ∞. With 0, ±1, ±2 and ∞, as in the paper, errors are four times as large. Results come
/// in pairs, since those of a point and of its negative share all products.
protocol WinogradMap {
  /// Of results; the last may lack its second.
  static var pairs: Int { get }

  /// Which results a pair is; the second is nil where there is one alone.
  static func places(_ pair: Int) -> (Int, Int?)

  static func results(_ pair: Int, of x: some VectorSequence) -> (Vector, Vector)
}

/// What a map is applied to.
protocol VectorSequence {
  subscript(index: Int) -> Vector { get }
}

/// Bᵀ: an input tile to its values at the points, with every second place, the first one not among them, times √½.
///
/// That makes half of the products sums, for which the processor has units of its own. The value at ∞ comes out times √½,
/// which the kernel's map makes good.
enum WinogradInputMap: SixPoints {
  @inline(__always)
  static func results(_ pair: Int, of d: some VectorSequence) -> (Vector, Vector) {
    switch pair {
    case 0:
      return (
        (d[0] + d[4]).addingProduct(d[2], Vector(repeating: -2.5)),
        (d[1] + d[5]).addingProduct(d[3], Vector(repeating: -2.5))
      )
    case 1:
      let (even, odd) = (
        d[4].addingProduct(d[2], Vector(repeating: -2)), d[3].addingProduct(d[1], Vector(repeating: -2))
      )
      return (even + odd, even - odd)
    default:
      let even = d[4].addingProduct(d[2], Vector(repeating: -0.5))
      let odd = (-d[1]).addingProduct(d[3], Vector(repeating: 2))
      return (even + odd, even - odd)
    }
  }
}

/// A: the gradients of outputs, every second place from the first one on times √½, to those of the products. Those at 0 and
/// ±√2 come out times √½, those at ±√½ times √2, which the gradient of the kernel's map makes good.
enum WinogradOutputGradientMap: SixPoints {
  @inline(__always)
  static func results(_ pair: Int, of g: some VectorSequence) -> (Vector, Vector) {
    switch pair {
    case 0: return (g[0], g[3])
    case 1:
      let even = g[2].addingProduct(g[0], Vector(repeating: 2))
      let odd = g[1].addingProduct(g[3], Vector(repeating: 0.5))
      return (even + odd, even - odd)
    default:
      let two = Vector(repeating: 2)
      let (even, odd) = (g[0].addingProduct(g[2], two), g[1].addingProduct(g[3], two))
      return (even + odd, even - odd)
    }
  }
}

/// B: the gradients at the points, those at ±√½ times 2, to those of an input tile.
enum WinogradInputGradientMap: WinogradMap {
  static var pairs: Int { 3 }

  @inline(__always)
  static func places(_ pair: Int) -> (Int, Int?) { pair == 0 ? (2, 4) : pair == 1 ? (1, 3) : (0, 5) }

  @inline(__always)
  static func results(_ pair: Int, of m: some VectorSequence) -> (Vector, Vector) {
    let (half, factor) = (Vector(repeating: 0.5), Vector(repeating: -2.5))
    switch pair {
    case 0:
      let (nearEven, farEven) = (m[1] + m[2], m[3] + m[4])
      return (
        (-nearEven).addingProduct(farEven, -half).addingProduct(m[0], factor),
        (m[0] + farEven).addingProduct(nearEven, half)
      )
    case 1:
      let (nearOdd, farOdd) = (m[1] - m[2], m[3] - m[4])
      return (
        m[5].addingProduct(nearOdd + farOdd, Vector(repeating: -near)),
        (farOdd * Vector(repeating: far)).addingProduct(nearOdd, Vector(repeating: near / 2))
          .addingProduct(m[5], factor)
      )
    default: return (m[0], m[5])
    }
  }
}

/// G: a kernel to its values at the points; that at ∞ times √2.
enum WinogradWeightMap: SixPoints {
  @inline(__always)
  static func results(_ pair: Int, of g: some VectorSequence) -> (Vector, Vector) {
    switch pair {
    case 0: return (g[0], g[2] * Vector(repeating: far))
    case 1:
      let even = (g[0] * Vector(repeating: -2 / 3)).addingProduct(g[2], Vector(repeating: -1 / 3))
      return opposite(even, g[1], near * -2 / 3)
    default:
      let even = (g[0] * Vector(repeating: 1 / 6)).addingProduct(g[2], Vector(repeating: 1 / 3))
      return opposite(even, g[1], far / 6)
    }
  }
}

/// G for the gradients of inputs: all values but that at ∞ times √2, which with the output's gradients at the points makes
/// their products what `WinogradInputGradientMap` takes.
enum WinogradTransposedWeightMap: SixPoints {
  @inline(__always)
  static func results(_ pair: Int, of g: some VectorSequence) -> (Vector, Vector) {
    switch pair {
    case 0: return (g[0] * Vector(repeating: far), g[2])
    case 1:
      let even = (g[0] * Vector(repeating: far * -2 / 3)).addingProduct(g[2], Vector(repeating: far * -1 / 3))
      return opposite(even, g[1], -2 / 3)
    default:
      let even = (g[0] * Vector(repeating: far / 6)).addingProduct(g[2], Vector(repeating: far / 3))
      return opposite(even, g[1], 1 / 3)
    }
  }
}

/// Aᵀ: products at the points to outputs.
enum WinogradOutputMap: FourOutputs {
  @inline(__always)
  static func results(_ pair: Int, of m: some VectorSequence) -> (Vector, Vector) {
    if pair == 0 {
      let (nearEven, farEven) = (m[1] + m[2], m[3] + m[4])
      return (
        m[0] + nearEven + farEven,
        (nearEven * Vector(repeating: 0.5)).addingProduct(farEven, Vector(repeating: 2))
      )
    }
    let (nearOdd, farOdd) = (m[1] - m[2], m[3] - m[4])
    return (
      nearOdd.addingProduct(farOdd, Vector(repeating: 2)) * Vector(repeating: near),
      m[5].addingProduct(nearOdd, Vector(repeating: near / 2)).addingProduct(farOdd, Vector(repeating: far * 2))
    )
  }
}

/// Gᵀ: the gradients of a kernel's values at the points, times √2 at ±√½ and √½ at the others, to those of the kernel.
enum WinogradWeightGradientMap: KernelPlaces {
  @inline(__always)
  static func results(_ pair: Int, of u: some VectorSequence) -> (Vector, Vector) {
    if pair == 0 {
      let (nearEven, farEven) = (u[1] + u[2], u[3] + u[4])
      let (nearShare, farShare) = (Vector(repeating: near * -2 / 3), Vector(repeating: far / 6))
      return (
        (u[0] * Vector(repeating: far)).addingProduct(nearEven, nearShare).addingProduct(farEven, farShare),
        (u[5] * Vector(repeating: far)).addingProduct(nearEven, nearShare * 0.5).addingProduct(farEven, farShare * 2)
      )
    }
    let odd = ((u[3] - u[4]) - (u[1] - u[2])) * Vector(repeating: 1 / 3)
    return (odd, odd)
  }
}

private let near: Float = 0.707_106_781
private let far: Float = 1.414_213_562

/// The values at 0 and ∞, at ±√½ and at ±√2.
protocol SixPoints: WinogradMap {}

extension SixPoints {
  static var pairs: Int { 3 }

  @inline(__always)
  static func places(_ pair: Int) -> (Int, Int?) { pair == 0 ? (0, 5) : pair == 1 ? (1, 2) : (3, 4) }

  @inline(__always)
  fileprivate static func opposite(_ even: Vector, _ odd: Vector, _ factor: Float) -> (Vector, Vector) {
    (
      even.addingProduct(odd, Vector(repeating: factor)), even.addingProduct(odd, Vector(repeating: -factor))
    )
  }
}

/// The outputs of a tile: the even ones, then the odd ones.
protocol FourOutputs: WinogradMap {}

extension FourOutputs {
  static var pairs: Int { 2 }

  @inline(__always)
  static func places(_ pair: Int) -> (Int, Int?) { pair == 0 ? (0, 2) : (1, 3) }
}

/// The places of a kernel: the outer ones, then the one between.
protocol KernelPlaces: WinogradMap {}

extension KernelPlaces {
  static var pairs: Int { 2 }

  @inline(__always)
  static func places(_ pair: Int) -> (Int, Int?) { pair == 0 ? (0, 2) : (1, nil) }
}

/// A column of a square of vectors in memory.
struct Column: VectorSequence {
  var first: UnsafePointer<Float>
  var stride: Int
  /// How much further on all but the first four vectors are.
  var wrap = 0

  @inline(__always)
  subscript(index: Int) -> Vector { load(first + (index &* stride &+ (index < 4 ? 0 : wrap))) }
}

struct Row<let count: Int>: VectorSequence {
  var values: InlineArray<count, Vector>

  @inline(__always)
  init() { values = InlineArray(repeating: Vector(repeating: 0)) }

  @inline(__always)
  subscript(index: Int) -> Vector { values[unchecked: index] }
}

/// The number of vectors in a row of a square.
enum Columns<let count: Int> {}

/// A map along the columns and then the rows of a square of vectors in memory.
///
/// Two rows of the result are made at a time, which registers have room for: the numbers of the square are read two or
/// three times, but nothing goes through memory in between.
///
/// - Parameters:
///   - rowStride: Floats from one row of the square to the next, as `columnStride` from one column.
///   - body: receives each vector of the result.
@inline(__always)
func transformTile<Map: WinogradMap, let columns: Int>(
  _ map: Map.Type, _: Columns<columns>.Type, _ input: UnsafePointer<Float>, rowStride: Int, columnStride: Int,
  _ body: (_ row: Int, _ column: Int, _ value: Vector) -> Void
) {
  @inline(__always)
  func store(_ row: Int, _ values: Row<columns>) {
    forEachPair(of: map) { pair in
      let ((first, second), (a, b)) = (Map.places(pair), Map.results(pair, of: values))
      body(row, first, a)
      if let second { body(row, second, b) }
    }
  }
  forEachPair(of: map) { pair in
    var (upper, lower) = (Row<columns>(), Row<columns>())
    for j in 0..<columns {
      let column = Column(first: input + j &* columnStride, stride: rowStride)
      (upper.values[unchecked: j], lower.values[unchecked: j]) = Map.results(pair, of: column)
    }
    let (first, second) = Map.places(pair)
    store(first, upper)
    if let second { store(second, lower) }
  }
}

/// Unrolled, so that which pair it is is known when this is compiled.
@inline(__always)
func forEachPair<Map: WinogradMap>(of _: Map.Type, _ body: (Int) -> Void) {
  body(0)
  body(1)
  if Map.pairs > 2 { body(2) }
}

/// Two rows of the results of a map along the columns and then the rows of the squares of a row of tiles, of which each begins
/// four columns behind the one before it: what neighbours share is mapped along its columns once.
///
/// - Parameters:
///   - pair: which two rows.
///   - rowStride: Floats from one row of places to the next, as `columnStride` from one column.
///   - wrap: how much further on all but the first four rows are.
///   - output: of the first tile; those of the next are `tileStride` further on. Element (i, j) of a result is at
///     `(6 · i + j) · pointStride`.
@inline(__always)
func transformTiles<Map: SixPoints, let columns: Int>(
  _ map: Map.Type, _: Columns<columns>.Type, pair: Int, _ input: UnsafePointer<Float>, rowStride: Int, wrap: Int,
  columnStride: Int, tiles: Int, into output: UnsafeMutablePointer<Float>, tileStride: Int, pointStride: Int
) {
  let shared = columns &- 4
  let (first, second) = Map.places(pair)
  var (upper, lower) = (Row<columns>(), Row<columns>())
  for j in 0..<shared {
    let column = Column(first: input + j &* columnStride, stride: rowStride, wrap: wrap)
    (upper.values[unchecked: j &+ 4], lower.values[unchecked: j &+ 4]) = Map.results(pair, of: column)
  }
  var (source, target) = (input + shared &* columnStride, output)
  for _ in 0..<tiles {
    for j in 0..<shared {
      upper.values[unchecked: j] = upper.values[unchecked: j &+ 4]
      lower.values[unchecked: j] = lower.values[unchecked: j &+ 4]
    }
    for j in 0..<4 {
      let column = Column(first: source + j &* columnStride, stride: rowStride, wrap: wrap)
      (upper.values[unchecked: j &+ shared], lower.values[unchecked: j &+ shared]) = Map.results(pair, of: column)
    }
    storeRow(map, upper, target + 6 &* first &* pointStride, pointStride)
    storeRow(map, lower, target + 6 &* second! &* pointStride, pointStride)
    source += 4 &* columnStride
    target += tileStride
  }
}

@inline(__always)
private func storeRow<Map: SixPoints, let columns: Int>(
  _ map: Map.Type, _ row: Row<columns>, _ target: UnsafeMutablePointer<Float>, _ pointStride: Int
) {
  forEachPair(of: map) { pair in
    let ((first, second), (a, b)) = (Map.places(pair), Map.results(pair, of: row))
    store(a, target + first &* pointStride)
    store(b, target + second! &* pointStride)
  }
}

/// `transformTile` with the result in memory: element (i, j) is at `(n · i + j) · outputStride`, with n the results of a row.
@inline(__always)
func transformTile<Map: SixPoints, let columns: Int>(
  _ map: Map.Type, _ size: Columns<columns>.Type, _ input: UnsafePointer<Float>, rowStride: Int, columnStride: Int,
  into output: UnsafeMutablePointer<Float>, outputStride: Int
) {
  transformTile(map, size, input, rowStride: rowStride, columnStride: columnStride) { row, column, value in
    store(value, output + (6 &* row &+ column) &* outputStride)
  }
}

/// Floats from one point of a tile to the next where that is known when this is compiled, which makes addresses constants
/// apart; 0 elsewhere.
enum PointStride<let floats: Int> {}
