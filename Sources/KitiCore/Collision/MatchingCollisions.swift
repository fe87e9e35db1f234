/// The scheme `ntc`: candidates are a random perfect matching, each particle meets at most one other.
///
/// Complexity: O(n·d) time and memory a sample.
final class MatchingCollisions: CollisionEngine {
  private let layout: ParticleLayout
  private let law: AcceptanceLaw
  private let midpoint: Bool
  private let pairCapacity: Int
  private let records: AlignedBuffer<PairRecord>
  private let recordCounts: AlignedBuffer<Int>
  /// For each record two runs of d numbers: the random normal vector, then w = v_i − v_j from before the collision; after
  /// a backward pass that is to be undone, G_i and G_j from before.
  private let vectors: AlignedBuffer<Float>
  private let order: AlignedBuffer<UInt32>
  private let words: AlignedBuffer<UInt32>
  private let distances: AlignedBuffer<Float>
  private let speeds: AlignedBuffer<Float>
  private let uniforms: AlignedBuffer<Float>
  /// What s · exp(−r/ℓ) of the sample that collided last is multiplied by.
  private var scale: Float = 0

  init(layout: ParticleLayout, options: CollisionOptions, capacity: Int) {
    self.layout = layout
    law = AcceptanceLaw(options)
    midpoint = options.midpoint
    let pairs = layout.count / 2
    pairCapacity = pairs
    records = AlignedBuffer(count: capacity * pairs)
    recordCounts = AlignedBuffer(count: capacity)
    vectors = AlignedBuffer(count: capacity * pairs * 2 * layout.dimensions)
    order = AlignedBuffer(count: layout.count)
    // Random numbers come in groups of 64; to draw the whole last one takes less than to pick some of it.
    words = AlignedBuffer(count: (layout.count + 63) / 64 * 64)
    let padded = (pairs + 63) / 64 * 64
    distances = AlignedBuffer(count: padded)
    speeds = AlignedBuffer(count: padded)
    uniforms = AlignedBuffer(count: padded)
  }

  var candidatesPerSample: Int { layout.count / 2 }

  var workspaceBytes: Int {
    records.byteCount + recordCounts.byteCount + vectors.byteCount + order.byteCount + words.byteCount
      + distances.byteCount + speeds.byteCount + uniforms.byteCount
  }

  func collide(
    sample: Int, position: UnsafeMutablePointer<Float>, draws: CollisionDraws, strength: CollisionStrength,
    statistics: inout CollisionStatistics, velocity: () -> UnsafeMutablePointer<Float>
  ) {
    match(NormalizedValues(position), draws)
    let velocity = velocity()
    select(sample, NormalizedValues(velocity), draws, strength, &statistics)
    for index in 0..<recordCounts.pointer[sample] { scatter(sample * pairCapacity + index, position, velocity) }
  }

  /// Lets the particles of one sample collide whose move has been made without: y of the accepted pairs is made anew.
  func collide(
    sample: Int, move: ParticleMove, draws: CollisionDraws, strength: CollisionStrength,
    statistics: inout CollisionStatistics
  ) {
    match(move.position, draws)
    select(sample, move.velocity, draws, strength, &statistics)
    for index in 0..<recordCounts.pointer[sample] {
      let record = sample * pairCapacity + index
      layout.scatter(records.pointer[record], vectors(of: record), move, midpoint: midpoint)
    }
  }

  /// Draws the candidate pairs of a sample and measures their distances.
  private func match(_ position: NormalizedValues, _ draws: CollisionDraws) {
    let matching = UnsafeMutableBufferPointer(start: order.pointer, count: layout.count)
    var at = draws.address
    at.item = .max
    Permutation.fill(matching, words: words.buffer, from: draws.stream, at: at)
    measure(position, into: distances.pointer)
  }

  /// Finds which of the candidate pairs collide, writes them down and draws their directions.
  private func select(
    _ sample: Int, _ velocity: NormalizedValues, _ draws: CollisionDraws, _ strength: CollisionStrength,
    _ statistics: inout CollisionStatistics
  ) {
    let (pairs, matching) = (layout.count / 2, order.pointer)
    var at = draws.address
    at.item = .max - 1
    if law.needsUniforms {
      draws.stream.fillUniforms(uniforms.buffer, at: at)
    } else {
      uniforms.buffer.update(repeating: law.threshold(coefficient: strength.coefficient))
    }
    measure(velocity, into: speeds.pointer)
    prepareProbabilities(strength, &statistics)
    var count = 0
    for pair in 0..<pairs where uniforms.pointer[pair] < probability(pair) {
      let record = sample * pairCapacity + count
      records.pointer[record] = PairRecord(
        first: Int32(truncatingIfNeeded: matching[2 * pair]), second: Int32(truncatingIfNeeded: matching[2 * pair + 1]),
        speed: speeds.pointer[pair],
        normalLength: draws.direction(pair, vectors(of: record), count: layout.dimensions))
      count += 1
    }
    recordCounts.pointer[sample] = count
    statistics.candidatePairs += Double(pairs)
    statistics.acceptedPairs += Double(count)
  }

  /// The squares of the distances of all candidate pairs.
  private func measure(_ field: NormalizedValues, into squares: UnsafeMutablePointer<Float>) {
    let (layout, matching) = (layout, order.pointer)
    let pairs = layout.count / 2
    @inline(__always) func particles(_ pair: Int) -> (Int, Int) {
      (Int(matching[2 &* pair]), Int(matching[2 &* pair &+ 1]))
    }
    for pair in stride(from: 0, to: pairs, by: 2) {
      let next = min(pair &+ 1, pairs &- 1)
      (squares[pair], squares[next]) = layout.squaredDistances(particles(pair), particles(next), field)
    }
  }

  private func vectors(of record: Int) -> UnsafeMutablePointer<Float> {
    vectors.pointer + record * 2 * layout.dimensions
  }

  func collideBackward(sample: Int, velocityGradient: UnsafeMutablePointer<Float>, draws: CollisionDraws) {
    for index in 0..<recordCounts.pointer[sample] {
      let record = sample * pairCapacity + index
      layout.scatterBackward(records.pointer[record], vectors(of: record), velocityGradient)
    }
  }

  /// As `collideBackward`, once for each forward pass, and such that `restore` undoes it.
  ///
  /// - Parameters:
  ///   - factor: numbers of the sample, laid out as the gradient.
  ///   - products: `[channels]`; what the sum of gradient · factor over all places changes is added.
  func collideBackward(
    sample: Int, gradient: UnsafeMutablePointer<Float>, times factor: UnsafePointer<Float>,
    products: UnsafeMutablePointer<Double>
  ) {
    for index in 0..<recordCounts.pointer[sample] {
      let record = sample * pairCapacity + index
      layout.scatterBackward(
        records.pointer[record], vectors(of: record), gradient, times: factor, products: products)
    }
  }

  func restore(sample: Int, gradient: UnsafeMutablePointer<Float>) {
    for index in 0..<recordCounts.pointer[sample] {
      let record = sample * pairCapacity + index
      layout.restore(records.pointer[record], vectors(of: record), to: gradient)
    }
  }

  func midpointBackward(sample: Int, positionGradient: UnsafeMutablePointer<Float>) {
    for index in 0..<recordCounts.pointer[sample] {
      let record = records.pointer[sample * pairCapacity + index]
      layout.meet(Int(record.first), Int(record.second), positionGradient)
    }
  }

  private func scatter(_ record: Int, _ position: UnsafeMutablePointer<Float>, _ velocity: UnsafeMutablePointer<Float>) {
    let pair = records.pointer[record]
    layout.scatter(pair, vectors(of: record), velocity)
    if midpoint { layout.meet(Int(pair.first), Int(pair.second), position) }
  }

  private func probability(_ pair: Int) -> Float {
    law.isKinetic ? scale * speeds.pointer[pair] * distances.pointer[pair] : scale
  }

  /// Squares of speeds below 1e-30 have lost digits, and a collision would not keep the energy: they count as 0, and such
  /// a pair stands still.
  private static let leastSquare: Float = 1e-30

  /// Turns squares into speeds and each distance into exp(−r/ℓ), sets the scale, and adds up the speeds.
  private func prepareProbabilities(_ strength: CollisionStrength, _ statistics: inout CollisionStatistics) {
    let pairs = layout.count / 2
    let (distances, speeds) = (distances.pointer, speeds.pointer)
    var fastest: Float = 0
    var squares = 0.0
    var sum = 0.0
    for pair in 0..<pairs {
      let speed = speeds[pair] < Self.leastSquare ? 0 : speeds[pair].squareRoot()
      speeds[pair] = speed
      fastest = max(fastest, speed)
      sum += Double(speed)
      squares += Double(distances[pair])
      distances[pair] = distances[pair].squareRoot()
    }
    let inverse = law.inverseLength(squares: squares, pairs: pairs, factor: strength.lengthFactor)
    scale = law.scale(coefficient: strength.coefficient, fastest: fastest)
    statistics.speed += sum
    statistics.scaledSpeed += sum * Double(inverse)
    guard law.isKinetic else { return }
    var pair = 0
    while pair < pairs {
      store(exponential(load(distances + pair) * -inverse), distances + pair)
      pair &+= width
    }
  }

  // MARK: - Inspection

  var candidates: [(first: Int, second: Int, probability: Float)] {
    (0..<layout.count / 2).map {
      (Int(order.pointer[2 * $0]), Int(order.pointer[2 * $0 + 1]), probability($0))
    }
  }

  func collisions(sample: Int, draws: CollisionDraws) -> [(first: Int, second: Int, direction: [Float])] {
    (0..<recordCounts.pointer[sample]).map { index in
      let record = records.pointer[sample * pairCapacity + index]
      let normal = vectors(of: sample * pairCapacity + index)
      return (
        Int(record.first), Int(record.second), (0..<layout.dimensions).map { normal[$0] / record.normalLength }
      )
    }
  }

  func collide(
    sample: Int, pairs: [(first: Int, second: Int)], normals: [[Float]], position: UnsafeMutablePointer<Float>,
    velocity: UnsafeMutablePointer<Float>
  ) {
    for (index, pair) in pairs.enumerated() {
      let record = sample * pairCapacity + index
      let normal = vectors(of: record)
      for lane in 0..<layout.dimensions { normal[lane] = normals[index][lane] }
      records.pointer[record] = PairRecord(
        first: Int32(pair.first), second: Int32(pair.second),
        speed: layout.squaredDistance(pair.first, pair.second, NormalizedValues(velocity)).squareRoot(),
        normalLength: Float(sumOfSquares(normal, count: layout.dimensions).squareRoot()))
      scatter(record, position, velocity)
    }
    recordCounts.pointer[sample] = pairs.count
  }
}
