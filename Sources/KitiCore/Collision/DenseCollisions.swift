/// The scheme `dense`: all pairs are candidates, and a particle may collide with many others at once (arXiv 2505.17919):
/// v_i' = v_i + Σ_j w_ij [(v_j − v_i)/2 + s_ij/2 · e_ij], e_ji = −e_ij.
///
/// Momentum is kept, energy where partners are single. Distances come from Gram matrices. Directions are drawn for accepted
/// pairs alone, and drawn again in the backward pass; the centre terms go along in the same sweep over the two particles,
/// where they cost next to nothing beside a masked matrix product.
///
/// Complexity: O(n²·d) time, O(n² + n·d) memory a sample.
final class DenseCollisions: CollisionEngine {
  /// An accepted pair.
  struct Record {
    var first: Int32
    var second: Int32
    /// Relative speed before the collision, |v_i − v_j|.
    var speed: Float
  }

  let layout: ParticleLayout
  let law: AcceptanceLaw
  let distances: PairDistances
  private let midpoint: Bool
  private let weights: CollisionOptions.Weights
  private let pairs: Int
  /// One more than there are pairs: what is not accepted is written behind the last that is.
  private let records: AlignedBuffer<Record>
  private let recordCounts: AlignedBuffer<Int>
  /// v of each sample from before the collision, particle by particle, `[capacity, n, d]`.
  private let velocities: AlignedBuffer<Float>
  /// Positions or gradients of one sample before they change, `[n, d]`.
  private let gathered: AlignedBuffer<Float>
  private let uniforms: AlignedBuffer<Float>
  private let partners: AlignedBuffer<Int32>
  private let normal: AlignedBuffer<Float>
  private let pool: DirectionPool?
  /// Whether the directions of the sample at hand come from the pool.
  private var usesPool = false
  /// Set instead of drawn, for inspection: a vector for each record.
  private var givenNormals: [[Float]]?

  init(layout: ParticleLayout, options: CollisionOptions, capacity: Int) {
    self.layout = layout
    law = AcceptanceLaw(options)
    midpoint = options.midpoint
    weights = options.weights
    let (n, d) = (layout.count, layout.dimensions)
    pairs = n * (n - 1) / 2
    records = AlignedBuffer(count: capacity * (pairs + 1))
    recordCounts = AlignedBuffer(count: capacity)
    velocities = AlignedBuffer(count: capacity * n * d)
    distances = PairDistances(layout)
    gathered = AlignedBuffer(count: n * d)
    uniforms = AlignedBuffer(count: law.needsUniforms ? pairs : 0)
    partners = AlignedBuffer(count: n)
    normal = AlignedBuffer(count: d)
    pool = d >= DirectionPool.fewestDimensions ? DirectionPool(dimensions: d) : nil
  }

  var candidatesPerSample: Int { pairs }

  var workspaceBytes: Int {
    records.byteCount + recordCounts.byteCount + velocities.byteCount + distances.workspaceBytes + gathered.byteCount
      + uniforms.byteCount + partners.byteCount + normal.byteCount + (pool?.workspaceBytes ?? 0)
  }

  func collide(
    sample: Int, position: UnsafeMutablePointer<Float>, velocity: UnsafeMutablePointer<Float>, draws: CollisionDraws,
    strength: CollisionStrength, statistics: inout CollisionStatistics
  ) {
    let v = velocities.pointer + sample * layout.features
    layout.gather(velocity, into: v)
    if law.needsUniforms {
      var at = draws.address
      at.item = .max - 1
      draws.stream.fillUniforms(uniforms.buffer, at: at)
    }
    distances.measure(position: position, velocity: velocity, law: law, strength: strength, &statistics)
    let count = select(records.pointer + sample * (pairs + 1), strength)
    recordCounts.pointer[sample] = count
    statistics.candidatePairs += Double(pairs)
    statistics.acceptedPairs += Double(count)
    apply(sample, position, velocity, draws)
  }

  /// Writes the accepted pairs down and returns how many they are.
  private func select(_ accepted: UnsafeMutablePointer<Record>, _ strength: CollisionStrength) -> Int {
    let n = layout.count
    let threshold = law.threshold(coefficient: strength.coefficient)
    var count = 0
    var pair = 0
    for i in 0..<n {
      let row = distances.probabilities(of: i)
      for j in i &+ 1..<n {
        let limit = law.needsUniforms ? uniforms.pointer[pair] : threshold
        accepted[count] = Record(
          first: Int32(truncatingIfNeeded: i), second: Int32(truncatingIfNeeded: j), speed: 0)
        count &+= limit < row[j] ? 1 : 0
        pair &+= 1
      }
    }
    return count
  }

  /// Lets the pairs of the sample's records collide.
  private func apply(
    _ sample: Int, _ position: UnsafeMutablePointer<Float>, _ velocity: UnsafeMutablePointer<Float>,
    _ draws: CollisionDraws
  ) {
    let (n, d) = (layout.count, layout.dimensions)
    let v = velocities.pointer + sample * layout.features
    let accepted = records.pointer + sample * (pairs + 1)
    countPartners(sample)
    if midpoint { layout.gather(position, into: gathered.pointer) }
    preparePool(sample, draws)
    for index in 0..<recordCounts.pointer[sample] {
      let (i, j) = (Int(accepted[index].first), Int(accepted[index].second))
      let length = direction(index, i &* n &+ j, draws)
      let square = squaredDistance(v + i &* d, v + j &* d, count: d)
      accepted[index].speed = square < 1e-30 ? 0 : square.squareRoot()
      let half = 0.5 * weight(i, j)
      layout.exchange(
        i, j, half, from: v, half * accepted[index].speed / length, normal.pointer, into: velocity)
      if midpoint { layout.exchange(i, j, half, from: gathered.pointer, 0, normal.pointer, into: position) }
    }
  }

  /// dv_i = G_i + Σ_j w_ij [(G_j − G_i)/2 + ½ ((G_i − G_j)·e_ij) (v_i − v_j)/s_ij]; the last term is 0 where s = 0.
  func collideBackward(sample: Int, velocityGradient: UnsafeMutablePointer<Float>, draws: CollisionDraws) {
    let (n, d) = (layout.count, layout.dimensions)
    guard recordCounts.pointer[sample] > 0 else { return }
    let v = velocities.pointer + sample * layout.features
    let g = gathered.pointer
    let accepted = records.pointer + sample * (pairs + 1)
    countPartners(sample)
    layout.gather(velocityGradient, into: g)
    preparePool(sample, draws)
    for index in 0..<recordCounts.pointer[sample] {
      let (i, j) = (Int(accepted[index].first), Int(accepted[index].second))
      let speed = accepted[index].speed
      let half = 0.5 * weight(i, j)
      var turn: Float = 0
      if speed > 0 {
        let length = direction(index, i &* n &+ j, draws)
        let along = differenceProduct(g + i &* d, g + j &* d, normal.pointer, count: d)
        turn = half * (along / length) / speed
      }
      layout.exchangeBackward(i, j, half, g, turn, v, into: velocityGradient)
    }
  }

  func midpointBackward(sample: Int, positionGradient: UnsafeMutablePointer<Float>) {
    let accepted = records.pointer + sample * (pairs + 1)
    countPartners(sample)
    layout.gather(positionGradient, into: gathered.pointer)
    for index in 0..<recordCounts.pointer[sample] {
      let (i, j) = (Int(accepted[index].first), Int(accepted[index].second))
      layout.exchange(i, j, 0.5 * weight(i, j), from: gathered.pointer, 0, normal.pointer, into: positionGradient)
    }
  }

  private func countPartners(_ sample: Int) {
    partners.buffer.update(repeating: 0)
    let accepted = records.pointer + sample * (pairs + 1)
    for index in 0..<recordCounts.pointer[sample] {
      partners.pointer[Int(accepted[index].first)] &+= 1
      partners.pointer[Int(accepted[index].second)] &+= 1
    }
  }

  private func weight(_ i: Int, _ j: Int) -> Float {
    switch weights {
    case .pair: 1 / Float(max(partners.pointer[i], partners.pointer[j]))
    case .sum: 1
    }
  }

  private func direction(_ index: Int, _ item: Int, _ draws: CollisionDraws) -> Float {
    if let givenNormals {
      for lane in 0..<layout.dimensions { normal.pointer[lane] = givenNormals[index][lane] }
      return Float(sumOfSquares(normal.pointer, count: layout.dimensions).squareRoot())
    }
    if usesPool, let pool { return pool.direction(index, normal.pointer, draws) }
    return draws.direction(item, normal.pointer, count: layout.dimensions)
  }

  /// A pool is worth its making where it serves several pairs a vector.
  private func preparePool(_ sample: Int, _ draws: CollisionDraws) {
    usesPool = pool != nil && recordCounts.pointer[sample] > 4 * DirectionPool.count
    if usesPool { pool?.prepare(draws) }
  }

  // MARK: - Inspection

  var candidates: [(first: Int, second: Int, probability: Float)] {
    (0..<layout.count).flatMap { i in
      (i + 1..<layout.count).map { (i, $0, distances.probabilities(of: i)[$0]) }
    }
  }

  func collisions(sample: Int, draws: CollisionDraws) -> [(first: Int, second: Int, direction: [Float])] {
    preparePool(sample, draws)
    return (0..<recordCounts.pointer[sample]).map { index in
      let record = records.pointer[sample * (pairs + 1) + index]
      let (i, j) = (Int(record.first), Int(record.second))
      let length = direction(index, i * layout.count + j, draws)
      return (i, j, (0..<layout.dimensions).map { normal.pointer[$0] / length })
    }
  }

  func collide(
    sample: Int, pairs: [(first: Int, second: Int)], normals: [[Float]], position: UnsafeMutablePointer<Float>,
    velocity: UnsafeMutablePointer<Float>
  ) {
    layout.gather(velocity, into: velocities.pointer + sample * layout.features)
    for (index, pair) in pairs.enumerated() {
      records.pointer[sample * (self.pairs + 1) + index] = Record(
        first: Int32(pair.first), second: Int32(pair.second), speed: 0)
    }
    recordCounts.pointer[sample] = pairs.count
    givenNormals = normals
    apply(
      sample, position, velocity,
      CollisionDraws(stream: RandomStream(seed: 0, stream: 0, domain: .collision), address: .init()))
  }
}
