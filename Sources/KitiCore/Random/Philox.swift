/// The counter-based generator Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11).
///
/// A block is a pure function of a 128-bit counter and a 64-bit key: nothing has to be stored to go on after a
/// checkpoint, and any draw can be made again in the backward pass.
public enum Philox {
  static let multiplier0: UInt32 = 0xD251_1F53
  static let multiplier1: UInt32 = 0xCD9E_8D57
  static let weyl0: UInt32 = 0x9E37_79B9
  static let weyl1: UInt32 = 0xBB67_AE85

  /// Four random words for one counter.
  public static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var c = counter
    var k0 = key.x
    var k1 = key.y
    for _ in 0..<10 {
      let p0 = UInt64(multiplier0) &* UInt64(c.x)
      let p1 = UInt64(multiplier1) &* UInt64(c.z)
      c = SIMD4(
        UInt32(truncatingIfNeeded: p1 >> 32) ^ c.y ^ k0, UInt32(truncatingIfNeeded: p1),
        UInt32(truncatingIfNeeded: p0 >> 32) ^ c.w ^ k1, UInt32(truncatingIfNeeded: p0))
      k0 = k0 &+ weyl0
      k1 = k1 &+ weyl1
    }
    return c
  }

  /// The words of sixteen consecutive blocks, one vector for each of the four words of a block: lane i belongs to the block
  /// whose first counter word is `first + i`.
  ///
  /// The 32-bit words travel in 64-bit lanes, where the processor has the widening product that a round needs;
  /// even and odd blocks ride in two vectors, which one shift and one or merge at the end. Where a register holds half of
  /// the blocks, the compiler makes two instructions of each: every round waits for its own products, and so there is
  /// other work meanwhile.
  @inline(__always)
  static func blocks(
    first: UInt32, _ c1: UInt32, _ c2: UInt32, _ c3: UInt32, key: SIMD2<UInt32>
  ) -> (SIMD16<UInt32>, SIMD16<UInt32>, SIMD16<UInt32>, SIMD16<UInt32>) {
    let counter = Long(repeating: UInt64(first)) &+ Long(0, 2, 4, 6, 8, 10, 12, 14)
    let rest = (Long(repeating: UInt64(c1)), Long(repeating: UInt64(c2)), Long(repeating: UInt64(c3)))
    var even = Lanes(w0: counter, w1: rest.0, w2: rest.1, w3: rest.2)
    var odd = Lanes(w0: counter &+ 1, w1: rest.0, w2: rest.1, w3: rest.2)
    // Written out: a loop would keep the words in memory.
    both(&even, &odd, 0, key)
    both(&even, &odd, 1, key)
    both(&even, &odd, 2, key)
    both(&even, &odd, 3, key)
    both(&even, &odd, 4, key)
    both(&even, &odd, 5, key)
    both(&even, &odd, 6, key)
    both(&even, &odd, 7, key)
    both(&even, &odd, 8, key)
    both(&even, &odd, 9, key)
    @inline(__always) func merged(_ even: Long, _ odd: Long) -> SIMD16<UInt32> {
      unsafeBitCast((even & Long(repeating: 0xFFFF_FFFF)) | (odd &<< 32), to: SIMD16<UInt32>.self)
    }
    return (merged(even.w0, odd.w0), merged(even.w1, odd.w1), merged(even.w2, odd.w2), merged(even.w3, odd.w3))
  }

  private typealias Long = SIMD8<UInt64>

  /// The four words of some blocks, each in the lower half of a 64-bit lane; the upper half may be anything.
  private struct Lanes {
    var w0: Long
    var w1: Long
    var w2: Long
    var w3: Long

    @inline(__always)
    mutating func round(_ key0: Long, _ key1: Long) {
      let p0 = wideningProduct(w0, Long(repeating: UInt64(multiplier0)))
      let p1 = wideningProduct(w2, Long(repeating: UInt64(multiplier1)))
      w0 = (p1 &>> 32) ^ w1 ^ key0
      w1 = p1
      w2 = (p0 &>> 32) ^ w3 ^ key1
      w3 = p0
    }
  }

  @inline(__always)
  private static func both(_ even: inout Lanes, _ odd: inout Lanes, _ round: UInt32, _ key: SIMD2<UInt32>) {
    let key0 = Long(repeating: UInt64(key.x &+ weyl0 &* round))
    let key1 = Long(repeating: UInt64(key.y &+ weyl1 &* round))
    even.round(key0, key1)
    odd.round(key0, key1)
  }
}
