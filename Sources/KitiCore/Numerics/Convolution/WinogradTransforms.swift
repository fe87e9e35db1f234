/// The transforms of F(4 × 4, 3 × 3): four outputs in each direction from six inputs, by the points 0, ±1, ±2 and ∞
/// (Lavin and Gray, arXiv 1509.09308, §4.3). Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A; the gradients are the transposed maps.
///
/// Each function is one-dimensional; `transformTile` applies it in both directions.
enum WinogradTransform {
  typealias Four = InlineArray<4, Vector>
  typealias Six = InlineArray<6, Vector>
  typealias Three = InlineArray<3, Vector>

  /// Bᵀ: an input tile to its values at the points.
  @inline(__always)
  static func input(_ d: Six) -> Six {
    let even = d[unchecked: 4].addingProduct(d[unchecked: 2], Vector(repeating: -4))
    let odd = d[unchecked: 3].addingProduct(d[unchecked: 1], Vector(repeating: -4))
    let evenDifference = d[unchecked: 4] - d[unchecked: 2]
    let oddDifference = d[unchecked: 3] - d[unchecked: 1]
    return [
      d[unchecked: 4].addingProduct(d[unchecked: 2], Vector(repeating: -5)).addingProduct(d[unchecked: 0], Vector(repeating: 4)),
      even + odd,
      even - odd,
      evenDifference.addingProduct(oddDifference, Vector(repeating: 2)),
      evenDifference.addingProduct(oddDifference, Vector(repeating: -2)),
      d[unchecked: 5].addingProduct(d[unchecked: 3], Vector(repeating: -5)).addingProduct(d[unchecked: 1], Vector(repeating: 4)),
    ]
  }

  /// Aᵀ: products at the points to outputs.
  @inline(__always)
  static func output(_ m: Six) -> Four {
    let sum1 = m[unchecked: 1] + m[unchecked: 2]
    let difference1 = m[unchecked: 1] - m[unchecked: 2]
    let sum2 = m[unchecked: 3] + m[unchecked: 4]
    let difference2 = m[unchecked: 3] - m[unchecked: 4]
    return [
      m[unchecked: 0] + sum1 + sum2,
      difference1.addingProduct(difference2, Vector(repeating: 2)),
      sum1.addingProduct(sum2, Vector(repeating: 4)),
      (difference1 + m[unchecked: 5]).addingProduct(difference2, Vector(repeating: 8)),
    ]
  }

  /// A: the gradients of outputs to those of the products.
  @inline(__always)
  static func outputGradient(_ g: Four) -> Six {
    let even = g[unchecked: 0] + g[unchecked: 2]
    let odd = g[unchecked: 1] + g[unchecked: 3]
    let even2 = g[unchecked: 0].addingProduct(g[unchecked: 2], Vector(repeating: 4))
    let odd2 = g[unchecked: 1].addingProduct(g[unchecked: 3], Vector(repeating: 4))
    return [
      g[unchecked: 0], even + odd, even - odd, even2.addingProduct(odd2, Vector(repeating: 2)),
      even2.addingProduct(odd2, Vector(repeating: -2)), g[unchecked: 3],
    ]
  }

  /// G: a kernel to its values at the points.
  @inline(__always)
  static func weight(_ g: Three) -> Six {
    let outer = (g[unchecked: 0] + g[unchecked: 2]) * Vector(repeating: -1 / 6)
    let far = (g[unchecked: 0] * Vector(repeating: 1 / 24)).addingProduct(g[unchecked: 2], Vector(repeating: 1 / 6))
    return [
      g[unchecked: 0] * Vector(repeating: 0.25),
      outer.addingProduct(g[unchecked: 1], Vector(repeating: -1 / 6)),
      outer.addingProduct(g[unchecked: 1], Vector(repeating: 1 / 6)),
      far.addingProduct(g[unchecked: 1], Vector(repeating: 1 / 12)),
      far.addingProduct(g[unchecked: 1], Vector(repeating: -1 / 12)),
      g[unchecked: 2],
    ]
  }

  /// Gᵀ: the gradients of a kernel's values at the points to those of the kernel.
  @inline(__always)
  static func weightGradient(_ u: Six) -> Three {
    let near = u[unchecked: 1] + u[unchecked: 2]
    let far = u[unchecked: 3] + u[unchecked: 4]
    let nearDifference = u[unchecked: 2] - u[unchecked: 1]
    let farDifference = u[unchecked: 3] - u[unchecked: 4]
    return [
      (u[unchecked: 0] * Vector(repeating: 0.25)).addingProduct(near, Vector(repeating: -1 / 6))
        .addingProduct(far, Vector(repeating: 1 / 24)),
      (nearDifference * Vector(repeating: 1 / 6)).addingProduct(farDifference, Vector(repeating: 1 / 12)),
      u[unchecked: 5].addingProduct(far - near, Vector(repeating: 1 / 6)),
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
