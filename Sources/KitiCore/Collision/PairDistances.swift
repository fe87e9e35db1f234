/// Distances and relative speeds of all pairs of particles of a sample, and the probabilities that follow from them.
///
/// |x_i − x_j|² = |x_i|² + |x_j|² − 2 x_i·x_j, with the x_i·x_j of the upper triangle as matrix products. Particles are taken
/// relative to their mean, and a pair that is still much nearer than its particles are to the mean is measured by its
/// difference: what would cancel is exact, and equal particles have distance 0.
final class PairDistances {
  private let layout: ParticleLayout
  /// Coordinates; those of the layout may be more, then the others are 0.
  private let dimensions: Int
  /// Particles rounded up to whole vectors: rows of the matrices.
  private let stride: Int
  /// A line more: rows that are a power of two apart would share a few sets of the cache.
  private let transposedStride: Int
  /// `[n, stride]` each, upper triangle: squares, then probabilities; squares, then speeds.
  private let first: AlignedBuffer<Float>
  private let second: AlignedBuffer<Float>
  /// Particles relative to their mean, coordinate by coordinate, `[layout.dimensions, transposedStride]`.
  private let transposed: AlignedBuffer<Float>
  /// |x|² and |v|² relative to the means.
  private let firstNorms: AlignedBuffer<Float>
  private let secondNorms: AlignedBuffer<Float>
  /// 0, 1, 2, …; comparisons of whole numbers are not compiled to vectors.
  private let lanes: Vector

  /// With fewer particles the differences themselves take no longer.
  private static let fewest = 32
  /// Below this share of |x_i|² + |x_j|² a square has lost too many digits.
  private static let leastShare: Float = 1 / 64
  /// Smaller squares come from products that may have been denormal.
  private static let leastSquare: Float = 1e-20
  private static let blockRows = 48

  /// - Parameters:
  ///   - layout: how what is measured lies.
  ///   - dimensions: at most those of the layout.
  init(_ layout: ParticleLayout, dimensions: Int) {
    self.layout = layout
    self.dimensions = dimensions
    let n = layout.count
    stride = (n + 15) / 16 * 16
    first = AlignedBuffer(count: n * stride)
    second = AlignedBuffer(count: n * stride)
    transposedStride = stride + 16
    transposed = AlignedBuffer(count: n >= Self.fewest ? transposedStride * layout.dimensions : 0)
    firstNorms = AlignedBuffer(count: stride)
    secondNorms = AlignedBuffer(count: stride)
    var lanes = Vector(repeating: 0)
    for lane in 0..<width { lanes[lane] = Float(lane) }
    self.lanes = lanes
  }

  var workspaceBytes: Int {
    first.byteCount + second.byteCount + transposed.byteCount + firstNorms.byteCount + secondNorms.byteCount
  }

  /// Probabilities of particle i with the particles j > i of the sample that was measured last, indexed by j.
  func probabilities(of i: Int) -> UnsafePointer<Float> { UnsafePointer(first.pointer + i &* stride) }

  /// Relative speeds of particle i, likewise.
  func speeds(of i: Int) -> UnsafePointer<Float> { UnsafePointer(second.pointer + i &* stride) }

  func measure(
    positions: UnsafePointer<Float>, velocities: UnsafePointer<Float>, law: AcceptanceLaw, strength: CollisionStrength,
    _ statistics: inout CollisionStatistics
  ) {
    let n = layout.count
    if n >= Self.fewest {
      products(of: positions, into: first.pointer, norms: firstNorms.pointer)
      products(of: velocities, into: second.pointer, norms: secondNorms.pointer)
    }
    var fastest = Vector(repeating: 0)
    var (squares, speeds) = (0.0, 0.0)
    for i in 0..<n {
      measureSquares(of: i, positions, into: first.pointer + i &* stride, norms: firstNorms.pointer)
      let row = second.pointer + i &* stride
      measureSquares(of: i, velocities, into: row, norms: secondNorms.pointer)
      var squareLanes = Vector(repeating: 0)
      var speedLanes = Vector(repeating: 0)
      forEachVector(of: i) { j, _ in
        let speedSquare = load(row + j)
        let speed = squareRoot(speedSquare).replacing(with: 0, where: speedSquare .< 1e-30)
        store(speed, row + j)
        fastest.replace(with: speed, where: speed .> fastest)
        squareLanes += load(first.pointer + (i &* stride &+ j))
        speedLanes += speed
      }
      squares += Double(laneSum(squareLanes))
      speeds += Double(laneSum(speedLanes))
    }
    let inverse = law.inverseLength(squares: squares, pairs: n * (n - 1) / 2, factor: strength.lengthFactor)
    let scale = law.scale(coefficient: strength.coefficient, fastest: fastest.max())
    statistics.speed += speeds
    statistics.scaledSpeed += speeds * Double(inverse)
    for i in 0..<n {
      forEachVector(of: i) { j, _ in
        let place = first.pointer + (i &* stride &+ j)
        guard law.isKinetic else { return store(Vector(repeating: scale), place) }
        let nearness = exponential(squareRoot(load(place)) * -inverse)
        store(load(second.pointer + (i &* stride &+ j)) * nearness * scale, place)
      }
    }
  }

  /// Calls `body` with the places and numbers of each vector of particles that holds some j > i.
  @inline(__always)
  private func forEachVector(of i: Int, _ body: (_ j: Int, _ particles: Vector) -> Void) {
    var j = (i &+ 1) / width &* width
    while j < layout.count {
      body(j, lanes + Float(j))
      j &+= width
    }
  }

  /// 0 in the lanes of particles that are not above i or do not exist.
  @inline(__always)
  private func valid(_ values: Vector, _ particles: Vector, _ i: Int) -> Vector {
    values.replacing(with: 0, where: particles .<= Vector(repeating: Float(i)))
      .replacing(with: 0, where: particles .>= Vector(repeating: Float(layout.count)))
  }

  /// |a_i − a_j|² for the particles j > i, from the inner products in the row; 0 in the other lanes of their vectors.
  private func measureSquares(
    of i: Int, _ values: UnsafePointer<Float>, into row: UnsafeMutablePointer<Float>, norms: UnsafePointer<Float>
  ) {
    let n = layout.count
    guard n >= Self.fewest else {
      for j in i &+ 1..<n { row[j] = distance(i, j, values) }
      forEachVector(of: i) { j, particles in store(valid(load(row + j), particles, i), row + j) }
      return
    }
    // Squares that lost their digits to cancellation or underflow, and NaN, are marked by −1 and measured again.
    let own = Vector(repeating: norms[i])
    var marked: UInt32 = 0
    forEachVector(of: i) { j, particles in
      let sum = load(norms + j) + own
      let square = sum.addingProduct(load(row + j), Vector(repeating: -2))
      let large = Vector(repeating: -1).replacing(with: square, where: square .>= sum * Self.leastShare)
      let sound = valid(Vector(repeating: -1).replacing(with: large, where: large .>= Self.leastSquare), particles, i)
      store(sound, row + j)
      marked |= lanesLess(sound, Vector(repeating: 0))
    }
    guard marked != 0 else { return }
    for j in i &+ 1..<n where row[j] < 0 { row[j] = distance(i, j, values) }
  }

  /// |a_i − a_j|² by the difference.
  private func distance(_ i: Int, _ j: Int, _ values: UnsafePointer<Float>) -> Float {
    layout.squaredDistance(i, j, NormalizedValues(values))
  }

  /// The inner products of all particles relative to their mean, upper triangle, and the diagonal by itself.
  private func products(
    of values: UnsafePointer<Float>, into matrix: UnsafeMutablePointer<Float>, norms: UnsafeMutablePointer<Float>
  ) {
    let (n, step) = (layout.count, transposedStride)
    for piece in 0..<layout.pieces {
      let rows = transposed.pointer + piece &* layout.pieceLength &* step
      transpose(
        n, layout.pieceLength, values + piece &* layout.pieceStride, into: rows, inputStride: layout.particleStride,
        rowStride: step)
      for coordinate in 0..<layout.pieceLength { subtractMean(rows + coordinate &* step) }
    }
    for row in Swift.stride(from: 0, to: n, by: Self.blockRows) {
      let column = row / 32 * 32
      multiply(
        min(Self.blockRows, n - row), stride - column, dimensions,
        Matrix(transposed.pointer + row, rowStride: 1, columnStride: step),
        Matrix(transposed.pointer + column, rowStride: step), into: matrix + (row * stride + column), rowStride: stride)
    }
    for i in 0..<n { norms[i] = matrix[i &* stride &+ i] }
  }

  /// Takes its mean from one coordinate of all particles.
  private func subtractMean(_ values: UnsafeMutablePointer<Float>) {
    let n = layout.count
    var lanes = Vector(repeating: 0)
    var i = 0
    while i &+ width <= n {
      lanes += load(values + i)
      i &+= width
    }
    var sum = laneSum(lanes)
    while i < n {
      sum += values[i]
      i &+= 1
    }
    let mean = sum / Float(n)
    i = 0
    while i &+ width <= n {
      store(load(values + i) - mean, values + i)
      i &+= width
    }
    while i < n {
      values[i] -= mean
      i &+= 1
    }
  }
}
