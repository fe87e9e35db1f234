import KitiCore
import XCTest

/// Eigenvalues and eigenvectors by their definition.
final class SymmetricEigenvectorsTests: XCTestCase {
  private func check(_ matrix: [Double], size: Int, _ name: String) {
    let (values, vectors) = symmetricEigenvectors(matrix, size: size)
    XCTAssertEqual(values, values.sorted(by: >), name)
    XCTAssertEqual(vectors.count, size, name)
    let scale = matrix.map(abs).max() ?? 0
    for (index, (value, vector)) in zip(values, vectors).enumerated() {
      for row in 0..<size {
        let product = (0..<size).reduce(0) { $0 + matrix[row * size + $1] * vector[$1] }
        XCTAssertEqual(product, value * vector[row], accuracy: 1e-13 * Double(size) * scale, "\(name), row \(row)")
      }
      for (other, second) in vectors.enumerated() {
        let product = zip(vector, second).reduce(0) { $0 + $1.0 * $1.1 }
        let expected = index == other ? 1.0 : 0
        XCTAssertEqual(product, expected, accuracy: 1e-13 * Double(size), "\(name), \(index) and \(other)")
      }
    }
  }

  func testRandomMatrices() {
    var numbers = TestNumbers(21)
    for size in [0, 1, 2, 3, 7, 12, 27] {
      var matrix = [Double](repeating: 0, count: size * size)
      for row in 0..<size {
        for column in row..<size {
          matrix[row * size + column] = numbers.normal()
          matrix[column * size + row] = matrix[row * size + column]
        }
      }
      check(matrix, size: size, "size \(size)")
      check(matrix.map { $0 * 1e-150 }, size: size, "size \(size), tiny")
    }
  }

  func testEqualEigenvaluesAndMatricesWithoutFullRank() {
    check([3, 0, 0, 0, 3, 0, 0, 0, 3], size: 3, "a multiple of the identity")
    check([Double](repeating: 1, count: 36), size: 6, "ones")
    check([Double](repeating: 0, count: 16), size: 4, "zeros")
    check([0, 1, 1, 0], size: 2, "equal diagonal")
  }

  func testWhatIsNotANumberEnds() {
    let values = symmetricEigenvectors([Double](repeating: .nan, count: 9), size: 3).values
    XCTAssertTrue(values.allSatisfy(\.isNaN))
  }
}
