/// The scheme `dense`: all pairs are candidates, and a particle may collide with many others at once (arXiv 2505.17919):
/// v_i' = v_i + Σ_j w_ij [(v_j − v_i)/2 + s_ij/2 · e_ij], e_ji = −e_ij.
///
/// Momentum is kept, energy where partners are single. Distances come from Gram matrices. Directions are drawn for
/// accepted pairs alone, and drawn again in the backward pass; the centre terms go along in the same sweep over the two
/// particles, where they cost less than a masked matrix product.
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
  /// From particle to particle in the workspaces; what its coordinates do not fill is zero where it is read.
  private let stride: Int
  /// One more than there are pairs: what is not accepted is written behind the last that is.
  private let records: AlignedBuffer<Record>
  private let recordCounts: AlignedBuffer<Int>
  /// v of each sample from before the collision, particle by particle, `[capacity, n, stride]`.
  private let velocities: AlignedBuffer<Float>
  /// Positions or gradients of one sample before they change, and what is to be added to them, `[n, stride]`.
  private let gathered: AlignedBuffer<Float>
  private let changes: AlignedBuffer<Float>
  private let uniforms: AlignedBuffer<Float>
  private let partnerCounts: AlignedBuffer<Int32>
  private let directions: PairDirections
  /// The partners of one particle that are at hand.
  private let partners: AlignedBuffer<Partner>

  init(layout: ParticleLayout, options: CollisionOptions, capacity: Int) {
    self.layout = layout
    law = AcceptanceLaw(options)
    midpoint = options.midpoint
    weights = options.weights
    let n = layout.count
    pairs = n * (n - 1) / 2
    let length = (layout.dimensions + 31) / 32 * 32
    // Rows that are a power of two apart would share a few sets of the cache.
    stride = length >= 256 ? length + 32 : length
    records = AlignedBuffer(count: capacity * (pairs + 1))
    recordCounts = AlignedBuffer(count: capacity)
    velocities = AlignedBuffer(count: capacity * n * stride)
    gathered = AlignedBuffer(count: n * stride)
    changes = AlignedBuffer(count: n * stride)
    distances = PairDistances(layout, stride: stride, workspace: changes)
    uniforms = AlignedBuffer(count: law.needsUniforms ? pairs : 0)
    partnerCounts = AlignedBuffer(count: n)
    directions = PairDirections(dimensions: layout.dimensions, length: length)
    partners = AlignedBuffer(count: PairDirections.count)
  }

  var candidatesPerSample: Int { pairs }

  var workspaceBytes: Int {
    records.byteCount + recordCounts.byteCount + velocities.byteCount + distances.workspaceBytes + gathered.byteCount
      + changes.byteCount + uniforms.byteCount + partnerCounts.byteCount + directions.workspaceBytes
      + partners.byteCount
  }

  func collide(
    sample: Int, position: UnsafeMutablePointer<Float>, velocity: UnsafeMutablePointer<Float>, draws: CollisionDraws,
    strength: CollisionStrength, statistics: inout CollisionStatistics
  ) {
    if law.needsUniforms {
      var at = draws.address
      at.item = .max - 1
      draws.stream.fillUniforms(uniforms.buffer, at: at)
    }
    let v = velocities.pointer + sample * layout.count * stride
    layout.gather(velocity, into: v, rowStride: stride)
    layout.gather(position, into: gathered.pointer, rowStride: stride)
    distances.measure(positions: gathered.pointer, velocities: v, law: law, strength: strength, &statistics)
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
    let limits = law.needsUniforms ? uniforms.pointer : nil
    var count = 0
    var pair = 0
    for i in 0..<n {
      let row = distances.probabilities(of: i)
      let speeds = distances.speeds(of: i)
      for j in i &+ 1..<n {
        accepted[count] = Record(
          first: Int32(truncatingIfNeeded: i), second: Int32(truncatingIfNeeded: j), speed: speeds[j])
        count &+= limits.map { $0[pair] } ?? threshold < row[j] ? 1 : 0
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
    let v = velocities.pointer + sample * layout.count * stride
    guard recordCounts.pointer[sample] > 0 else { return }
    let sweep = directions.sweep
    countPartners(sample)
    directions.prepare(draws)
    changes.buffer.update(repeating: 0)
    forEachParticle(sample, draws) { row, partners, records in
      for index in 0..<records.count {
        partners[index].reach = partners[index].share * records[index].speed / partners[index].length
      }
      sweep.exchange(row, partners, records.count, from: v, into: changes.pointer)
    }
    layout.add(changes.pointer, rowStride: stride, to: velocity)
    if midpoint { meet(sample, position) }
  }

  /// dv_i = G_i + Σ_j w_ij [(G_j − G_i)/2 + ½ ((G_i − G_j)·e_ij) (v_i − v_j)/s_ij]; the last term is 0 where s = 0.
  func collideBackward(sample: Int, velocityGradient: UnsafeMutablePointer<Float>, draws: CollisionDraws) {
    guard recordCounts.pointer[sample] > 0 else { return }
    let v = velocities.pointer + sample * layout.count * stride
    let g = gathered.pointer
    let sweep = directions.sweep
    countPartners(sample)
    layout.gather(velocityGradient, into: g, rowStride: stride)
    directions.prepare(draws)
    changes.buffer.update(repeating: 0)
    forEachParticle(sample, draws) { row, partners, records in
      for index in 0..<records.count {
        let (partner, speed) = (partners[index], records[index].speed)
        partners[index].reach =
          speed > 0 ? partner.share * (sweep.differenceAlong(partner, row, g) / partner.length) / speed : 0
      }
      sweep.exchangeBackward(row, partners, records.count, gradients: g, velocities: v, into: changes.pointer)
    }
    layout.add(changes.pointer, rowStride: stride, to: velocityGradient)
  }

  func midpointBackward(sample: Int, positionGradient: UnsafeMutablePointer<Float>) {
    guard recordCounts.pointer[sample] > 0 else { return }
    countPartners(sample)
    meet(sample, positionGradient)
  }

  /// a_i + Σ_j w_ij (a_j − a_i)/2: what `midpoint` does to positions and, being symmetric, to their gradients.
  private func meet(_ sample: Int, _ values: UnsafeMutablePointer<Float>) {
    let sweep = directions.sweep
    layout.gather(values, into: gathered.pointer, rowStride: stride)
    changes.buffer.update(repeating: 0)
    forEachParticle(sample, nil) { row, partners, records in
      sweep.exchange(row, partners, records.count, from: gathered.pointer, into: changes.pointer)
    }
    layout.add(changes.pointer, rowStride: stride, to: values)
  }

  /// Calls `body` for each particle i that has partners j > i, with some of them at a time and their records: reach is
  /// 0, and the directions are chosen where there are `draws`.
  @inline(__always)
  private func forEachParticle(
    _ sample: Int, _ draws: CollisionDraws?,
    _ body: (
      _ row: Int, _ partners: UnsafeMutablePointer<Partner>, _ records: UnsafeBufferPointer<Record>
    ) -> Void
  ) {
    let accepted = records.pointer + sample * (pairs + 1)
    let total = recordCounts.pointer[sample]
    let partners = partners.pointer
    var start = 0
    while start < total {
      let i = accepted[start].first
      var count = 0
      while count < PairDirections.count, start &+ count < total, accepted[start &+ count].first == i {
        let j = Int(accepted[start &+ count].second)
        var partner = Partner(row: j &* stride, share: 0.5 * weight(Int(i), j))
        if let draws {
          directions.choose(start &+ count, Int(i) &* layout.count &+ j, place: count, draws, for: &partner)
        } else {
          directions.chooseNone(for: &partner)
        }
        partners[count] = partner
        count &+= 1
      }
      body(Int(i) &* stride, partners, UnsafeBufferPointer(start: accepted + start, count: count))
      start &+= count
    }
  }

  private func countPartners(_ sample: Int) {
    let counts = partnerCounts.pointer
    counts.update(repeating: 0, count: layout.count)
    let accepted = records.pointer + sample * (pairs + 1)
    for index in 0..<recordCounts.pointer[sample] {
      counts[Int(accepted[index].first)] &+= 1
      counts[Int(accepted[index].second)] &+= 1
    }
  }

  private func weight(_ i: Int, _ j: Int) -> Float {
    switch weights {
    case .pair: 1 / Float(max(partnerCounts.pointer[i], partnerCounts.pointer[j]))
    case .sum: 1
    }
  }

  // MARK: - Inspection

  var candidates: [(first: Int, second: Int, probability: Float)] {
    (0..<layout.count).flatMap { i in
      (i + 1..<layout.count).map { (i, $0, distances.probabilities(of: i)[$0]) }
    }
  }

  func collisions(sample: Int, draws: CollisionDraws) -> [(first: Int, second: Int, direction: [Float])] {
    directions.prepare(draws)
    return (0..<recordCounts.pointer[sample]).map { index in
      let record = records.pointer[sample * (pairs + 1) + index]
      let (i, j) = (Int(record.first), Int(record.second))
      var partner = Partner()
      directions.choose(index, i * layout.count + j, place: 0, draws, for: &partner)
      return (i, j, directions.direction(of: partner))
    }
  }

  func collide(
    sample: Int, pairs: [(first: Int, second: Int)], normals: [[Float]], position: UnsafeMutablePointer<Float>,
    velocity: UnsafeMutablePointer<Float>
  ) {
    for (index, pair) in pairs.enumerated() {
      records.pointer[sample * (self.pairs + 1) + index] = Record(
        first: Int32(pair.first), second: Int32(pair.second),
        speed: layout.squaredDistance(pair.first, pair.second, ParticleField(velocity)).squareRoot())
    }
    recordCounts.pointer[sample] = pairs.count
    directions.given = normals
    layout.gather(velocity, into: velocities.pointer + sample * layout.count * stride, rowStride: stride)
    let stream = RandomStream(seed: 0, stream: 0, domain: .collision)
    apply(sample, position, velocity, CollisionDraws(stream: stream, shared: stream, address: .init()))
  }
}
