/// The transforms of F(4 × 4, 3 × 3): four outputs in each direction from six inputs (Lavin and Gray, arXiv
/// 1509.09308). Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A; the gradients are the transposed maps.
///
/// The points are 0, ±√½, ±√2 and ∞. With 0, ±1, ±2 and ∞, as in the paper, errors are four times as large.
///
/// Each function is one-dimensional; `transformTile` applies it in both directions.
enum WinogradTransform {
  typealias Three = InlineArray<3, Vector>
  typealias Four = InlineArray<4, Vector>
  typealias Six = InlineArray<6, Vector>

  private static let near: Float = 0.707_106_781
  private static let far: Float = 1.414_213_562

  /// Bᵀ: an input tile to its values at the points.
  @inline(__always)
  static func input(_ d: Six) -> Six {
    let nearEven = d[4].addingProduct(d[2], Vector(repeating: -2))
    let nearOdd = d[3].addingProduct(d[1], Vector(repeating: -2)) * Vector(repeating: near)
    let farEven = d[4].addingProduct(d[2], Vector(repeating: -0.5))
    let farOdd = d[3].addingProduct(d[1], Vector(repeating: -0.5)) * Vector(repeating: far)
    return [
      (d[0] + d[4]).addingProduct(d[2], Vector(repeating: -2.5)),
      nearEven + nearOdd, nearEven - nearOdd, farEven + farOdd, farEven - farOdd,
      (d[1] + d[5]).addingProduct(d[3], Vector(repeating: -2.5)),
    ]
  }

  /// Aᵀ: products at the points to outputs.
  @inline(__always)
  static func output(_ m: Six) -> Four {
    let (nearEven, nearOdd) = (m[1] + m[2], m[1] - m[2])
    let (farEven, farOdd) = (m[3] + m[4], m[3] - m[4])
    return [
      m[0] + nearEven + farEven,
      nearOdd.addingProduct(farOdd, Vector(repeating: 2)) * Vector(repeating: near),
      (nearEven * Vector(repeating: 0.5)).addingProduct(farEven, Vector(repeating: 2)),
      m[5].addingProduct(nearOdd, Vector(repeating: near / 2)).addingProduct(farOdd, Vector(repeating: far * 2)),
    ]
  }

  /// A: the gradients of outputs to those of the products.
  @inline(__always)
  static func outputGradient(_ g: Four) -> Six {
    let nearEven = g[0].addingProduct(g[2], Vector(repeating: 0.5))
    let nearOdd = g[1].addingProduct(g[3], Vector(repeating: 0.5)) * Vector(repeating: near)
    let farEven = g[0].addingProduct(g[2], Vector(repeating: 2))
    let farOdd = g[1].addingProduct(g[3], Vector(repeating: 2)) * Vector(repeating: far)
    return [g[0], nearEven + nearOdd, nearEven - nearOdd, farEven + farOdd, farEven - farOdd, g[3]]
  }

  /// G: a kernel to its values at the points.
  @inline(__always)
  static func weight(_ g: Three) -> Six {
    let nearEven = (g[0] * Vector(repeating: -2 / 3)).addingProduct(g[2], Vector(repeating: -1 / 3))
    let nearOdd = g[1] * Vector(repeating: near * -2 / 3)
    let farEven = (g[0] * Vector(repeating: 1 / 6)).addingProduct(g[2], Vector(repeating: 1 / 3))
    let farOdd = g[1] * Vector(repeating: far / 6)
    return [g[0], nearEven + nearOdd, nearEven - nearOdd, farEven + farOdd, farEven - farOdd, g[2]]
  }

  /// Gᵀ: the gradients of a kernel's values at the points to those of the kernel.
  @inline(__always)
  static func weightGradient(_ u: Six) -> Three {
    let (nearEven, nearOdd) = (u[1] + u[2], u[1] - u[2])
    let (farEven, farOdd) = (u[3] + u[4], u[3] - u[4])
    return [
      u[0].addingProduct(nearEven, Vector(repeating: -2 / 3)).addingProduct(farEven, Vector(repeating: 1 / 6)),
      (nearOdd * Vector(repeating: near * -2 / 3)).addingProduct(farOdd, Vector(repeating: far / 6)),
      u[5].addingProduct(farEven - nearEven, Vector(repeating: 1 / 3)),
    ]
  }
}

/// Where the first half of a two-dimensional transform is kept: in the first-level cache, since a tile has more vectors
/// than there are registers.
typealias WinogradScratch = UnsafeMutablePointer<Float>

/// A one-dimensional transform along the columns and then the rows of a square of vectors in memory.
///
/// - Parameters:
///   - rowStride: Floats from one row of the input square to the next, as `columnStride` from one column.
///   - body: receives each row of the result.
@inline(__always)
func transformTile<let m: Int, let n: Int>(
  _ input: UnsafePointer<Float>, rowStride: Int, columnStride: Int, _ scratch: WinogradScratch,
  _ transform: (InlineArray<m, Vector>) -> InlineArray<n, Vector>,
  _ body: (_ row: Int, _ values: InlineArray<n, Vector>) -> Void
) {
  for j in 0..<m {
    var column = InlineArray<m, Vector>(repeating: Vector(repeating: 0))
    for i in 0..<m { column[unchecked: i] = load(input + (i &* rowStride &+ j &* columnStride)) }
    let values = transform(column)
    for i in 0..<n { store(values[unchecked: i], scratch + (i &* m &+ j) &* width) }
  }
  for i in 0..<n {
    var row = InlineArray<m, Vector>(repeating: Vector(repeating: 0))
    for j in 0..<m { row[unchecked: j] = load(scratch + (i &* m &+ j) &* width) }
    body(i, transform(row))
  }
}

/// `transformTile` with the result in memory: element (i, j) is at `(n · i + j) · outputStride`.
@inline(__always)
func transformTile<let m: Int, let n: Int>(
  _ input: UnsafePointer<Float>, rowStride: Int, columnStride: Int, _ scratch: WinogradScratch,
  into output: UnsafeMutablePointer<Float>, outputStride: Int,
  _ transform: (InlineArray<m, Vector>) -> InlineArray<n, Vector>
) {
  transformTile(input, rowStride: rowStride, columnStride: columnStride, scratch, transform) { i, values in
    for j in 0..<n { store(values[unchecked: j], output + (n &* i &+ j) &* outputStride) }
  }
}
