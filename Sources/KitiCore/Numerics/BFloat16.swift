// bfloat16: the upper half of a Float, so sign, 8 bits of exponent and 7 of mantissa; its bits are kept in a UInt16.

#if KITI_AVX512
  private typealias VectorHalf = SIMD16<UInt16>
#else
  private typealias VectorHalf = SIMD8<UInt16>
#endif

/// Rounds to nearest, ties to even; a NaN stays one.
@inline(__always)
private func rounded(_ x: Vector) -> VectorWord {
  let bits = unsafeBitCast(x, to: VectorWord.self)
  let upper = (bits &+ 0x7FFF &+ ((bits &>> 16) & 1)) &>> 16
  return upper.replacing(with: 0x7FC0, where: x .!= x)
}

@inline(__always)
private func widened(_ upper: VectorWord) -> Vector { unsafeBitCast(upper &<< 16, to: Vector.self) }

@inline(__always)
private func load(_ pointer: UnsafePointer<UInt16>) -> Vector {
  widened(VectorWord(truncatingIfNeeded: UnsafeRawPointer(pointer).loadUnaligned(as: VectorHalf.self)))
}

/// Rounds x + residual to bfloat16 and keeps what is lost as the new residual: error feedback (Karimireddy et al.,
/// arXiv 1901.09847, algorithm 2). In one pass.
///
/// A value beyond the range of bfloat16 becomes infinite; it and a NaN leave a residual of 0, so that nothing of them
/// is left for the next step.
///
/// - Parameters:
///   - count: a multiple of 16.
///   - rest: overwritten.
///   - decoded: receives what the rounded numbers stand for; may be `x`. Nil where nobody needs it.
package func encodeBFloat16(
  _ x: UnsafePointer<Float>, feedback rest: UnsafeMutablePointer<Float>, count: Int,
  into halves: UnsafeMutablePointer<UInt16>, decoded: UnsafeMutablePointer<Float>?
) {
  var at = 0
  while at < count {
    let value = load(x + at) + load(rest + at)
    let upper = rounded(value)
    let sent = widened(upper)
    let lost = value - sent
    // Infinity minus itself is no number, and no number is equal to 0.
    store(lost.replacing(with: 0, where: (lost - lost) .!= 0), rest + at)
    UnsafeMutableRawPointer(halves + at).storeBytes(of: VectorHalf(truncatingIfNeeded: upper), as: VectorHalf.self)
    if let decoded { store(sent, decoded + at) }
    at &+= width
  }
}

/// - Parameter count: a multiple of 16.
package func decodeBFloat16(_ halves: UnsafePointer<UInt16>, count: Int, into x: UnsafeMutablePointer<Float>) {
  var at = 0
  while at < count {
    store(load(halves + at), x + at)
    at &+= width
  }
}

/// x += y, y = 0.
///
/// - Parameter count: a multiple of 16.
package func moveInto(_ x: UnsafeMutablePointer<Float>, from y: UnsafeMutablePointer<Float>, count: Int) {
  var at = 0
  while at < count {
    store(load(x + at) + load(y + at), x + at)
    store(Vector(repeating: 0), y + at)
    at &+= width
  }
}

/// Sums arrays of several ranks element by element, in an order that depends on the number of ranks only.
///
/// The order is that of a balanced binary tree over the ranks: neighbours first, then neighbouring pairs, and so on.
/// With it the sum over 2N ranks is the sum over N ranks of sums of two.
package struct RankTreeSum {
  private static let block = 1_024
  /// Partial sums of 1, 2, 4 … ranks, a block each.
  private let partial: AlignedBuffer<Float>

  /// - Parameter ranks: the most that are summed.
  package init(ranks: Int) {
    let levels = Int.bitWidth - ranks.leadingZeroBitCount + 1
    partial = AlignedBuffer(count: levels * Self.block)
  }

  /// - Parameters:
  ///   - ranks: how many arrays there are.
  ///   - count: of each array, a multiple of 16.
  ///   - target: receives the sums; may be one of the arrays.
  ///   - add: `add(rank, offset, count, sum, isFirst)` adds a piece of a rank's array to `sum`, or stores it there.
  package func callAsFunction(
    ranks: Int, count: Int, into target: UnsafeMutablePointer<Float>,
    add: (_ rank: Int, _ offset: Int, _ count: Int, _ sum: UnsafeMutablePointer<Float>, _ isFirst: Bool) -> Void
  ) {
    let base = partial.pointer
    var offset = 0
    while offset < count {
      let length = min(Self.block, count &- offset)
      // As a binary counter adds one: level l holds a sum of 2^l ranks where bit l of the ranks so far is set.
      var rank = 0
      var height = 0
      while rank < ranks {
        let top = base + height &* Self.block
        add(rank, offset, length, top, true)
        if rank &+ 1 < ranks { add(rank &+ 1, offset, length, top, false) }
        height &+= 1
        rank &+= 2
        var pairs = rank >> 1
        while pairs & 1 == 0 && rank <= ranks {
          height &-= 1
          Self.addBlock(base + height &* Self.block, to: base + (height &- 1) &* Self.block, length)
          pairs >>= 1
        }
      }
      while height > 1 {
        height &-= 1
        Self.addBlock(base + height &* Self.block, to: base + (height &- 1) &* Self.block, length)
      }
      target.advanced(by: offset).update(from: base, count: length)
      offset &+= length
    }
  }

  @inline(__always)
  private static func addBlock(
    _ x: UnsafeMutablePointer<Float>, to sum: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var at = 0
    while at < count {
      store(load(sum + at) + load(x + at), sum + at)
      at &+= width
    }
  }
}

/// sum = x, or sum += x: a piece of a `RankTreeSum`.
///
/// - Parameter count: a multiple of 16.
@inline(__always)
func accumulate(_ x: UnsafePointer<Float>, count: Int, in sum: UnsafeMutablePointer<Float>, isFirst: Bool) {
  if isFirst { return sum.update(from: x, count: count) }
  var at = 0
  while at < count {
    store(load(sum + at) + load(x + at), sum + at)
    at &+= width
  }
}

/// The same for bfloat16.
@inline(__always)
func accumulate(_ x: UnsafePointer<UInt16>, count: Int, in sum: UnsafeMutablePointer<Float>, isFirst: Bool) {
  if isFirst { return decodeBFloat16(x, count: count, into: sum) }
  var at = 0
  while at < count {
    store(load(sum + at) + load(x + at), sum + at)
    at &+= width
  }
}
