import Glibc

/// What a stream of random numbers is used for; part of its key, so that no two uses share numbers.
public enum RandomDomain: UInt32, Sendable {
  case initialization = 1
  case collision = 2
  case order = 3
  case dataSet = 4
}

/// A family of random numbers, each a pure function of (seed, stream, domain, index) and of four counters.
///
/// The key is itself one Philox block of (seed; stream, domain, index). A draw is then addressed by
/// `(step, sample, item)` and its lane within the item. Lanes come in groups of 32: word w of block 8g + l
/// is lane 32g + 8w + l.
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

  @inline(__always)
  private func words(_ group: Int, _ at: Address) -> (SIMD8<UInt32>, SIMD8<UInt32>, SIMD8<UInt32>, SIMD8<UInt32>) {
    Philox.eightBlocks(first: UInt32(truncatingIfNeeded: group &* 8), at.item, at.sample, at.step, key: key)
  }

  /// Fills `output` with uniform 32-bit words.
  public func fillWords(_ output: UnsafeMutableBufferPointer<UInt32>, at address: Address) {
    forEachGroup(output) { group, _ in words(group, address) }
  }

  /// Fills `output` with uniform numbers in [0, 1), multiples of 2⁻²³.
  public func fillUniforms(_ output: UnsafeMutableBufferPointer<Float>, at address: Address) {
    forEachGroup(output) { group, _ in
      let w = words(group, address)
      return (unitInterval(w.0), unitInterval(w.1), unitInterval(w.2), unitInterval(w.3))
    }
  }

  /// Fills `output` with standard normal numbers (Box and Muller, 1958) and returns the sum of their squares.
  ///
  /// 23-bit uniforms bound their magnitude by 5.7.
  @discardableResult
  public func fillNormals(_ output: UnsafeMutableBufferPointer<Float>, at address: Address) -> Float {
    var squares = SIMD8<Float>(repeating: 0)
    forEachGroup(output) { group, count in
      let w = words(group, address)
      let (n0, n1) = normalPair(w.0, w.1)
      let (n2, n3) = normalPair(w.2, w.3)
      if count == 32 { squares += n0 * n0 + n1 * n1 + (n2 * n2 + n3 * n3) }
      return (n0, n1, n2, n3)
    }
    var sum = squares.sum()
    for lane in (output.count & ~31)..<output.count { sum += output[lane] * output[lane] }
    return sum
  }

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

  @inline(__always)
  private func forEachGroup<Lane: SIMD>(
    _ output: UnsafeMutableBufferPointer<Lane.Scalar>, _ make: (_ group: Int, _ count: Int) -> (Lane, Lane, Lane, Lane)
  ) {
    let whole = output.count / 32
    guard var target = output.baseAddress.map({ UnsafeMutableRawPointer($0) }) else { return }
    let size = MemoryLayout<Lane>.size
    for group in 0..<whole {
      let lanes = make(group, 32)
      target.storeBytes(of: lanes.0, as: Lane.self)
      (target + size).storeBytes(of: lanes.1, as: Lane.self)
      (target + 2 &* size).storeBytes(of: lanes.2, as: Lane.self)
      (target + 3 &* size).storeBytes(of: lanes.3, as: Lane.self)
      target += 4 &* size
    }
    let rest = output.count - whole * 32
    if rest > 0 {
      let lanes = make(whole, rest)
      for index in 0..<rest {
        let value =
          switch index / 8 {
          case 0: lanes.0[index % 8]
          case 1: lanes.1[index % 8]
          case 2: lanes.2[index % 8]
          default: lanes.3[index % 8]
          }
        output[whole * 32 + index] = value
      }
    }
  }
}

/// Uniform in [0, 1): the top 23 bits become the mantissa of a number in [1, 2).
@inline(__always)
private func unitInterval(_ words: SIMD8<UInt32>) -> SIMD8<Float> {
  unsafeBitCast((words &>> 9) | 0x3F80_0000, to: SIMD8<Float>.self) - 1
}

/// Two vectors of standard normals from two vectors of words.
@inline(__always)
private func normalPair(_ first: SIMD8<UInt32>, _ second: SIMD8<UInt32>) -> (SIMD8<Float>, SIMD8<Float>) {
  let positive = 1 - unitInterval(first)  // in (0, 1]: the logarithm stays finite
  let radius = (logarithm(positive) * -2).squareRoot()
  let (sine, cosine) = sineCosine(turns: unitInterval(second) - 0.5)
  return (radius * cosine, radius * sine)
}
