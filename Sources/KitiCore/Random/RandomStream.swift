import Glibc

/// What a stream of random numbers is used for; part of its key, so that no two uses share numbers.
public enum RandomDomain: UInt32, Sendable {
  case initialization = 1
  case collision = 2
  case order = 3
  case dataSet = 4
  case gas = 5
  case augmentation = 6
  case dropout = 7
}

/// A family of random numbers, each a pure function of (seed, stream, domain, index) and of four counters.
///
/// The key is itself one Philox block of (seed; stream, domain, index). A draw is then addressed by
/// `(step, sample, item)` and its lane within the item. Lanes come in groups of 64: word w of block 16g + l
/// is lane 64g + 16w + l, on every processor.
public struct RandomStream: Sendable {
  public let key: SIMD2<UInt32>

  /// - Parameters:
  ///   - seed: the run's seed.
  ///   - stream: the rank, or the sample's index in the data set.
  ///   - domain: what the numbers are for.
  ///   - index: the layer, parameter or epoch within the domain.
  public init(seed: UInt64, stream: UInt64, domain: RandomDomain, index: UInt32 = 0) {
    let block = Philox.block(
      counter: SIMD4(
        UInt32(truncatingIfNeeded: stream), UInt32(truncatingIfNeeded: stream >> 32), domain.rawValue, index),
      key: SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
    key = SIMD2(block.x, block.y)
  }

  /// Where draws are taken: three of the counter's words; the fourth counts blocks.
  public struct Address: Sendable {
    public var step: UInt32
    public var sample: UInt32
    public var item: UInt32

    public init(step: UInt32 = 0, sample: UInt32 = 0, item: UInt32 = 0) {
      self.step = step
      self.sample = sample
      self.item = item
    }
  }

  /// Fills `output` with uniform 32-bit words.
  public func fillWords(_ output: UnsafeMutableBufferPointer<UInt32>, at address: Address) {
    fill(output, at: address) { $0 }
  }

  /// Fills `output` with uniform numbers in [0, 1), multiples of 2⁻²³.
  public func fillUniforms(_ output: UnsafeMutableBufferPointer<Float>, at address: Address) {
    fill(output, at: address) { mantissa($0) - 1 }
  }

  /// Fills `output` with standard normal numbers (Box and Muller, 1958) and returns the sum of their squares.
  ///
  /// 23-bit uniforms bound their magnitude by 5.7.
  @discardableResult
  public func fillNormals(_ output: UnsafeMutableBufferPointer<Float>, at address: Address) -> Float {
    guard let base = output.baseAddress else { return 0 }
    // The words first, and in a second sweep what becomes of them: both are long chains, of which the processor works on
    // more at once if they are not entwined.
    let whole = output.count / 64 &* 64
    var squares: InlineArray<4, Vector> = .init(repeating: Vector(repeating: 0))
    for first in stride(from: 0, to: whole, by: Self.sweep) {
      let last = min(first &+ Self.sweep, whole)
      for group in stride(from: first, to: last, by: 64) {
        drawGroup(group / 64, address) { place, words in
          UnsafeMutableRawPointer(base + (group &+ place)).storeBytes(of: words, as: VectorWord.self)
        }
      }
      for group in stride(from: first, to: last, by: 64) {
        for place in stride(from: 0, to: 16, by: width) {
          let lanes = base + (group &+ place)
          let words = UnsafeRawPointer(lanes)
          @inline(__always) func word(_ index: Int) -> VectorWord {
            (words + 64 &* index).loadUnaligned(as: VectorWord.self)
          }
          let (n0, n1) = normalPair(word(0), word(1))
          let (n2, n3) = normalPair(word(2), word(3))
          store(n0, lanes)
          store(n1, lanes + 16)
          store(n2, lanes + 32)
          store(n3, lanes + 48)
          squares[0].addProduct(n0, n0)
          squares[1].addProduct(n1, n1)
          squares[2].addProduct(n2, n2)
          squares[3].addProduct(n3, n3)
        }
      }
    }
    var sum = laneSum((squares[0] + squares[1]) + (squares[2] + squares[3]))
    fillRest(output, at: address) { words in
      let (n0, n1) = normalPair(words.0, words.1)
      let (n2, n3) = normalPair(words.2, words.3)
      return (n0, n1, n2, n3)
    }
    for lane in whole..<output.count { sum.addProduct(base[lane], base[lane]) }
    return sum
  }

  /// So many words at a time stay in the first-level cache.
  private static var sweep: Int { 1_024 }

  /// One uniform number in [0, 1) with 53 bits, lane `lane` of the address.
  public func uniform(at address: Address, lane: UInt32) -> Double {
    let block = Philox.block(counter: SIMD4(lane, address.item, address.sample, address.step), key: key)
    return Double((UInt64(block.x) << 32 | UInt64(block.y)) >> 11) * 0x1p-53
  }

  /// Standard normal numbers in double precision, two from each block of the address.
  public func fillNormals(_ output: UnsafeMutableBufferPointer<Double>, at address: Address) {
    for index in stride(from: 0, to: output.count, by: 2) {
      let block = Philox.block(
        counter: SIMD4(UInt32(truncatingIfNeeded: index / 2), address.item, address.sample, address.step), key: key)
      let first = (Double((UInt64(block.x) << 32 | UInt64(block.y)) >> 11) + 1) * 0x1p-53
      let second = Double((UInt64(block.z) << 32 | UInt64(block.w)) >> 11) * 0x1p-53
      let radius = (-2 * log(first)).squareRoot()
      output[index] = radius * cos(2 * .pi * second)
      if index + 1 < output.count { output[index + 1] = radius * sin(2 * .pi * second) }
    }
  }

  private typealias Words = (VectorWord, VectorWord, VectorWord, VectorWord)

  /// Draws the words of the lanes from 64 · `group` on and calls `body` with the place of each vector among them.
  @inline(__always)
  private func drawGroup(_ group: Int, _ address: Address, _ body: (_ place: Int, _ words: VectorWord) -> Void) {
    // One pass on processors with vectors of sixteen, two on those with eight.
    for first in stride(from: 0, to: 16, by: width) {
      let words = draw(16 &* group &+ first, address)
      body(first, words.0)
      body(first &+ 16, words.1)
      body(first &+ 32, words.2)
      body(first &+ 48, words.3)
    }
  }

  @inline(__always)
  private func draw(_ block: Int, _ address: Address) -> Words {
    Philox.blocks(
      first: UInt32(truncatingIfNeeded: block), address.item, address.sample, address.step, key: key)
  }

  /// Draws words and stores what `make` turns them into, in the order of lanes.
  @inline(__always)
  private func fill<V: SIMD>(
    _ output: UnsafeMutableBufferPointer<V.Scalar>, at address: Address, _ make: (VectorWord) -> V
  ) {
    guard let base = output.baseAddress else { return }
    for group in 0..<output.count / 64 {
      drawGroup(group, address) { place, words in
        UnsafeMutableRawPointer(base + (64 &* group &+ place)).storeBytes(of: make(words), as: V.self)
      }
    }
    fillRest(output, at: address) { (make($0.0), make($0.1), make($0.2), make($0.3)) }
  }

  /// The lanes behind the last whole group of 64.
  @inline(__always)
  private func fillRest<V: SIMD>(
    _ output: UnsafeMutableBufferPointer<V.Scalar>, at address: Address, _ make: (Words) -> (V, V, V, V)
  ) {
    guard let base = output.baseAddress else { return }
    let whole = output.count / 64
    let rest = output.count &- 64 &* whole
    guard rest > 0 else { return }
    for first in stride(from: 0, to: 16, by: V.scalarCount) {
      let lanes = make(draw(16 &* whole &+ first, address))
      for lane in 0..<V.scalarCount {
        if first &+ lane < rest { base[64 &* whole &+ first &+ lane] = lanes.0[lane] }
        if 16 &+ first &+ lane < rest { base[64 &* whole &+ 16 &+ first &+ lane] = lanes.1[lane] }
        if 32 &+ first &+ lane < rest { base[64 &* whole &+ 32 &+ first &+ lane] = lanes.2[lane] }
        if 48 &+ first &+ lane < rest { base[64 &* whole &+ 48 &+ first &+ lane] = lanes.3[lane] }
      }
    }
  }
}

/// Uniform in [1, 2): the top 23 bits become the mantissa.
@inline(__always)
private func mantissa(_ words: VectorWord) -> Vector {
  unsafeBitCast((words &>> 9) | 0x3F80_0000, to: Vector.self)
}

/// Two vectors of standard normals from two vectors of words.
@inline(__always)
private func normalPair(_ first: VectorWord, _ second: VectorWord) -> (Vector, Vector) {
  let positive = 2 - mantissa(first)  // in (0, 1]: the logarithm stays finite
  let radius = squareRoot(logarithm(positive) * -2)
  let (sine, cosine) = sineCosine(turns: mantissa(second) - 1.5)
  return (radius * cosine, radius * sine)
}
