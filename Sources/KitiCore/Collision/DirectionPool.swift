/// Directions for the many collisions of one sample with `dense`, in many dimensions, where a fresh normal vector for each
/// pair would take most of a training step.
///
/// A sample has a few random normal vectors. A pair takes one of them, turned round by a random number of coordinates, with
/// d random signs: a uniformly random direction, uncorrelated with that of any other pair (signs are independent), though
/// not independent of it, since magnitudes are shared. It takes d random bits in place of d normal numbers, and is a pure
/// function of the same counters, with the pair's number among the accepted ones as its item. In few dimensions, and with few pairs, each pair draws its own normal vector.
final class DirectionPool {
  /// With fewer coordinates a pair draws its own normal vector.
  static let fewestDimensions = 64
  /// A power of two.
  static let count = 32
  /// Pairs whose random words are drawn together.
  private static let group = 16

  private let dimensions: Int
  /// Each vector twice in a row, so that a turned one is contiguous.
  private let vectors: AlignedBuffer<Float>
  private let lengths: AlignedBuffer<Float>
  private let words: AlignedBuffer<UInt32>
  private let laneShifts: VectorWord
  /// One word each for the vector and the turn, then the signs.
  private let wordsOfPair: Int
  /// The group whose words are there.
  private var current = -1

  init(dimensions: Int) {
    self.dimensions = dimensions
    vectors = AlignedBuffer(count: Self.count * 2 * dimensions)
    lengths = AlignedBuffer(count: Self.count)
    wordsOfPair = 2 + (dimensions + 31) / 32
    words = AlignedBuffer(count: (Self.group * wordsOfPair + 63) / 64 * 64)
    var shifts = VectorWord(repeating: 0)
    for lane in 0..<width { shifts[lane] = UInt32(31 - lane) }
    laneShifts = shifts
  }

  var workspaceBytes: Int { vectors.byteCount + lengths.byteCount + words.byteCount }

  /// Draws the vectors of a sample.
  func prepare(_ draws: CollisionDraws) {
    current = -1
    for index in 0..<Self.count {
      let vector = vectors.pointer + 2 &* index &* dimensions
      lengths.pointer[index] = draws.direction(Int(UInt32.max) - 2 - index, vector, count: dimensions)
      (vector + dimensions).update(from: vector, count: dimensions)
    }
  }

  /// Fills `normal` with the vector of an accepted pair of the sample that was prepared last, and returns its length.
  ///
  /// - Parameter ordinal: the pair's number among the accepted ones.
  func direction(_ ordinal: Int, _ normal: UnsafeMutablePointer<Float>, _ draws: CollisionDraws) -> Float {
    if ordinal / Self.group != current {
      current = ordinal / Self.group
      var at = draws.address
      at.item = UInt32(truncatingIfNeeded: current)
      draws.stream.fillWords(words.buffer, at: at)
    }
    let own = words.pointer + ordinal % Self.group &* wordsOfPair
    let index = Int(own[0]) & (Self.count &- 1)
    let turn = Int(truncatingIfNeeded: (UInt64(own[1]) &* UInt64(dimensions)) >> 32)
    let vector = vectors.pointer + (2 &* index &* dimensions &+ turn)
    let signs = own + 2
    var c = 0
    while c &+ width <= dimensions {
      // Bit l of the lowest `width` bits moves to the sign of lane l.
      let bits = VectorWord(repeating: signs[c / 32] &>> UInt32(truncatingIfNeeded: c % 32))
      let flips = (bits &<< laneShifts) & 0x8000_0000
      store(unsafeBitCast(unsafeBitCast(load(vector + c), to: VectorWord.self) ^ flips, to: Vector.self), normal + c)
      c &+= width
    }
    while c < dimensions {
      normal[c] = signs[c / 32] &>> UInt32(truncatingIfNeeded: c % 32) & 1 == 0 ? vector[c] : -vector[c]
      c &+= 1
    }
    return lengths.pointer[index]
  }
}
