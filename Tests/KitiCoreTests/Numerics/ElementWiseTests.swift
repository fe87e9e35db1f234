import Foundation
import KitiCore
import XCTest

/// Element-wise passes at counts that leave a rest of less than a vector.
final class ElementWiseTests: XCTestCase {
  private let counts = [0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 100, 4_095, 4_096, 4_097, 9_001]

  private func gelu(_ x: Double) -> (value: Double, derivative: Double) {
    let distribution = Statistics.normalDistribution(x)
    return (x * distribution, distribution + x * exp(-x * x / 2) / (2 * .pi).squareRoot())
  }

  func testActivationsAndDerivatives() {
    var numbers = TestNumbers(7)
    for kind in ActivationKind.allCases {
      for count in counts {
        for withOther in [false, true] {
          for withDerivative in [false, true] {
            let x = GuardedArray(numbers.floats(count, scale: 4))
            let y = GuardedArray(numbers.floats(count, scale: 4))
            let output = GuardedArray(count: count)
            let derivative = GuardedArray(count: count, repeating: 9)
            activate(
              kind, x.pointer, plus: withOther ? UnsafePointer(y.pointer) : nil, scale: -0.3, count: count,
              into: output.pointer, derivative: withDerivative ? derivative.pointer : nil)
            XCTAssertTrue(output.guardsHold && derivative.guardsHold, "\(kind), \(count) numbers")
            let exact = zip(x.values, y.values).map { x, y -> (value: Double, derivative: Double) in
              // The sum in fp32, as the kernel has it: a derivative may jump.
              let sum = Double(withOther ? x.addingProduct(-0.3, y) : x)
              return kind == .gelu ? gelu(sum) : (max(sum, 0), sum > 0 ? 1 : 0)
            }
            assertClose(output.values, exact.map(\.value), within: 1e-6, "\(kind)")
            assertClose(
              derivative.values, withDerivative ? exact.map(\.derivative) : x.values.map { _ in 9 }, within: 1e-6,
              "derivative of \(kind)")
          }
        }
      }
    }
  }

  func testActivationsMayWorkInPlace() {
    for kind in ActivationKind.allCases {
      let x = GuardedArray((0..<19).map { Float($0) - 9 })
      let apart = GuardedArray(count: 19)
      activate(kind, x.pointer, plus: nil, scale: 0, count: 19, into: apart.pointer, derivative: nil)
      activate(kind, x.pointer, plus: nil, scale: 0, count: 19, into: x.pointer, derivative: nil)
      XCTAssertEqual(x.values, apart.values)
    }
  }

  func testReLUOfSpecialNumbers() {
    let x = GuardedArray([0, -0.0, .infinity, -.infinity, .nan, 0x1p-149, -0x1p-149, 3, -3])
    let output = GuardedArray(count: 9)
    let derivative = GuardedArray(count: 9)
    activate(.relu, x.pointer, plus: nil, scale: 0, count: 9, into: output.pointer, derivative: derivative.pointer)
    let expected: [Float] = [0, 0, .infinity, 0, .nan, 0x1p-149, 0, 3, 0]
    for (value, expected) in zip(output.values, expected) where !expected.isNaN { XCTAssertEqual(value, expected) }
    XCTAssertTrue(output.values[4].isNaN)
    XCTAssertEqual(Array(derivative.values[..<4]), [0, 0, 1, 0])
    XCTAssertEqual(Array(derivative.values[5...]), [1, 0, 1, 0])
  }

  func testGELUOfSpecialNumbers() {
    let x = GuardedArray([0, -0.0, .infinity, .nan, 1e30, -1e30, 30, -30])
    let output = GuardedArray(count: 8)
    let derivative = GuardedArray(count: 8)
    activate(.gelu, x.pointer, plus: nil, scale: 0, count: 8, into: output.pointer, derivative: derivative.pointer)
    XCTAssertEqual(Array(output.values[..<3]), [0, 0, .infinity])
    XCTAssertTrue(output.values[3].isNaN && derivative.values[3].isNaN)
    XCTAssertEqual(output.values[4], 1e30)
    XCTAssertEqual(output.values[5], 0, accuracy: 1e-6)
    XCTAssertEqual(output.values[6], 30)
    XCTAssertEqual(output.values[7], 0, accuracy: 1e-30)
    for (value, expected) in zip(derivative.values[4...], [1, 0, 1, 0] as [Float]) {
      XCTAssertEqual(value, expected, accuracy: 1e-7)
    }
  }

  func testSumsProductsAndScaling() {
    var numbers = TestNumbers(8)
    for count in counts {
      let (a, b) = (numbers.floats(count), numbers.floats(count))
      let (x, y) = (GuardedArray(a), GuardedArray(b))
      let output = GuardedArray(count: count)
      add(x.pointer, y.pointer, scale: 0.7, count: count, into: output.pointer)
      let exact = zip(a, b).map { Double($0) + Double(0.7 as Float) * Double($1) }
      assertClose(output.values, exact, within: 1.2e-7, "add")
      multiplyElements(x.pointer, by: y.pointer, count: count, into: output.pointer)
      XCTAssertEqual(output.values, zip(a, b).map { $0 * $1 })
      rescale(x.pointer, by: -1.5, count: count)
      XCTAssertEqual(x.values, a.map { $0 * -1.5 })
      XCTAssertTrue(output.guardsHold && x.guardsHold, "\(count) numbers")
    }
  }

  func testColumnSumsAreAdded() {
    var numbers = TestNumbers(9)
    for rows in [0, 1, 2, 5, 33] {
      for columns in [0, 1, 3, 7, 8, 9, 31, 32, 33, 40, 64, 71, 100] {
        let x = GuardedArray(numbers.floats(rows * columns))
        let before = numbers.floats(columns)
        let sums = GuardedArray(before)
        addColumnSums(x.pointer, rows: rows, columns: columns, to: sums.pointer)
        let exact = (0..<columns).map { column in
          (0..<rows).reduce(Double(before[column])) { $0 + Double(x.pointer[$1 * columns + column]) }
        }
        assertClose(sums.values, exact, within: 5e-7, "\(rows) × \(columns)")
        XCTAssertTrue(sums.guardsHold, "\(rows) × \(columns)")
      }
    }
  }

  func testSumOfSquares() {
    var numbers = TestNumbers(10)
    for count in counts + [100_003] {
      let x = GuardedArray(numbers.normals(count))
      let exact = x.values.reduce(0) { $0 + Double($1) * Double($1) }
      XCTAssertEqual(sumOfSquares(x.pointer, count: count), exact, accuracy: 5e-7 * exact, "\(count) numbers")
    }
    let x = GuardedArray(count: 37, repeating: 1)
    x.pointer[36] = .nan
    XCTAssertTrue(sumOfSquares(x.pointer, count: 37).isNaN)
    x.pointer[36] = .infinity
    XCTAssertEqual(sumOfSquares(x.pointer, count: 37), .infinity)
  }
}
