/// One of the particles that a particle collides with, as the sweeps over their coordinates need it.
struct Partner {
  /// Where its row starts.
  var row = 0
  /// Where the random vector of the pair starts, and the words of its signs.
  var vector = 0
  var signs = 0
  /// Length of the random vector.
  var length: Float = 1
  /// What the difference of the two particles counts, w/2.
  var share: Float = 0
  /// What the random vector counts forward, or the difference of the velocities backward.
  var reach: Float = 0
}

/// Sweeps over the coordinates of a particle and its partners in `dense`, for rows of `length` numbers, a multiple of 32.
///
/// Some vectors of the particle stay in registers while all its partners go by. The random vector of a pair is a stored
/// one with the signs that its words say: bit l of a word turns coordinate l of the 32 that belong to it.
struct PairSweep {
  private let length: Int
  private let normals: UnsafePointer<Float>
  private let signs: UnsafePointer<UInt32>
  private let laneShifts: VectorWord

  #if KITI_AVX512
    private typealias Chunk = InlineArray<4, Vector>
    private typealias Word = InlineArray<2, Vector>
  #else
    private typealias Chunk = InlineArray<4, Vector>
    private typealias Word = InlineArray<4, Vector>
  #endif

  init(length: Int, normals: UnsafePointer<Float>, signs: UnsafePointer<UInt32>) {
    self.length = length
    self.normals = normals
    self.signs = signs
    var shifts = VectorWord(repeating: 0)
    for lane in 0..<width { shifts[lane] = UInt32(31 - lane) }
    laneShifts = shifts
  }

  /// With change = share · (a_j − a_i) + reach · e: adds it to the row at `row` of `changes`, and takes it from each
  /// partner's.
  func exchange(
    _ row: Int, _ partners: UnsafePointer<Partner>, _ count: Int, from particles: UnsafePointer<Float>,
    into changes: UnsafeMutablePointer<Float>
  ) {
    var c = 0
    while c &+ Chunk.count &* width <= length {
      exchange(Chunk(repeating: .zero), c, row, partners, count, particles, changes)
      c &+= Chunk.count &* width
    }
    while c < length {
      exchange(Word(repeating: .zero), c, row, partners, count, particles, changes)
      c &+= Word.count &* width
    }
  }

  @inline(__always)
  private func exchange<let vectors: Int>(
    _ zero: InlineArray<vectors, Vector>, _ c: Int, _ row: Int, _ partners: UnsafePointer<Partner>, _ count: Int,
    _ particles: UnsafePointer<Float>, _ changes: UnsafeMutablePointer<Float>
  ) {
    var own = zero
    var sums = zero
    for k in 0..<vectors {
      own[unchecked: k] = load(particles + (row &+ c &+ k &* width))
      sums[unchecked: k] = load(changes + (row &+ c &+ k &* width))
    }
    for index in 0..<count {
      let partner = partners + index
      let other = particles + (partner.pointee.row &+ c)
      let change = changes + (partner.pointee.row &+ c)
      let normal = normals + (partner.pointee.vector &+ c)
      let words = signs + (partner.pointee.signs &+ c / 32)
      let (share, reach) = (partner.pointee.share, partner.pointee.reach)
      for k in 0..<vectors {
        let along = signed(load(normal + k &* width), words, k &* width) * reach
        let part = along.addingProduct(load(other + k &* width) - own[unchecked: k], Vector(repeating: share))
        sums[unchecked: k] += part
        store(load(change + k &* width) - part, change + k &* width)
      }
    }
    for k in 0..<vectors { store(sums[unchecked: k], changes + (row &+ c &+ k &* width)) }
  }

  /// With change = share · (G_j − G_i) + reach · (v_i − v_j): adds it to the row at `row` of `changes`, and takes it from
  /// each partner's.
  func exchangeBackward(
    _ row: Int, _ partners: UnsafePointer<Partner>, _ count: Int, gradients: UnsafePointer<Float>,
    velocities: UnsafePointer<Float>, into changes: UnsafeMutablePointer<Float>
  ) {
    var c = 0
    while c &+ Chunk.count &* width <= length {
      exchangeBackward(Chunk(repeating: .zero), row &+ c, c, partners, count, gradients, velocities, changes)
      c &+= Chunk.count &* width
    }
    while c < length {
      exchangeBackward(Word(repeating: .zero), row &+ c, c, partners, count, gradients, velocities, changes)
      c &+= Word.count &* width
    }
  }

  @inline(__always)
  private func exchangeBackward<let vectors: Int>(
    _ zero: InlineArray<vectors, Vector>, _ start: Int, _ c: Int, _ partners: UnsafePointer<Partner>, _ count: Int,
    _ gradients: UnsafePointer<Float>, _ velocities: UnsafePointer<Float>, _ changes: UnsafeMutablePointer<Float>
  ) {
    var (gradient, velocity, sums) = (zero, zero, zero)
    for k in 0..<vectors {
      gradient[unchecked: k] = load(gradients + (start &+ k &* width))
      velocity[unchecked: k] = load(velocities + (start &+ k &* width))
      sums[unchecked: k] = load(changes + (start &+ k &* width))
    }
    for index in 0..<count {
      let partner = partners + index
      let place = partner.pointee.row &+ c
      let (share, reach) = (partner.pointee.share, partner.pointee.reach)
      for k in 0..<vectors {
        let turn = (velocity[unchecked: k] - load(velocities + (place &+ k &* width))) * reach
        let difference = load(gradients + (place &+ k &* width)) - gradient[unchecked: k]
        let part = turn.addingProduct(difference, Vector(repeating: share))
        sums[unchecked: k] += part
        store(load(changes + (place &+ k &* width)) - part, changes + (place &+ k &* width))
      }
    }
    for k in 0..<vectors { store(sums[unchecked: k], changes + (start &+ k &* width)) }
  }

  /// (a_i − a_j)·e, with e the pair's random vector.
  func differenceAlong(_ partner: Partner, _ row: Int, _ particles: UnsafePointer<Float>) -> Float {
    let (own, other) = (particles + row, particles + partner.row)
    let (normal, words) = (normals + partner.vector, signs + partner.signs)
    var even = Vector(repeating: 0)
    var odd = even
    var c = 0
    while c < length {
      let difference = load(own + c) - load(other + c)
      let next = load(own + c + width) - load(other + c + width)
      let word = words + c / 32
      even.addProduct(difference, signed(load(normal + c), word, c % 32))
      odd.addProduct(next, signed(load(normal + c + width), word, c % 32 &+ width))
      c &+= 2 &* width
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
