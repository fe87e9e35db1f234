import Foundation
import KitiCore

/// Reproducible numbers for tests, from another generator than the one under test (SplitMix64).
struct TestNumbers: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: Int) { state = UInt64(bitPattern: Int64(seed)) &* 0x2545_F491_4F6C_DD1D &+ 1 }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// In [0, 1).
  mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  mutating func normal() -> Double {
    let radius = (-2 * log(1 - uniform())).squareRoot()
    return radius * cos(2 * .pi * uniform())
  }

  mutating func floats(_ count: Int, scale: Float = 1) -> [Float] {
    (0..<count).map { _ in scale * Float(2 * uniform() - 1) }
  }

  mutating func normals(_ count: Int, scale: Float = 1) -> [Float] {
    (0..<count).map { _ in scale * Float(normal()) }
  }
}

/// An array whose ends are watched: a kernel that writes outside changes a guard.
///
/// It starts at an address that is aligned for a Float and nothing more, unless told.
final class GuardedArray {
  private static let guardCount = 32
  private static let sentinel: Float = -7.25e20
  private let memory: UnsafeMutablePointer<Float>
  private let total: Int
  let count: Int
  let pointer: UnsafeMutablePointer<Float>

  init(_ values: [Float], misalignment: Int = 1) {
    count = values.count
    total = 2 * GuardedArray.guardCount + misalignment + values.count
    memory = .allocate(capacity: total)
    memory.initialize(repeating: GuardedArray.sentinel, count: total)
    pointer = memory + GuardedArray.guardCount + misalignment
    values.withUnsafeBufferPointer { if count > 0 { pointer.update(from: $0.baseAddress!, count: count) } }
  }

  convenience init(count: Int, repeating value: Float = .nan) {
    self.init([Float](repeating: value, count: count))
  }

  deinit { memory.deallocate() }

  var values: [Float] { Array(UnsafeBufferPointer(start: pointer, count: count)) }

  var guardsHold: Bool {
    (0..<total).allSatisfy { index in
      let isInside = memory + index >= pointer && memory + index < pointer + count
      return isInside || memory[index] == GuardedArray.sentinel
    }
  }
}

extension Array where Element == Float {
  var doubles: [Double] { map(Double.init) }
}
