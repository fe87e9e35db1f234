/// Random directions for the accepted pairs with `dense`.
///
/// In few dimensions each pair draws its own normal vector. In many dimensions that would take most of a training step:
/// there a layer has a pool of random normal vectors in each step, and a pair takes one of them, turned round by a random
/// number of coordinates, with d random signs: a uniformly random direction, uncorrelated with that of any other pair
/// (signs are independent), though not independent of it, since magnitudes are shared. It takes d random bits in place of
/// d normal numbers, and is a pure function of the same counters, with the pair's number among the accepted ones as its
/// item.
final class PairDirections {
  /// With fewer coordinates a pair draws its own normal vector.
  static let fewestPoolDimensions = 64
  /// Vectors of the pool, a power of two; as many pairs have a place for their own vector.
  private static let count = 32
  /// Pairs whose random words are drawn together.
  private static let group = 16

  private let dimensions: Int
  /// The dimensions rounded up to whole words of signs.
  private let length: Int
  /// In the pool each vector twice in a row, so that a turned one is contiguous.
  private let vectors: AlignedBuffer<Float>
  private let lengths: AlignedBuffer<Float>
  /// Pairs with words of their own: as many as leave them in the second-level cache, whole groups.
  private let room: Int
  /// The words of each group: for every pair one each for the vector and the turn, then the signs. The last words are
  /// the signs of vectors that keep theirs.
  private let words: AlignedBuffer<UInt32>
  private let wordsOfPair: Int
  private let wordsOfGroup: Int
  /// The first of the pairs that have their words.
  private var first = 0
  private var usesPool = false
  /// Of which stream and step the pool is.
  private var poolKey: (key: SIMD2<UInt32>, step: UInt32)?
  /// Set instead of drawn, for inspection: a vector for each record.
  var given: [[Float]]?

  /// - Parameter length: numbers that sweeps read of a vector, the dimensions rounded up to a multiple of 32.
  init(dimensions: Int, length: Int) {
    self.dimensions = dimensions
    self.length = length
    vectors = AlignedBuffer(count: Self.count * 2 * length)
    lengths = AlignedBuffer(count: Self.count)
    wordsOfPair = 2 + length / 32
    wordsOfGroup = (Self.group * wordsOfPair + 63) / 64 * 64
    room = max(2, min(64, 65_536 / wordsOfGroup)) * Self.group
    words = AlignedBuffer(count: room / Self.group * wordsOfGroup + length / 32)
  }

  var workspaceBytes: Int { vectors.byteCount + lengths.byteCount + words.byteCount }

  /// - Parameter layout: of the particles, with as many coordinates as the vectors.
  func sweep(_ layout: ParticleLayout) -> PairSweep {
    PairSweep(layout, normals: vectors.pointer, signs: words.pointer)
  }

  /// The most pairs that may have their vectors at the same time.
  var capacity: Int { max(Self.count, room) }

  /// Begins a sample and returns how many pairs may have their vectors at the same time.
  func prepare(_ draws: CollisionDraws) -> Int {
    usesPool = dimensions >= Self.fewestPoolDimensions && given == nil
    if usesPool { preparePool(draws) }
    return usesPool ? room : Self.count
  }

  private func preparePool(_ draws: CollisionDraws) {
    guard poolKey?.key != draws.shared.key || poolKey?.step != draws.address.step else { return }
    poolKey = (draws.shared.key, draws.address.step)
    for index in 0..<Self.count {
      let vector = vectors.pointer + 2 &* index &* length
      let at = RandomStream.Address(step: draws.address.step, item: UInt32(index))
      lengths.pointer[index] = draws.shared.fillNormals(
        UnsafeMutableBufferPointer(start: vector, count: dimensions), at: at).squareRoot()
      (vector + dimensions).update(from: vector, count: dimensions)
    }
  }

  /// Begins with some pairs of the sample, the first a multiple of what `prepare` has returned.
  func begin(_ ordinals: Range<Int>, _ draws: CollisionDraws) {
    first = ordinals.lowerBound
    guard usesPool else { return }
    for group in ordinals.lowerBound / Self.group...(ordinals.upperBound - 1) / Self.group {
      var at = draws.address
      at.item = UInt32(truncatingIfNeeded: group)
      let place = words.pointer + (group - ordinals.lowerBound / Self.group) * wordsOfGroup
      draws.stream.fillWords(UnsafeMutableBufferPointer(start: place, count: wordsOfGroup), at: at)
    }
  }

  /// The vector of an accepted pair of the sample, valid until other pairs begin.
  ///
  /// - Parameters:
  ///   - ordinal: the pair's number among the accepted ones.
  ///   - item: its number among all pairs of the sample.
  @inline(__always)
  func choose(_ ordinal: Int, _ item: Int, _ draws: CollisionDraws, for partner: inout Partner) {
    guard usesPool else { return draw(ordinal, item, draws, for: &partner) }
    let place = ordinal &- first
    let start = place / Self.group &* wordsOfGroup &+ place % Self.group &* wordsOfPair
    let own = words.pointer + start
    let index = Int(own[0]) & (Self.count &- 1)
    let turn = Int(truncatingIfNeeded: (UInt64(own[1]) &* UInt64(dimensions)) >> 32)
    partner.vector = Int32(truncatingIfNeeded: 2 &* index &* length &+ turn)
    partner.signs = Int32(truncatingIfNeeded: start &+ 2)
    partner.length = lengths.pointer[index]
  }

  /// No vector, for sweeps in which it counts nothing.
  func chooseNone(for partner: inout Partner) {
    partner.vector = 0
    partner.signs = Int32(truncatingIfNeeded: words.count &- length / 32)
    partner.length = 1
  }

  private func draw(_ ordinal: Int, _ item: Int, _ draws: CollisionDraws, for partner: inout Partner) {
    chooseNone(for: &partner)
    partner.vector = Int32(truncatingIfNeeded: 2 &* (ordinal &- first) &* length)
    let vector = vectors.pointer + Int(partner.vector)
    if let given {
      poolKey = nil
      for lane in 0..<dimensions { vector[lane] = given[ordinal][lane] }
      partner.length = Float(sumOfSquares(vector, count: dimensions).squareRoot())
    } else {
      partner.length = draws.direction(item, vector, count: dimensions)
    }
  }

  /// The unit vector that `partner` was given.
  func direction(of partner: Partner) -> [Float] {
    (0..<dimensions).map { lane in
      let bit = words.pointer[Int(partner.signs) + lane / 32] &>> UInt32(lane % 32) & 1
      let value = vectors.pointer[Int(partner.vector) + lane] / partner.length
      return bit == 0 ? value : -value
    }
  }
}
