/// Distances and relative speeds of all pairs of particles of a sample, and the probabilities that follow from them.
///
/// |x_i − x_j|² = |x_i|² + |x_j|² − 2 x_i·x_j, with the x_i·x_j of the upper triangle as matrix products. Particles are taken
/// relative to their mean, and a pair that is still much nearer than its particles are to the mean is measured by its
/// difference: what would cancel is exact, and equal particles have distance 0.
final class PairDistances {
  private let layout: ParticleLayout
  /// From particle to particle of what is measured.
  private let particleStride: Int
  /// Particles rounded up to whole vectors: rows of the matrices.
  private let stride: Int
  /// A line more: rows that are a power of two apart would share a few sets of the cache.
  private let transposedStride: Int
  /// `[n, stride]` each, upper triangle: squares, then probabilities; squares, then speeds.
  private let first: AlignedBuffer<Float>
  private let second: AlignedBuffer<Float>
  /// Particles relative to their mean, `[n, particleStride]`, and transposed, `[particleStride, transposedStride]`.
  private let centred: AlignedBuffer<Float>
  private let transposed: AlignedBuffer<Float>
  private let mean: AlignedBuffer<Float>
  private let norms: AlignedBuffer<Float>
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
  ///   - stride: from particle to particle of what is measured, at least d.
  ///   - workspace: of n · stride numbers; used while measuring.
  init(_ layout: ParticleLayout, stride particleStride: Int, workspace: AlignedBuffer<Float>) {
    self.layout = layout
    self.particleStride = particleStride
    let n = layout.count
    stride = (n + 15) / 16 * 16
    first = AlignedBuffer(count: n * stride)
    second = AlignedBuffer(count: n * stride)
    transposedStride = stride + 16
    centred = workspace
    transposed = AlignedBuffer(count: n >= Self.fewest ? transposedStride * particleStride : 0)
    mean = AlignedBuffer(count: particleStride)
    norms = AlignedBuffer(count: stride)
    var lanes = Vector(repeating: 0)
    for lane in 0..<width { lanes[lane] = Float(lane) }
    self.lanes = lanes
  }

  var workspaceBytes: Int {
    first.byteCount + second.byteCount + transposed.byteCount + mean.byteCount + norms.byteCount
  }

  /// Probabilities of particle i with the particles j > i of the sample that was measured last, indexed by j.
  func probabilities(of i: Int) -> UnsafePointer<Float> { UnsafePointer(first.pointer + i &* stride) }

  /// Relative speeds of particle i, likewise.
  func speeds(of i: Int) -> UnsafePointer<Float> { UnsafePointer(second.pointer + i &* stride) }

  /// - Parameters: positions and velocities, particle by particle.
  func measure(
    positions: UnsafePointer<Float>, velocities: UnsafePointer<Float>, law: AcceptanceLaw, strength: CollisionStrength,
    _ statistics: inout CollisionStatistics
  ) {
    squares(of: positions, into: first.pointer)
    squares(of: velocities, into: second.pointer)
    let n = layout.count
    var fastest = Vector(repeating: 0)
    var (squares, speeds) = (0.0, 0.0)
    for i in 0..<n {
      var squareLanes = Vector(repeating: 0)
      var speedLanes = Vector(repeating: 0)
      forEachVector(of: i) { j, particles in
        let square = load(first.pointer + (i &* stride &+ j))
        let speedSquare = load(second.pointer + (i &* stride &+ j))
        let speed = valid(squareRoot(speedSquare).replacing(with: 0, where: speedSquare .< 1e-30), particles, i)
        store(speed, second.pointer + (i &* stride &+ j))
        fastest.replace(with: speed, where: speed .> fastest)
        squareLanes += valid(square, particles, i)
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

  /// |a_i − a_j|² of the particles of a sample, for j > i.
  private func squares(of values: UnsafePointer<Float>, into matrix: UnsafeMutablePointer<Float>) {
    let n = layout.count
    guard n >= Self.fewest else {
      for i in 0..<n {
        for j in i &+ 1..<n { matrix[i &* stride &+ j] = distance(i, j, values) }
      }
      return
    }
    products(of: values, into: matrix)
    for i in 0..<n { norms.pointer[i] = matrix[i &* stride &+ i] }
    // Squares that lost their digits to cancellation or underflow, and NaN, are marked by −1 and measured again.
    for i in 0..<n {
      let row = matrix + i &* stride
      let own = Vector(repeating: norms.pointer[i])
      var least = Vector(repeating: 0)
      forEachVector(of: i) { j, particles in
        let sum = load(norms.pointer + j) + own
        let square = sum.addingProduct(load(row + j), Vector(repeating: -2))
        let large = Vector(repeating: -1).replacing(with: square, where: square .>= sum * Self.leastShare)
        let sound = Vector(repeating: -1).replacing(with: large, where: large .>= Self.leastSquare)
        store(sound, row + j)
        let own = valid(sound, particles, i)
        least.replace(with: own, where: own .< least)
      }
      guard least.min() < 0 else { continue }
      for j in i &+ 1..<n where row[j] < 0 { row[j] = distance(i, j, values) }
    }
  }

  /// |a_i − a_j|² by the difference.
  private func distance(_ i: Int, _ j: Int, _ values: UnsafePointer<Float>) -> Float {
    squaredDistance(values + i &* particleStride, values + j &* particleStride, count: layout.dimensions)
  }

  /// The inner products of all particles relative to their mean, upper triangle.
  private func products(of values: UnsafePointer<Float>, into matrix: UnsafeMutablePointer<Float>) {
    let (n, d, step) = (layout.count, layout.dimensions, particleStride)
    mean.buffer.update(repeating: 0)
    addColumnSums(values, rows: n, columns: step, to: mean.pointer)
    rescale(mean.pointer, by: -1 / Float(n), count: step)
    for i in 0..<n { subtractMean(from: values + i &* step, into: centred.pointer + i &* step) }
    transpose(n, step, centred.pointer, into: transposed.pointer, rowStride: transposedStride)
    for row in Swift.stride(from: 0, to: n, by: Self.blockRows) {
      let column = row / 32 * 32
      multiply(
        min(Self.blockRows, n - row), stride - column, d, Matrix(centred.pointer + row * step, rowStride: step),
        Matrix(transposed.pointer + column, rowStride: transposedStride), into: matrix + (row * stride + column),
        rowStride: stride)
    }
  }
  private func subtractMean(from particle: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>) {
    let mean = mean.pointer
    var c = 0
    // Strides are whole vectors.
    while c < particleStride {
      store(load(particle + c) + load(mean + c), output + c)
      c &+= width
    }
  }
}
