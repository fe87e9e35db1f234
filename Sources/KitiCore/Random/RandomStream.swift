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
    fill(output, at: address) { _, _ in }
  }

  /// Fills `output` with uniform numbers in [0, 1), multiples of 2⁻²³.
  public func fillUniforms(_ output: UnsafeMutableBufferPointer<Float>, at address: Address) {
    fill(output, at: address) { numbers, count in
      for place in stride(from: 0, to: count, by: width) { store(mantissa(numbers + place) - 1, numbers + place) }
    }
  }

  /// Fills `output` with standard normal numbers (Box and Muller, 1958) and returns the sum of their squares.
  ///
  /// 23-bit uniforms bound their magnitude by 5.7.
  @discardableResult
  public func fillNormals(_ output: UnsafeMutableBufferPointer<Float>, at address: Address) -> Float {
    guard let base = output.baseAddress else { return 0 }
    fill(output, at: address, Self.makeNormals)
    let whole = output.count / 64 &* 64
    var squares = (Vector(repeating: 0), Vector(repeating: 0), Vector(repeating: 0), Vector(repeating: 0))
    for group in stride(from: 0, to: whole, by: 64) {
      for place in stride(from: group, to: group &+ 16, by: width) {
        let numbers = base + place
        squares.0.addProduct(load(numbers), load(numbers))
        squares.1.addProduct(load(numbers + 16), load(numbers + 16))
        squares.2.addProduct(load(numbers + 32), load(numbers + 32))
        squares.3.addProduct(load(numbers + 48), load(numbers + 48))
      }
    }
    var sum = laneSum((squares.0 + squares.1) + (squares.2 + squares.3))
    for lane in whole..<output.count { sum.addProduct(base[lane], base[lane]) }
    return sum
  }

  /// Turns whole groups of words into normal numbers: the first and third sixteen give radii, the others angles.
  ///
  /// Each step is a chain of operations that wait for each other. In a sweep of its own it is short enough for the
  /// processor to work on several at once.
  @inline(__always)
  private static func makeNormals(_ numbers: UnsafeMutablePointer<Float>, count: Int) {
    forEachRadius(numbers, count) { radius in
      let positive = 2 - mantissa(radius)  // in (0, 1]: the logarithm stays finite
      store(logarithm(positive) * -2, radius)
    }
    forEachRadius(numbers, count) { radius in store(squareRoot(load(radius)), radius) }
    forEachRadius(numbers, count) { radius in
      let (length, angle) = (load(radius), radius + 16)
      let (sine, cosine) = sineCosine(turns: mantissa(angle) - 1.5)
      store(length * cosine, radius)
      store(length * sine, angle)
    }
  }

  /// The first and third sixteen numbers of every group of 64, vector by vector.
  @inline(__always)
  private static func forEachRadius(
    _ numbers: UnsafeMutablePointer<Float>, _ count: Int, _ body: (_ radius: UnsafeMutablePointer<Float>) -> Void
  ) {
    for group in stride(from: 0, to: count, by: 64) {
      for place in stride(from: group, to: group &+ 16, by: width) {
        body(numbers + place)
        body(numbers + (place &+ 32))
      }
    }
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

  /// Draws words in whole groups of 64 and lets `make` turn them into what is asked for, where they lie.
  @inline(__always)
  private func fill<Number: BitwiseCopyable>(
    _ output: UnsafeMutableBufferPointer<Number>, at address: Address,
    _ make: (_ numbers: UnsafeMutablePointer<Number>, _ count: Int) -> Void
  ) {
    guard let base = output.baseAddress else { return }
    let whole = output.count / 64 &* 64
    for first in stride(from: 0, to: whole, by: Self.sweep) {
      let last = min(first &+ Self.sweep, whole)
      for lane in stride(from: first, to: last, by: 64) { drawGroup(lane / 64, address, into: base + lane) }
      make(base + first, last &- first)
    }
    guard whole < output.count else { return }
    withUnsafeTemporaryAllocation(of: Number.self, capacity: 64) { group in
      let numbers = group.baseAddress!
      drawGroup(whole / 64, address, into: numbers)
      make(numbers, 64)
      (base + whole).update(from: numbers, count: output.count &- whole)
    }
  }

  /// Draws the words of the lanes from 64 · `group` on.
  @inline(__always)
  private func drawGroup(_ group: Int, _ address: Address, into place: UnsafeMutableRawPointer) {
    let words = Philox.blocks(
      first: UInt32(truncatingIfNeeded: 16 &* group), address.item, address.sample, address.step, key: key)
    place.storeBytes(of: words.0, as: SIMD16<UInt32>.self)
    (place + 64).storeBytes(of: words.1, as: SIMD16<UInt32>.self)
    (place + 128).storeBytes(of: words.2, as: SIMD16<UInt32>.self)
    (place + 192).storeBytes(of: words.3, as: SIMD16<UInt32>.self)
  }
}

/// Uniform in [1, 2): the top 23 bits of each word become the mantissa.
@inline(__always)
private func mantissa(_ words: UnsafeMutablePointer<Float>) -> Vector {
  let bits = UnsafeRawPointer(words).loadUnaligned(as: VectorWord.self)
  return unsafeBitCast((bits &>> 9) | 0x3F80_0000, to: Vector.self)
}
