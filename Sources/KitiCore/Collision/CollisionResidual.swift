/// The collision step of a residual block: velocities of random pairs of particles are scattered elastically before the
/// particles move (arXiv 2505.17919; the collision step after Bird 1994, §11.1).
///
/// Positions x are the block's input or its shortcut, velocities v its branch; both are one sample of `layout.features`
/// numbers. `collide` changes v in place, the block then adds x + v·dt itself, in one pass with what follows. In
/// evaluation, and with scheme `none`, nothing collides.
///
/// For a candidate pair with distance r and relative speed s, p = coefficient · (s / s_max) · exp(−r/ℓ). An accepted pair
/// keeps its centre velocity c and takes the velocities c ± (s/2)·e, e a uniformly random direction: momentum and
/// kinetic energy are kept.
public final class CollisionResidual: @unchecked Sendable {
  public let layout: ParticleLayout
  public let options: CollisionOptions
  /// Candidate and accepted pairs since the last `resetCounts`.
  public private(set) var candidatePairs = 0
  public private(set) var acceptedPairs = 0

  private let layerIndex: UInt32
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
  /// coefficient / s_max of the sample that collided last.
  private var speedScale: Float = 0
  private var rankStream: (seed: UInt64, rank: Int, stream: RandomStream)?

  /// An accepted pair, as the backward pass needs it.
  struct PairRecord {
    var first: Int32
    var second: Int32
    /// Relative speed before the collision, |v_i − v_j|.
    var speed: Float
    /// Length of the random normal vector.
    var normalLength: Float
  }

  /// - Parameters:
  ///   - layerIndex: which collision layer of the model this is: part of its random streams.
  ///   - capacity: the largest batch.
  public init(layout: ParticleLayout, options: CollisionOptions, layerIndex: Int, capacity: Int) {
    self.layout = layout
    self.options = options
    self.layerIndex = UInt32(layerIndex)
    let isActive = options.scheme != .none
    let pairs = isActive ? layout.count / 2 : 0
    pairCapacity = pairs
    records = AlignedBuffer(count: capacity * pairs)
    recordCounts = AlignedBuffer(count: capacity)
    vectors = AlignedBuffer(count: capacity * pairs * 2 * layout.dimensions)
    order = AlignedBuffer(count: isActive ? layout.count : 0)
    words = AlignedBuffer(count: isActive ? layout.count : 0)
    let padded = (pairs + 15) / 16 * 16
    distances = AlignedBuffer(count: padded)
    speeds = AlignedBuffer(count: padded)
    uniforms = AlignedBuffer(count: padded)
  }

  /// Bytes of workspace: O(n·d) a sample.
  public var workspaceBytes: Int {
    records.byteCount + recordCounts.byteCount + vectors.byteCount + order.byteCount + words.byteCount
      + distances.byteCount + speeds.byteCount + uniforms.byteCount
  }

  public func resetCounts() {
    candidatePairs = 0
    acceptedPairs = 0
  }

  /// Whether `collide` does anything in this pass.
  public func isActive(_ pass: Pass) -> Bool { pass.isTraining && options.scheme != .none }

  /// Lets the particles of one sample collide.
  ///
  /// - Parameters:
  ///   - sample: position in the batch; the backward pass asks for it by this number.
  ///   - position: x of this sample.
  ///   - velocity: v of this sample, replaced by v'.
  public func collide(
    sample: Int, position: UnsafePointer<Float>, velocity: UnsafeMutablePointer<Float>, pass: Pass
  ) {
    guard isActive(pass) else { return }
    let (stream, address) = draws(sample: sample, pass: pass)
    let pairs = layout.count / 2
    let matching = UnsafeMutableBufferPointer(start: order.pointer, count: layout.count)
    var at = address
    at.item = .max
    Permutation.fill(
      matching, words: UnsafeMutableBufferPointer(start: words.pointer, count: layout.count), from: stream, at: at)
    at.item = .max - 1
    stream.fillUniforms(UnsafeMutableBufferPointer(start: uniforms.pointer, count: pairs), at: at)
    measurePairs(0..<pairs, position: position, velocity: velocity)
    speedScale = acceptance()
    var count = 0
    for pair in 0..<pairs where uniforms.pointer[pair] < probability(pair) {
      let record = sample * pairCapacity + count
      at.item = UInt32(truncatingIfNeeded: pair)
      let normal = vectors.pointer + record * 2 * layout.dimensions
      let squares = stream.fillNormals(
        UnsafeMutableBufferPointer(start: normal, count: layout.dimensions), at: at)
      var length = squares.squareRoot()
      if length == 0 {
        // In one dimension a normal number can round to zero; a direction is needed all the same.
        normal[0] = 1
        length = 1
      }
      records.pointer[record] = PairRecord(
        first: Int32(truncatingIfNeeded: matching[2 * pair]), second: Int32(truncatingIfNeeded: matching[2 * pair + 1]),
        speed: speeds.pointer[pair], normalLength: length)
      scatter(records.pointer[record], normal: normal, velocity: velocity)
      count += 1
    }
    recordCounts.pointer[sample] = count
    candidatePairs += pairs
    acceptedPairs += count
  }

  /// Turns the gradient with respect to v' into the gradient with respect to v, in place. x gets its gradient straight.
  public func collideBackward(sample: Int, velocityGradient: UnsafeMutablePointer<Float>, pass: Pass) {
    guard isActive(pass) else { return }
    let d = layout.dimensions
    for index in 0..<recordCounts.pointer[sample] {
      let record = records.pointer[sample * pairCapacity + index]
      let normal = vectors.pointer + (sample * pairCapacity + index) * 2 * d
      scatterBackward(record, normal: normal, gradient: velocityGradient)
    }
  }

  // MARK: - Kernels

  private func draws(sample: Int, pass: Pass) -> (RandomStream, RandomStream.Address) {
    let step = UInt32(truncatingIfNeeded: pass.step)
    if options.streams == .sample, let indices = pass.sampleIndices {
      let stream = RandomStream(
        seed: pass.seed, stream: UInt64(indices[sample]), domain: .collision, index: layerIndex | 0x8000_0000)
      return (stream, .init(step: step, sample: 0))
    }
    if rankStream?.seed != pass.seed || rankStream?.rank != pass.rank {
      rankStream = (
        pass.seed, pass.rank,
        RandomStream(seed: pass.seed, stream: UInt64(pass.rank), domain: .collision, index: layerIndex)
      )
    }
    return (rankStream!.stream, .init(step: step, sample: UInt32(truncatingIfNeeded: pass.firstSample &+ sample)))
  }

  private func probability(_ pair: Int) -> Float { speedScale * speeds.pointer[pair] * distances.pointer[pair] }

  /// Distances and relative speeds of candidate pairs.
  private func measurePairs(
    _ pairs: Range<Int>, position: UnsafePointer<Float>, velocity: UnsafeMutablePointer<Float>
  ) {
    for pair in pairs {
      let first = Int(order.pointer[2 &* pair]) &* layout.particleStride
      let second = Int(order.pointer[2 &* pair &+ 1]) &* layout.particleStride
      var r = Vector(repeating: 0)
      var s = Vector(repeating: 0)
      var rTail: Float = 0
      var sTail: Float = 0
      for piece in 0..<layout.pieces {
        let offset = piece &* layout.pieceStride
        let (xi, xj) = (position + (first &+ offset), position + (second &+ offset))
        let (vi, vj) = (velocity + (first &+ offset), velocity + (second &+ offset))
        var c = 0
        while c &+ width <= layout.pieceLength {
          let dx = load(xi + c) - load(xj + c)
          let dv = load(vi + c) - load(vj + c)
          r.addProduct(dx, dx)
          s.addProduct(dv, dv)
          c &+= width
        }
        while c < layout.pieceLength {
          rTail.addProduct(xi[c] - xj[c], xi[c] - xj[c])
          sTail.addProduct(vi[c] - vj[c], vi[c] - vj[c])
          c &+= 1
        }
      }
      distances.pointer[pair] = (r.sum() + rTail).squareRoot()
      let square = s.sum() + sTail
      // Squares this small have lost digits, and a collision would not keep the energy: such a pair stands still.
      speeds.pointer[pair] = square < 1e-30 ? 0 : square.squareRoot()
    }
  }

  /// Replaces each distance by exp(−r/ℓ) and returns coefficient / s_max.
  private func acceptance() -> Float {
    let pairs = layout.count / 2
    var fastest: Float = 0
    var squares = 0.0
    for pair in 0..<pairs {
      fastest = max(fastest, speeds.pointer[pair])
      squares += Double(distances.pointer[pair]) * Double(distances.pointer[pair])
    }
    let length: Float =
      switch options.lengthScale {
      case .rms: Float((squares / Double(pairs)).squareRoot())
      case .unit: 1
      case .value(let value): Float(value)
      }
    // All particles in one place: r/ℓ is 0 for every pair.
    let inverse = length > 0 ? 1 / length : 0
    var pair = 0
    while pair < pairs {
      store(exponential(load(distances.pointer + pair) * -inverse), distances.pointer + pair)
      pair &+= width
    }
    return fastest > 0 ? Float(options.coefficient) / fastest : 0
  }

  private func scatter(_ record: PairRecord, normal: UnsafeMutablePointer<Float>, velocity: UnsafeMutablePointer<Float>) {
    let difference = normal + layout.dimensions
    let reach = 0.5 * record.speed / record.normalLength
    for piece in 0..<layout.pieces {
      let offset = piece &* layout.pieceStride
      let vi = velocity + (Int(record.first) &* layout.particleStride &+ offset)
      let vj = velocity + (Int(record.second) &* layout.particleStride &+ offset)
      let g = normal + piece &* layout.pieceLength
      let w = difference + piece &* layout.pieceLength
      var c = 0
      while c &+ width <= layout.pieceLength {
        let (a, b, direction) = (load(vi + c), load(vj + c), load(g + c))
        let centre = (a * 0.5).addingProduct(b, Vector(repeating: 0.5))  // a + b may overflow
        store(a - b, w + c)
        store(centre.addingProduct(direction, Vector(repeating: reach)), vi + c)
        store(centre.addingProduct(direction, Vector(repeating: -reach)), vj + c)
        c &+= width
      }
      while c < layout.pieceLength {
        let (a, b) = (vi[c], vj[c])
        let centre = (a * 0.5).addingProduct(b, 0.5)
        w[c] = a - b
        vi[c] = centre.addingProduct(g[c], reach)
        vj[c] = centre.addingProduct(g[c], -reach)
        c &+= 1
      }
    }
  }

  /// dv_i, dv_j = (G_i + G_j)/2 ± ½ ((G_i − G_j)·e) w/s; the second term is 0 where s = 0.
  private func scatterBackward(
    _ record: PairRecord, normal: UnsafeMutablePointer<Float>, gradient: UnsafeMutablePointer<Float>
  ) {
    let difference = normal + layout.dimensions
    let first = gradient + Int(record.first) &* layout.particleStride
    let second = gradient + Int(record.second) &* layout.particleStride
    var lanes = Vector(repeating: 0)
    var along: Float = 0
    for piece in 0..<layout.pieces {
      let (gi, gj) = (first + piece &* layout.pieceStride, second + piece &* layout.pieceStride)
      let g = normal + piece &* layout.pieceLength
      var c = 0
      while c &+ width <= layout.pieceLength {
        lanes.addProduct(load(gi + c) - load(gj + c), load(g + c))
        c &+= width
      }
      while c < layout.pieceLength {
        along.addProduct(gi[c] - gj[c], g[c])
        c &+= 1
      }
    }
    along += lanes.sum()
    let factor = record.speed > 0 ? 0.5 * (along / record.normalLength) / record.speed : 0
    for piece in 0..<layout.pieces {
      let (gi, gj) = (first + piece &* layout.pieceStride, second + piece &* layout.pieceStride)
      let w = difference + piece &* layout.pieceLength
      var c = 0
      while c &+ width <= layout.pieceLength {
        let mean = (load(gi + c) + load(gj + c)) * 0.5
        let relative = load(w + c)
        store(mean.addingProduct(relative, Vector(repeating: factor)), gi + c)
        store(mean.addingProduct(relative, Vector(repeating: -factor)), gj + c)
        c &+= width
      }
      while c < layout.pieceLength {
        let mean = (gi[c] + gj[c]) * 0.5
        gi[c] = mean.addingProduct(w[c], factor)
        gj[c] = mean.addingProduct(w[c], -factor)
        c &+= 1
      }
    }
  }
}

// MARK: - Inspection

extension CollisionResidual {
  /// Candidate pairs of the sample that collided last, each with the probability of its acceptance.
  package var candidates: [(first: Int, second: Int, probability: Float)] {
    (0..<layout.count / 2).map {
      (Int(order.pointer[2 * $0]), Int(order.pointer[2 * $0 + 1]), probability($0))
    }
  }

  /// The pairs of a sample that collided in the last forward pass, each with its unit vector e: v_i' = c + s/2 · e.
  package func collisions(sample: Int) -> [(first: Int, second: Int, direction: [Float])] {
    let d = layout.dimensions
    return (0..<recordCounts.pointer[sample]).map { index in
      let record = records.pointer[sample * pairCapacity + index]
      let normal = vectors.pointer + (sample * pairCapacity + index) * 2 * d
      return (Int(record.first), Int(record.second), (0..<d).map { normal[$0] / record.normalLength })
    }
  }

  /// Lets the given pairs of one sample collide instead of drawn ones, each along its vector of any length above 0;
  /// `collideBackward` then belongs to them.
  package func collide(
    sample: Int, pairs: [(first: Int, second: Int)], normals: [[Float]], velocity: UnsafeMutablePointer<Float>
  ) {
    for (index, pair) in pairs.enumerated() {
      let normal = vectors.pointer + (sample * pairCapacity + index) * 2 * layout.dimensions
      for lane in 0..<layout.dimensions { normal[lane] = normals[index][lane] }
      (order.pointer[0], order.pointer[1]) = (UInt32(pair.first), UInt32(pair.second))
      measurePairs(0..<1, position: velocity, velocity: velocity)
      let record = PairRecord(
        first: Int32(pair.first), second: Int32(pair.second), speed: speeds.pointer[0],
        normalLength: Float(sumOfSquares(normal, count: layout.dimensions).squareRoot()))
      records.pointer[sample * pairCapacity + index] = record
      scatter(record, normal: normal, velocity: velocity)
    }
    recordCounts.pointer[sample] = pairs.count
  }
}
