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
  /// How particles lie in the workspaces: as in the sample where its pieces fill whole words of signs, else one after the
  /// other, with zeros behind their coordinates.
  private let rows: ParticleLayout
  private let records: AlignedBuffer<Record>
  private let recordCounts: AlignedBuffer<Int>
  /// v of each sample from before the collision.
  private let velocities: AlignedBuffer<Float>
  /// Positions or gradients of one sample from before they change, and what they become where particles lie otherwise in
  /// the sample.
  private let before: AlignedBuffer<Float>
  private let after: AlignedBuffer<Float>
  /// Of all pairs, behind `uniformsStart` numbers that may be read with them.
  private let uniforms: AlignedBuffer<Float>
  /// k of each sample's particles, `[capacity, n]`.
  private let partnerCounts: AlignedBuffer<Int32>
  private let directions: PairDirections
  /// The pairs that are at hand.
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
    let stride = length >= 256 ? length + 32 : length
    rows =
      layout.pieceLength % 32 == 0
      ? layout
      : ParticleLayout(count: n, pieces: 1, pieceLength: length, pieceStride: 0, particleStride: stride)
    let size = rows == layout ? layout.features : n * stride
    records = AlignedBuffer(count: capacity * pairs)
    recordCounts = AlignedBuffer(count: capacity)
    velocities = AlignedBuffer(count: capacity * size)
    before = AlignedBuffer(count: size)
    after = AlignedBuffer(count: rows == layout ? 0 : size)
    distances = PairDistances(rows, dimensions: layout.dimensions)
    uniforms = AlignedBuffer(count: law.needsUniforms ? Self.uniformsStart + (pairs + 63) / 64 * 64 + 64 : 0)
    partnerCounts = AlignedBuffer(count: capacity * n)
    directions = PairDirections(dimensions: layout.dimensions, length: length)
    partners = AlignedBuffer(count: directions.capacity)
  }

  var candidatesPerSample: Int { pairs }

  var workspaceBytes: Int {
    records.byteCount + recordCounts.byteCount + velocities.byteCount + distances.workspaceBytes + before.byteCount
      + after.byteCount + uniforms.byteCount + partnerCounts.byteCount + directions.workspaceBytes
      + partners.byteCount
  }

  func collide(
    sample: Int, position: UnsafeMutablePointer<Float>, draws: CollisionDraws, strength: CollisionStrength,
    statistics: inout CollisionStatistics, velocity: () -> UnsafeMutablePointer<Float>
  ) {
    let velocity = velocity()
    if law.needsUniforms {
      var at = draws.address
      at.item = .max - 1
      // Whole groups: the last numbers belong to no pair.
      draws.stream.fillUniforms(
        UnsafeMutableBufferPointer(start: uniforms.pointer + Self.uniformsStart, count: (pairs + 63) / 64 * 64), at: at)
    }
    let v = self.velocity(of: sample)
    keep(velocity, in: v)
    distances.measure(positions: inRows(position), velocities: v, law: law, strength: strength, &statistics)
    let count = select(sample, strength)
    recordCounts.pointer[sample] = count
    statistics.candidatePairs += Double(pairs)
    statistics.acceptedPairs += Double(count)
    apply(sample, position, velocity, draws)
  }

  /// A vector of uniform numbers may begin before the first pair of a row.
  private static let uniformsStart = 64

  private var isInPlace: Bool { rows == layout }

  private func velocity(of sample: Int) -> UnsafeMutablePointer<Float> {
    velocities.pointer + sample * before.count
  }

  /// A copy of a sample as the workspaces have it.
  private func keep(_ values: UnsafePointer<Float>, in copy: UnsafeMutablePointer<Float>) {
    if isInPlace {
      copy.update(from: values, count: layout.features)
    } else {
      layout.gather(values, into: copy, rowStride: rows.particleStride)
    }
  }

  /// A sample as the workspaces have it.
  private func inRows(_ values: UnsafePointer<Float>) -> UnsafePointer<Float> {
    if isInPlace { return values }
    keep(values, in: before.pointer)
    return UnsafePointer(before.pointer)
  }

  /// Lets `sweep` change a sample, which lies as in the workspaces and starts from what it was.
  private func change(
    _ values: UnsafeMutablePointer<Float>, from kept: UnsafePointer<Float>,
    _ sweep: (UnsafeMutablePointer<Float>) -> Void
  ) {
    if isInPlace { return sweep(values) }
    after.pointer.update(from: kept, count: after.count)
    sweep(after.pointer)
    layout.spread(after.pointer, rowStride: rows.particleStride, into: values)
  }

  /// Writes the accepted pairs and the numbers of partners down, and returns how many pairs they are.
  private func select(_ sample: Int, _ strength: CollisionStrength) -> Int {
    let (n, accepted) = (layout.count, records.pointer + sample * pairs)
    let counts = partnerCounts.pointer + sample * n
    counts.update(repeating: 0, count: n)
    let threshold = Vector(repeating: law.threshold(coefficient: strength.coefficient))
    let limits = law.needsUniforms ? UnsafePointer(uniforms.pointer + Self.uniformsStart) : nil
    var count = 0
    // The pair (i, j) has the number base + j.
    var base = -1
    for i in 0..<n {
      let (row, speeds) = (distances.probabilities(of: i), distances.speeds(of: i))
      let start = count
      var j = (i &+ 1) / width &* width
      while j < n {
        var bits = lanesLess(limits.map { load($0 + (base &+ j)) } ?? threshold, load(row + j))
        if j <= i { bits &= .max &<< UInt32(i &+ 1 &- j) }
        if n &- j < width { bits &= 1 &<< UInt32(n &- j) &- 1 }
        while bits != 0 {
          let partner = j &+ bits.trailingZeroBitCount
          accepted[count] = Record(
            first: Int32(truncatingIfNeeded: i), second: Int32(truncatingIfNeeded: partner), speed: speeds[partner])
          counts[partner] &+= 1
          count &+= 1
          bits &= bits &- 1
        }
        j &+= width
      }
      counts[i] &+= Int32(truncatingIfNeeded: count &- start)
      base &+= n &- i &- 2
    }
    return count
  }

  /// Lets the pairs of the sample's records collide.
  private func apply(
    _ sample: Int, _ position: UnsafeMutablePointer<Float>, _ velocity: UnsafeMutablePointer<Float>,
    _ draws: CollisionDraws
  ) {
    guard recordCounts.pointer[sample] > 0 else { return }
    let v = self.velocity(of: sample)
    let sweep = directions.sweep(rows)
    change(velocity, from: v) { target in
      forEachBatch(sample, draws) { pairs, records in
        for index in pairs.indices {
          pairs[index].reach = pairs[index].share * records[index].speed / pairs[index].length
        }
        sweep.exchange(UnsafeBufferPointer(pairs), from: v, into: target)
      }
    }
    if midpoint { meet(sample, position) }
  }

  /// dv_i = G_i + Σ_j w_ij [(G_j − G_i)/2 + ½ ((G_i − G_j)·e_ij) (v_i − v_j)/s_ij]; the last term is 0 where s = 0.
  func collideBackward(sample: Int, velocityGradient: UnsafeMutablePointer<Float>, draws: CollisionDraws) {
    guard recordCounts.pointer[sample] > 0 else { return }
    let (v, g) = (velocity(of: sample), before.pointer)
    let sweep = directions.sweep(rows)
    keep(velocityGradient, in: g)
    change(velocityGradient, from: g) { target in
      forEachBatch(sample, draws) { pairs, records in
        for index in pairs.indices {
          let (pair, speed) = (pairs[index], records[index].speed)
          pairs[index].reach =
            speed > 0 ? pair.share * (sweep.differenceAlong(pair, g) / pair.length) / speed : 0
        }
        sweep.exchangeBackward(UnsafeBufferPointer(pairs), gradients: g, velocities: v, into: target)
      }
    }
  }

  func midpointBackward(sample: Int, positionGradient: UnsafeMutablePointer<Float>) {
    guard recordCounts.pointer[sample] > 0 else { return }
    meet(sample, positionGradient)
  }

  /// a_i + Σ_j w_ij (a_j − a_i)/2: what `midpoint` does to positions and, being symmetric, to their gradients.
  private func meet(_ sample: Int, _ values: UnsafeMutablePointer<Float>) {
    let sweep = directions.sweep(rows)
    keep(values, in: before.pointer)
    change(values, from: before.pointer) { target in
      forEachBatch(sample, nil) { pairs, _ in
        sweep.exchange(UnsafeBufferPointer(pairs), from: before.pointer, into: target)
      }
    }
  }

  /// Calls `body` with some of the accepted pairs at a time and their records: reach is 0, and the directions are chosen
  /// where there are `draws`.
  @inline(__always)
  private func forEachBatch(
    _ sample: Int, _ draws: CollisionDraws?,
    _ body: (_ pairs: UnsafeMutableBufferPointer<Partner>, _ records: UnsafePointer<Record>) -> Void
  ) {
    let accepted = records.pointer + sample * pairs
    let counts = partnerCounts.pointer + sample * layout.count
    let (total, stride) = (recordCounts.pointer[sample], rows.particleStride)
    let room = draws.map { directions.prepare($0) } ?? directions.capacity
    var start = 0
    while start < total {
      let count = min(room, total &- start)
      if let draws { directions.begin(start..<start &+ count, draws) }
      for index in 0..<count {
        let (i, j) = (Int(accepted[start &+ index].first), Int(accepted[start &+ index].second))
        var pair = Partner(
          own: Int32(truncatingIfNeeded: i &* stride), other: Int32(truncatingIfNeeded: j &* stride),
          share: 0.5 * weight(counts[i], counts[j]))
        if let draws {
          directions.choose(start &+ index, i &* layout.count &+ j, draws, for: &pair)
        } else {
          directions.chooseNone(for: &pair)
        }
        partners.pointer[index] = pair
      }
      body(UnsafeMutableBufferPointer(start: partners.pointer, count: count), UnsafePointer(accepted + start))
      start &+= count
    }
  }

  /// - Parameters: the numbers of partners of both particles.
  private func weight(_ first: Int32, _ second: Int32) -> Float {
    switch weights {
    case .pair: 1 / Float(max(first, second))
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
    let room = directions.prepare(draws)
    let total = recordCounts.pointer[sample]
    return (0..<total).map { index in
      if index % room == 0 { directions.begin(index..<min(index + room, total), draws) }
      let record = records.pointer[sample * pairs + index]
      let (i, j) = (Int(record.first), Int(record.second))
      var pair = Partner()
      directions.choose(index, i * layout.count + j, draws, for: &pair)
      return (i, j, directions.direction(of: pair))
    }
  }

  func collide(
    sample: Int, pairs: [(first: Int, second: Int)], normals: [[Float]], position: UnsafeMutablePointer<Float>,
    velocity: UnsafeMutablePointer<Float>
  ) {
    let counts = partnerCounts.pointer + sample * layout.count
    counts.update(repeating: 0, count: layout.count)
    for (index, pair) in pairs.enumerated() {
      records.pointer[sample * self.pairs + index] = Record(
        first: Int32(pair.first), second: Int32(pair.second),
        speed: layout.squaredDistance(pair.first, pair.second, NormalizedValues(velocity)).squareRoot())
      counts[pair.first] += 1
      counts[pair.second] += 1
    }
    recordCounts.pointer[sample] = pairs.count
    directions.given = normals
    keep(velocity, in: self.velocity(of: sample))
    let stream = RandomStream(seed: 0, stream: 0, domain: .collision)
    apply(sample, position, velocity, CollisionDraws(stream: stream, shared: stream, address: .init()))
  }
}
