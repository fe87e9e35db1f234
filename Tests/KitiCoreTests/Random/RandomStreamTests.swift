import Foundation
import KitiCore
import XCTest

/// Uniform and normal numbers: distribution, independence of streams and addresses.
final class RandomStreamTests: XCTestCase {
  private let stream = RandomStream(seed: 42, stream: 1, domain: .collision, index: 2)

  private func uniforms(_ count: Int, _ stream: RandomStream, _ at: RandomStream.Address = .init()) -> [Float] {
    var numbers = [Float](repeating: .nan, count: count)
    numbers.withUnsafeMutableBufferPointer { stream.fillUniforms($0, at: at) }
    return numbers
  }

  private func normals(
    _ count: Int, _ stream: RandomStream, _ at: RandomStream.Address = .init()
  ) -> (numbers: [Float], squares: Float) {
    var numbers = [Float](repeating: .nan, count: count)
    let squares = numbers.withUnsafeMutableBufferPointer { stream.fillNormals($0, at: at) }
    return (numbers, squares)
  }

  func testUniformsLieInTheUnitIntervalOnItsGrid() {
    for number in uniforms(100_003, stream) {
      XCTAssertTrue(number >= 0 && number < 1)
      XCTAssertEqual((number * 0x1p23).rounded(), number * 0x1p23)
    }
  }

  func testUniformsAreUniform() {
    let count = 1 << 20
    let numbers = uniforms(count, stream)
    var cells = [Int](repeating: 0, count: 1_000)
    for number in numbers { cells[Int(number * 1_000)] += 1 }
    let expected = [Double](repeating: Double(count) / 1_000, count: 1_000)
    XCTAssertLessThan(Statistics.chiSquare(cells, expected: expected), Statistics.chiSquareLimit(degrees: 999))
    // Moments of the uniform distribution: 1/2 with variance 1/12; the square 1/3 with variance 4/45.
    let n = Double(count)
    let mean = numbers.reduce(0) { $0 + Double($1) } / n
    let square = numbers.reduce(0) { $0 + Double($1) * Double($1) } / n
    XCTAssertEqual(mean, 0.5, accuracy: Statistics.standardErrors * (1 / (12 * n)).squareRoot())
    XCTAssertEqual(square, 1.0 / 3, accuracy: Statistics.standardErrors * (4 / (45 * n)).squareRoot())
  }

  func testPairsOfConsecutiveUniformsAreUniformInTheSquare() {
    let count = 1 << 20
    let numbers = uniforms(count, stream, .init(step: 1))
    for distance in [1, 16, 64] {
      var cells = [Int](repeating: 0, count: 32 * 32)
      // Disjoint pairs, so that the cells are independent.
      for index in 0..<count where index / distance % 2 == 0 && index + distance < count {
        cells[Int(numbers[index] * 32) * 32 + Int(numbers[index + distance] * 32)] += 1
      }
      let pairs = Double(cells.reduce(0, +))
      let expected = [Double](repeating: pairs / 1_024, count: 1_024)
      XCTAssertLessThan(
        Statistics.chiSquare(cells, expected: expected), Statistics.chiSquareLimit(degrees: 1_023),
        "lanes \(distance) apart")
    }
  }

  func testNormalsAreNormal() {
    let count = 1 << 20
    let (numbers, _) = normals(count, stream)
    let n = Double(count)
    // Standard errors of the first four moments: variances of x, x², x³, x⁴ are 1, 2, 15, 96.
    for (power, expected, variance) in [(1, 0.0, 1.0), (2, 1, 2), (3, 0, 15), (4, 3, 96)] {
      let moment = numbers.reduce(0) { $0 + pow(Double($1), Double(power)) } / n
      XCTAssertEqual(
        moment, expected, accuracy: Statistics.standardErrors * (variance / n).squareRoot(), "moment \(power)")
    }
    XCTAssertLessThan(
      Statistics.kolmogorovDistance(numbers, distribution: Statistics.normalDistribution),
      Statistics.kolmogorovLimit(count: count))
    XCTAssertLessThan(numbers.map(abs).max()!, 5.7)
  }

  func testPairedNormalsAreUncorrelatedAlsoInTheirSquares() {
    let (numbers, _) = normals(1 << 20, stream, .init(step: 2))
    for distance in [1, 16, 32] {
      var product = 0.0
      var squares = 0.0
      var count = 0.0
      for index in 0..<numbers.count - distance where index / distance % 2 == 0 {
        let (a, b) = (Double(numbers[index]), Double(numbers[index + distance]))
        product += a * b
        squares += (a * a - 1) * (b * b - 1)
        count += 1
      }
      XCTAssertEqual(product / count, 0, accuracy: Statistics.standardErrors / count.squareRoot())
      XCTAssertEqual(squares / count, 0, accuracy: 2 * Statistics.standardErrors / count.squareRoot())
    }
  }

  func testNormalsReturnTheSumOfTheirSquaresAtAnyLength() {
    for count in [0, 1, 5, 8, 31, 32, 33, 64, 65, 95, 129, 1_000] {
      let (numbers, squares) = normals(count, stream)
      let exact = numbers.reduce(0) { $0 + Double($1) * Double($1) }
      XCTAssertEqual(Double(squares), exact, accuracy: 1e-6 * max(exact, 1), "\(count) numbers")
    }
  }

  func testShorterFillsAreThePrefixOfLongerOnes() {
    let all = normals(200, stream).numbers
    for count in [1, 9, 33, 65, 150] { XCTAssertEqual(normals(count, stream).numbers, Array(all[..<count])) }
  }

  func testDoublePrecisionUniformsAndNormals() {
    var numbers = [Double](repeating: .nan, count: 100_001)
    numbers.withUnsafeMutableBufferPointer { stream.fillNormals($0, at: .init(step: 4)) }
    XCTAssertLessThan(
      Statistics.kolmogorovDistance(numbers.map { Float($0) }, distribution: Statistics.normalDistribution),
      Statistics.kolmogorovLimit(count: numbers.count))
    let uniforms = (0..<100_000).map { Float(stream.uniform(at: .init(step: 5), lane: UInt32($0))) }
    XCTAssertLessThan(
      Statistics.kolmogorovDistance(uniforms, distribution: { min(max($0, 0), 1) }),
      Statistics.kolmogorovLimit(count: uniforms.count))
  }

  func testStreamsAndAddressesShareNothing() {
    var seen: [UInt64: String] = [:]
    func check(
      _ name: String, _ stream: RandomStream, _ at: RandomStream.Address = .init(step: 1, sample: 1, item: 1)
    ) {
      var words = [UInt32](repeating: 0, count: 512)
      words.withUnsafeMutableBufferPointer { stream.fillWords($0, at: at) }
      for pair in 0..<256 {
        // 64-bit words: a chance repetition among 10⁴ has odds of 3e-12.
        let word = UInt64(words[2 * pair]) << 32 | UInt64(words[2 * pair + 1])
        if let other = seen[word] { XCTFail("\(name) repeats a number of \(other)") }
        seen[word] = name
      }
    }
    check("base", RandomStream(seed: 1, stream: 0, domain: .collision, index: 0))
    check("seed", RandomStream(seed: 2, stream: 0, domain: .collision, index: 0))
    check("seed's high half", RandomStream(seed: 1 << 32 | 1, stream: 0, domain: .collision, index: 0))
    for rank in 1...8 { check("stream", RandomStream(seed: 1, stream: UInt64(rank), domain: .collision, index: 0)) }
    check("stream's high half", RandomStream(seed: 1, stream: 1 << 32, domain: .collision, index: 0))
    for domain in [RandomDomain.initialization, .order, .dataSet] {
      check("domain", RandomStream(seed: 1, stream: 0, domain: domain, index: 0))
    }
    for index: UInt32 in [1, 2, 0x8000_0000] {
      check("index", RandomStream(seed: 1, stream: 0, domain: .collision, index: index))
    }
    let base = RandomStream(seed: 1, stream: 0, domain: .collision, index: 0)
    check("step", base, .init(step: 2, sample: 1, item: 1))
    check("sample", base, .init(step: 1, sample: 2, item: 1))
    check("item", base, .init(step: 1, sample: 1, item: 2))
    check("last item", base, .init(step: 1, sample: 1, item: .max))
  }
}
