import KitiCore
import XCTest

/// Matrix products and transposes against plain loops in double precision.
final class MatrixProductTests: XCTestCase {
  private enum Start: CaseIterable { case zero, accumulate, bias }

  /// One product with random strides; fails if an element is further from the exact result than k + 3 roundings
  /// allow, or if anything outside C changed.
  private func check(
    _ m: Int, _ n: Int, _ k: Int, transposedA: Bool, transposedB: Bool, start: Start, scale: Float,
    _ numbers: inout TestNumbers
  ) {
    let aRowStride = (transposedA ? m : k) + Int.random(in: 0...3, using: &numbers)
    let bRowStride = (transposedB ? k : n) + Int.random(in: 0...3, using: &numbers)
    let cRowStride = n + Int.random(in: 0...3, using: &numbers)
    let a = numbers.floats(max(m, k, 1) * (aRowStride + 1))
    let b = numbers.floats(max(n, k, 1) * (bRowStride + 1))
    let bias = numbers.floats(n)
    let before = numbers.floats(max(0, (m - 1) * cRowStride + n))
    let c = GuardedArray(before)
    let (left, right) = (GuardedArray(a), GuardedArray(b))
    let matrixA = Matrix(left.pointer, rowStride: aRowStride)
    let matrixB = Matrix(right.pointer, rowStride: bRowStride)
    bias.withUnsafeBufferPointer { bias in
      let productStart: ProductStart =
        switch start {
        case .zero: .zero
        case .accumulate: .accumulate
        case .bias: .bias(bias.baseAddress ?? UnsafePointer(c.pointer))
        }
      multiply(
        m, n, k, transposedA ? matrixA.transposed : matrixA, transposedB ? matrixB.transposed : matrixB,
        into: c.pointer, rowStride: cRowStride, start: productStart, scale: scale)
    }
    let what = "\(m)×\(n)×\(k), transposed A \(transposedA), B \(transposedB), \(start), scale \(scale)"
    XCTAssertTrue(c.guardsHold, "wrote outside C: \(what)")
    for i in 0..<m {
      for j in 0..<cRowStride where i * cRowStride + j < before.count {
        let value = Double(c.pointer[i * cRowStride + j])
        guard j < n else {
          if value != Double(before[i * cRowStride + j]) { return XCTFail("wrote between the rows of C: \(what)") }
          continue
        }
        var sum = 0.0
        var magnitude = 0.0
        for p in 0..<k {
          let x = Double(transposedA ? a[p * aRowStride + i] : a[i * aRowStride + p])
          let y = Double(transposedB ? b[j * bRowStride + p] : b[p * bRowStride + j])
          sum += x * y
          magnitude += abs(x * y)
        }
        let initial: Double =
          switch start {
          case .zero: 0
          case .accumulate: Double(before[i * cRowStride + j])
          case .bias: Double(bias[j])
          }
        let expected = initial + Double(scale) * sum
        let bound = Double(k + 3) * 0x1p-24 * (abs(initial) + abs(Double(scale)) * magnitude)
        if !(abs(value - expected) <= bound) { return XCTFail("(\(i), \(j)) is \(value), not \(expected): \(what)") }
      }
    }
  }

  func testProductsOfManyShapes() {
    let sizes = [0, 1, 2, 3, 5, 6, 7, 8, 9, 13, 16, 17, 31, 33, 64, 65]
    var numbers = TestNumbers(1)
    var turn = 0
    for m in sizes {
      for n in sizes {
        for k in sizes {
          // Every shape in two of the twelve forms, which change from shape to shape.
          for _ in 0..<2 {
            turn += 1
            check(
              m, n, k, transposedA: turn % 2 == 0, transposedB: turn / 2 % 2 == 0, start: Start.allCases[turn % 3],
              scale: turn % 5 == 0 ? -0.75 : 1, &numbers)
          }
        }
      }
    }
  }

  func testEveryFormOfSomeShapes() {
    var numbers = TestNumbers(2)
    for (m, n, k) in [(7, 19, 11), (1, 1, 1), (12, 8, 128), (64, 64, 300), (3, 130, 257), (128, 7, 129)] {
      for transposedA in [false, true] {
        for transposedB in [false, true] {
          for start in Start.allCases {
            for scale: Float in [1, -1, 0, 2.5] {
              check(m, n, k, transposedA: transposedA, transposedB: transposedB, start: start, scale: scale, &numbers)
            }
          }
        }
      }
    }
  }

  func testNonFiniteNumbersReachTheirRowsAndColumnsOnly() {
    for (n, transposedB) in [(19, false), (5, false), (19, true)] {
      let (m, k) = (9, 13)
      let a = GuardedArray(count: m * k, repeating: 1)
      let b = GuardedArray(count: k * n, repeating: 1)
      a.pointer[4 * k + 6] = .nan
      b.pointer[transposedB ? 2 * k + 3 : 3 * n + 2] = .infinity
      let c = GuardedArray(count: m * n)
      let matrixB = Matrix(b.pointer, rowStride: transposedB ? k : n)
      multiply(
        m, n, k, Matrix(a.pointer, rowStride: k), transposedB ? matrixB.transposed : matrixB, into: c.pointer,
        rowStride: n)
      for i in 0..<m {
        for j in 0..<n {
          let value = c.pointer[i * n + j]
          if i == 4 {
            XCTAssertTrue(value.isNaN, "NaN is lost at (\(i), \(j))")
          } else {
            XCTAssertEqual(value, j == 2 ? .infinity : Float(k))
          }
        }
      }
    }
  }

  func testTransposeMovesEveryElement() {
    for rows in [0, 1, 2, 7, 8, 9, 17, 64] {
      for columns in [0, 1, 3, 8, 15, 33] {
        for gap in [0, 5] {
          let (inputStride, outputStride) = (columns + gap, rows + gap)
          let input = GuardedArray((0..<rows * inputStride).map(Float.init))
          let output = GuardedArray(count: columns * outputStride, repeating: -1)
          transpose(
            rows, columns, input.pointer, into: output.pointer, inputStride: gap == 0 ? nil : inputStride,
            rowStride: gap == 0 ? nil : outputStride)
          XCTAssertTrue(output.guardsHold)
          for j in 0..<columns {
            for i in 0..<outputStride {
              XCTAssertEqual(output.pointer[j * outputStride + i], i < rows ? Float(i * inputStride + j) : -1)
            }
          }
        }
      }
    }
  }
}
