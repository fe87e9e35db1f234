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
  /// For each record two runs of d numbers: the random normal vector, then w = v_i − v_j from before the collision.
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
    words = AlignedBuffer(count: layout.count)
    let padded = (pairs + 15) / 16 * 16
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
    sample: Int, position: UnsafeMutablePointer<Float>, velocity: UnsafeMutablePointer<Float>, draws: CollisionDraws,
    strength: CollisionStrength, statistics: inout CollisionStatistics
  ) {
    let pairs = layout.count / 2
    let matching = UnsafeMutableBufferPointer(start: order.pointer, count: layout.count)
    var at = draws.address
    at.item = .max
    Permutation.fill(
      matching, words: UnsafeMutableBufferPointer(start: words.pointer, count: layout.count), from: draws.stream, at: at)
    at.item = .max - 1
    if law.needsUniforms {
      draws.stream.fillUniforms(UnsafeMutableBufferPointer(start: uniforms.pointer, count: pairs), at: at)
    } else {
      uniforms.buffer.update(repeating: law.threshold(coefficient: strength.coefficient))
    }
    for pair in 0..<pairs {
      let (r, s) = layout.squares(Int(matching[2 * pair]), Int(matching[2 * pair + 1]), position, velocity)
      distances.pointer[pair] = r.squareRoot()
      speeds.pointer[pair] = s.squareRoot()
    }
    prepareProbabilities(strength, &statistics)
    var count = 0
    for pair in 0..<pairs where uniforms.pointer[pair] < probability(pair) {
      let record = sample * pairCapacity + count
      let normal = vectors.pointer + record * 2 * layout.dimensions
      let length = draws.direction(pair, normal, count: layout.dimensions)
      records.pointer[record] = PairRecord(
        first: Int32(truncatingIfNeeded: matching[2 * pair]), second: Int32(truncatingIfNeeded: matching[2 * pair + 1]),
        speed: speeds.pointer[pair], normalLength: length)
      scatter(record, position, velocity)
      count += 1
    }
    recordCounts.pointer[sample] = count
    statistics.candidatePairs += Double(pairs)
    statistics.acceptedPairs += Double(count)
  }

  func collideBackward(sample: Int, velocityGradient: UnsafeMutablePointer<Float>, draws: CollisionDraws) {
    let d = layout.dimensions
    for index in 0..<recordCounts.pointer[sample] {
      let record = sample * pairCapacity + index
      layout.scatterBackward(records.pointer[record], vectors.pointer + record * 2 * d, velocityGradient)
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
    layout.scatter(pair, vectors.pointer + record * 2 * layout.dimensions, velocity)
    if midpoint { layout.meet(Int(pair.first), Int(pair.second), position) }
  }

  private func probability(_ pair: Int) -> Float {
    law.isKinetic ? scale * speeds.pointer[pair] * distances.pointer[pair] : scale
  }

  /// Replaces each distance by exp(−r/ℓ), sets the scale, and adds up the speeds.
  private func prepareProbabilities(_ strength: CollisionStrength, _ statistics: inout CollisionStatistics) {
    let pairs = layout.count / 2
    var fastest: Float = 0
    var squares = 0.0
    var sum = 0.0
    for pair in 0..<pairs {
      fastest = max(fastest, speeds.pointer[pair])
      sum += Double(speeds.pointer[pair])
      squares += Double(distances.pointer[pair]) * Double(distances.pointer[pair])
    }
    let inverse = law.inverseLength(squares: squares, pairs: pairs, factor: strength.lengthFactor)
    scale = law.scale(coefficient: strength.coefficient, fastest: fastest)
    statistics.speed += sum
    statistics.scaledSpeed += sum * Double(inverse)
    guard law.isKinetic else { return }
    var pair = 0
    while pair < pairs {
      store(exponential(load(distances.pointer + pair) * -inverse), distances.pointer + pair)
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
      let normal = vectors.pointer + (sample * pairCapacity + index) * 2 * layout.dimensions
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
      let normal = vectors.pointer + record * 2 * layout.dimensions
      for lane in 0..<layout.dimensions { normal[lane] = normals[index][lane] }
      records.pointer[record] = PairRecord(
        first: Int32(pair.first), second: Int32(pair.second),
        speed: layout.squares(pair.first, pair.second, position, velocity).velocity.squareRoot(),
        normalLength: Float(sumOfSquares(normal, count: layout.dimensions).squareRoot()))
      scatter(record, position, velocity)
    }
    recordCounts.pointer[sample] = pairs.count
  }
}
