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

  /// The words of consecutive blocks, one vector for each of the four words of a block: lane i belongs to the block whose
  /// first counter word is `first + i`.
  ///
  /// The 32-bit words travel in 64-bit lanes, where the processor has the widening product that a round needs;
  /// even and odd blocks ride in two vectors, which one shift and one or merge at the end.
  @inline(__always)
  static func blocks(
    first: UInt32, _ c1: UInt32, _ c2: UInt32, _ c3: UInt32, key: SIMD2<UInt32>
  ) -> (VectorWord, VectorWord, VectorWord, VectorWord) {
    typealias Lanes = VectorLong
    let mask = Lanes(repeating: 0xFFFF_FFFF)
    let m0 = Lanes(repeating: UInt64(multiplier0))
    let m1 = Lanes(repeating: UInt64(multiplier1))
    var even = Lanes(repeating: UInt64(first))
    for lane in 0..<Lanes.scalarCount { even[lane] = even[lane] &+ UInt64(2 &* lane) }
    var a0 = even & mask
    var b0 = (even &+ 1) & mask
    var a1 = Lanes(repeating: UInt64(c1))
    var a2 = Lanes(repeating: UInt64(c2))
    var a3 = Lanes(repeating: UInt64(c3))
    var b1 = a1
    var b2 = a2
    var b3 = a3
    var k0 = key.x
    var k1 = key.y
    for _ in 0..<10 {
      let key0 = Lanes(repeating: UInt64(k0))
      let key1 = Lanes(repeating: UInt64(k1))
      let p0 = a0 &* m0
      let p1 = a2 &* m1
      let q0 = b0 &* m0
      let q1 = b2 &* m1
      a0 = (p1 &>> 32) ^ a1 ^ key0
      a1 = p1 & mask
      a2 = (p0 &>> 32) ^ a3 ^ key1
      a3 = p0 & mask
      b0 = (q1 &>> 32) ^ b1 ^ key0
      b1 = q1 & mask
      b2 = (q0 &>> 32) ^ b3 ^ key1
      b3 = q0 & mask
      k0 = k0 &+ weyl0
      k1 = k1 &+ weyl1
    }
    @inline(__always) func merged(_ even: Lanes, _ odd: Lanes) -> VectorWord {
      unsafeBitCast(even | (odd &<< 32), to: VectorWord.self)
    }
    return (merged(a0, b0), merged(a1, b1), merged(a2, b2), merged(a3, b3))
  }
}
