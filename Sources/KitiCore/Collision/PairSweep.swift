/// An accepted pair, as the sweeps over the coordinates of its particles need it.
struct Partner {
  /// Where the rows of the particle and of its partner start.
  var own: Int32 = 0
  var other: Int32 = 0
  /// Where the random vector of the pair starts, and the words of its signs.
  var vector: Int32 = 0
  var signs: Int32 = 0
  /// Length of the random vector.
  var length: Float = 1
  /// What the difference of the two particles counts, w/2.
  var share: Float = 0
  /// What the random vector counts forward, or the difference of the velocities backward.
  var reach: Float = 0
}

/// Sweeps over the coordinates of accepted pairs in `dense`, for layouts whose pieces are multiples of 32.
///
/// A sweep takes 32 coordinates of all pairs before it goes on to the next: so much of all particles stays in the
/// first-level cache, and that of the particle whose partners go by stays in registers. The random vector of a pair is a
/// stored one with the signs that its words say: bit l of a word turns coordinate l of the 32 that belong to it.
struct PairSweep {
  private let layout: ParticleLayout
  private let normals: UnsafePointer<Float>
  private let signs: UnsafePointer<UInt32>
  private let laneShifts: VectorWord

  /// 32 coordinates.
  #if KITI_AVX512
    private typealias Part = InlineArray<2, Vector>
  #else
    private typealias Part = InlineArray<4, Vector>
  #endif

  init(_ layout: ParticleLayout, normals: UnsafePointer<Float>, signs: UnsafePointer<UInt32>) {
    self.layout = layout
    self.normals = normals
    self.signs = signs
    var shifts = VectorWord(repeating: 0)
    for lane in 0..<width { shifts[lane] = UInt32(31 - lane) }
    laneShifts = shifts
  }

  /// With change = share · (a_j − a_i) + reach · e: adds it to the particle i of each pair in `target`, and takes it from
  /// its partner j. Pairs of one particle i follow each other.
  func exchange(
    _ pairs: UnsafeBufferPointer<Partner>, from particles: UnsafePointer<Float>,
    into target: UnsafeMutablePointer<Float>
  ) {
    forEachPart { offset, word in
      let (particles, target) = (particles + offset, target + offset)
      let (normals, signs) = (normals + 32 &* word, signs + word)
      forEachParticle(pairs) { row, partners in
        let own = part(particles + row)
        var sums = part(target + row)
        for partner in partners {
          let (other, change) = (particles + Int(partner.other), target + Int(partner.other))
          let (normal, flips) = (normals + Int(partner.vector), signs + Int(partner.signs))
          for k in 0..<own.count {
            let along = signed(load(normal + k &* width), flips, k &* width) * partner.reach
            let difference = load(other + k &* width) - own[unchecked: k]
            let part = along.addingProduct(difference, Vector(repeating: partner.share))
            sums[unchecked: k] += part
            store(load(change + k &* width) - part, change + k &* width)
          }
        }
        for k in 0..<sums.count { store(sums[unchecked: k], target + (row &+ k &* width)) }
      }
    }
  }

  /// With change = share · (G_j − G_i) + reach · (v_i − v_j): adds it to the particle i of each pair in `target`, and
  /// takes it from its partner j. Pairs of one particle i follow each other.
  func exchangeBackward(
    _ pairs: UnsafeBufferPointer<Partner>, gradients: UnsafePointer<Float>, velocities: UnsafePointer<Float>,
    into target: UnsafeMutablePointer<Float>
  ) {
    forEachPart { offset, _ in
      let (gradients, velocities, target) = (gradients + offset, velocities + offset, target + offset)
      forEachParticle(pairs) { row, partners in
        let (gradient, velocity) = (part(gradients + row), part(velocities + row))
        var sums = part(target + row)
        for partner in partners {
          let other = Int(partner.other)
          for k in 0..<gradient.count {
            let place = other &+ k &* width
            let turn = (velocity[unchecked: k] - load(velocities + place)) * partner.reach
            let difference = load(gradients + place) - gradient[unchecked: k]
            let part = turn.addingProduct(difference, Vector(repeating: partner.share))
            sums[unchecked: k] += part
            store(load(target + place) - part, target + place)
          }
        }
        for k in 0..<sums.count { store(sums[unchecked: k], target + (row &+ k &* width)) }
      }
    }
  }

  /// Calls `body` for every 32 coordinates with their place behind a particle's first number and the number of their word
  /// of signs.
  @inline(__always)
  private func forEachPart(_ body: (_ offset: Int, _ word: Int) -> Void) {
    var word = 0
    for piece in 0..<layout.pieces {
      for c in stride(from: 0, to: layout.pieceLength, by: 32) {
        body(piece &* layout.pieceStride &+ c, word)
        word &+= 1
      }
    }
  }

  /// Calls `body` for every particle i with its row and its pairs.
  @inline(__always)
  private func forEachParticle(
    _ pairs: UnsafeBufferPointer<Partner>, _ body: (_ row: Int, _ partners: UnsafeBufferPointer<Partner>) -> Void
  ) {
    guard let base = pairs.baseAddress else { return }
    var start = 0
    while start < pairs.count {
      let row = base[start].own
      var end = start &+ 1
      while end < pairs.count, base[end].own == row { end &+= 1 }
      body(Int(row), UnsafeBufferPointer(start: base + start, count: end &- start))
      start = end
    }
  }

  @inline(__always)
  private func part(_ row: UnsafePointer<Float>) -> Part {
    var part = Part(repeating: .zero)
    for k in 0..<part.count { part[unchecked: k] = load(row + k &* width) }
    return part
  }

  /// (a_i − a_j)·e, with e the pair's random vector.
  func differenceAlong(_ pair: Partner, _ particles: UnsafePointer<Float>) -> Float {
    let (own, other) = (particles + Int(pair.own), particles + Int(pair.other))
    var normal = normals + Int(pair.vector)
    var word = signs + Int(pair.signs)
    var even = Vector(repeating: 0)
    var odd = even
    for piece in 0..<layout.pieces {
      var c = piece &* layout.pieceStride
      let end = c &+ layout.pieceLength
      while c < end {
        for k in stride(from: 0, to: 32, by: 2 &* width) {
          let difference = load(own + (c &+ k)) - load(other + (c &+ k))
          let next = load(own + (c &+ k &+ width)) - load(other + (c &+ k &+ width))
          even.addProduct(difference, signed(load(normal + k), word, k))
          odd.addProduct(next, signed(load(normal + k + width), word, k &+ width))
        }
        c &+= 32
        normal += 32
        word += 1
      }
    }
    return laneSum(even + odd)
  }

  /// The vector of those whose signs begin with the word at `words`, from number `first` on.
  @inline(__always)
  private func signed(_ vector: Vector, _ words: UnsafePointer<UInt32>, _ first: Int) -> Vector {
    let shifts = laneShifts &- UInt32(truncatingIfNeeded: first % 32)
    let flips = (VectorWord(repeating: words[first / 32]) &<< shifts) & 0x8000_0000
    return unsafeBitCast(unsafeBitCast(vector, to: VectorWord.self) ^ flips, to: Vector.self)
  }
}
