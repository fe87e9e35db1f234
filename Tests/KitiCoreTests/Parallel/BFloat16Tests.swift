import KitiCore
import XCTest

/// The kernels of compressed sums against plain loops.
final class BFloat16Tests: XCTestCase {
  private let counts = [16, 32, 48, 1_024, 1_040, 2_064]

  /// To nearest, ties to even, by comparing with both neighbours in double precision.
  private func nearest(_ x: Float) -> Float {
    if x.isNaN { return x }
    let below = Float(bitPattern: x.bitPattern & 0xFFFF_0000)
    let above = Float(bitPattern: (x.bitPattern & 0xFFFF_0000) &+ 0x1_0000)
    let (low, high) = (abs(Double(x) - Double(below)), abs(Double(above) - Double(x)))
    if above.isInfinite { return low < Double(below.ulp) * 0x1p15 ? below : above }
    if low != high { return low < high ? below : above }
    return below.bitPattern & 0x1_0000 == 0 ? below : above
  }

  func testRoundingIsToNearestAndTheResidualIsWhatItTakes() {
    var numbers = TestNumbers(3)
    for count in counts {
      var x = (0..<count).map { _ in Float(numbers.normal() * exp2(Double(Int(numbers.uniform() * 60)) - 30)) }
      x[0] = 1 + 0x1p-8  // a tie, down to even
      x[1] = 1 + 0x3p-8  // a tie, up to even
      x[2] = -0.0
      x[3] = Float.leastNonzeroMagnitude
      let start = numbers.normals(count, scale: 1e-3)
      let (values, rest, decoded) = (AlignedBuffer<Float>(count: count), AlignedBuffer<Float>(count: count), GuardedArray(count: count))
      let halves = AlignedBuffer<UInt16>(count: count)
      for index in 0..<count { (values.pointer[index], rest.pointer[index]) = (x[index], index < 4 ? 0 : start[index]) }
      encodeBFloat16(values.pointer, feedback: rest.pointer, count: count, into: halves.pointer, decoded: decoded.pointer)
      let again = GuardedArray(count: count)
      decodeBFloat16(halves.pointer, count: count, into: again.pointer)
      for index in 0..<count {
        let value = x[index] + (index < 4 ? 0 : start[index])
        XCTAssertEqual(decoded.values[index].bitPattern, nearest(value).bitPattern, "\(value) at \(index) of \(count)")
        XCTAssertEqual(rest.pointer[index], value - nearest(value))
      }
      XCTAssertEqual(again.values, decoded.values)
      XCTAssertTrue(again.guardsHold && decoded.guardsHold)
    }
  }

  func testNumbersOutOfRangeLeaveNothingBehind() {
    let special: [Float] = [.nan, .infinity, -.infinity, .greatestFiniteMagnitude, -.greatestFiniteMagnitude]
    let (values, rest) = (AlignedBuffer<Float>(count: 16), AlignedBuffer<Float>(count: 16))
    let (halves, decoded) = (AlignedBuffer<UInt16>(count: 16), AlignedBuffer<Float>(count: 16))
    for (index, value) in special.enumerated() { values.pointer[index] = value }
    values.pointer[5] = Float(bitPattern: 0x7FFF_FFFF)
    encodeBFloat16(values.pointer, feedback: rest.pointer, count: 16, into: halves.pointer, decoded: decoded.pointer)
    XCTAssertTrue(decoded.pointer[0].isNaN && decoded.pointer[5].isNaN)
    XCTAssertEqual(Array(decoded.buffer[1..<5]), [.infinity, -.infinity, .infinity, -.infinity])
    XCTAssertEqual(Array(rest.buffer), [Float](repeating: 0, count: 16))
  }

  /// Neighbours, then neighbouring pairs, and so on.
  private func tree(_ values: [Float]) -> Float {
    var level = values
    while level.count > 1 {
      level = stride(from: 0, to: level.count, by: 2).map { $0 + 1 < level.count ? level[$0] + level[$0 + 1] : level[$0] }
    }
    return level[0]
  }

  func testRanksAreSummedInTheOrderOfABalancedTree() {
    var numbers = TestNumbers(4)
    for ranks in Array(1...9) + [16, 31] {
      let sum = RankTreeSum(ranks: ranks)
      for count in counts {
        let arrays = (0..<ranks).map { _ in numbers.normals(count) }
        let target = GuardedArray(count: count)
        sum(ranks: ranks, count: count, into: target.pointer) { rank, offset, count, sum, isFirst in
          for index in 0..<count { sum[index] = (isFirst ? 0 : sum[index]) + arrays[rank][offset + index] }
        }
        XCTAssertEqual(target.values, (0..<count).map { index in tree(arrays.map { $0[index] }) }, "\(ranks) ranks")
        XCTAssertTrue(target.guardsHold)
      }
    }
  }

  func testMoveAddsAndClears() {
    var numbers = TestNumbers(5)
    for count in counts {
      let (x, y) = (numbers.normals(count), numbers.normals(count))
      let (left, right) = (GuardedArray(x), GuardedArray(y))
      moveInto(left.pointer, from: right.pointer, count: count)
      XCTAssertEqual(left.values, zip(x, y).map { $0 + $1 })
      XCTAssertEqual(right.values, [Float](repeating: 0, count: count))
      XCTAssertTrue(left.guardsHold && right.guardsHold)
    }
  }
}
