import KitiCore
import XCTest

/// Permutations: valid at every length, and each as likely as any other.
final class PermutationTests: XCTestCase {
  private func permutation(_ count: Int, step: Int) -> [UInt32] {
    let stream = RandomStream(seed: 5, stream: 0, domain: .order)
    var order = [UInt32](repeating: .max, count: count)
    var words = [UInt32](repeating: 0, count: count)
    order.withUnsafeMutableBufferPointer { order in
      words.withUnsafeMutableBufferPointer { words in
        Permutation.fill(order, words: words, from: stream, at: .init(step: UInt32(step)))
      }
    }
    return order
  }

  func testEveryNumberAppearsOnce() {
    for count in [0, 1, 2, 3, 7, 8, 31, 32, 33, 100, 1_001] {
      for step in 0..<5 {
        XCTAssertEqual(permutation(count, step: step).sorted(), (0..<count).map { UInt32($0) }, "length \(count)")
      }
    }
  }

  func testPermutationsOfFourAreUniform() {
    let draws = 240_000
    var counts: [[UInt32]: Int] = [:]
    for step in 0..<draws { counts[permutation(4, step: step), default: 0] += 1 }
    XCTAssertEqual(counts.count, 24)
    let expected = [Double](repeating: Double(draws) / 24, count: 24)
    XCTAssertLessThan(
      Statistics.chiSquare(Array(counts.values), expected: expected), Statistics.chiSquareLimit(degrees: 23))
  }

  func testEveryElementIsAsLikelyAtEveryPlace() {
    let (count, draws) = (33, 50_000)
    var cells = [Int](repeating: 0, count: count * count)
    for step in 0..<draws {
      for (place, element) in permutation(count, step: step).enumerated() { cells[place * count + Int(element)] += 1 }
    }
    let expected = [Double](repeating: Double(draws) / Double(count), count: count * count)
    // Rows and columns have fixed sums: (n − 1)² degrees of freedom, and a slightly larger scale than free cells.
    let scale = Double(count - 1) / Double(count)
    XCTAssertLessThan(
      Statistics.chiSquare(cells, expected: expected) * scale,
      Statistics.chiSquareLimit(degrees: (count - 1) * (count - 1)))
  }
}
