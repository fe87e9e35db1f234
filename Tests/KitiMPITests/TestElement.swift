import KitiMPI
import XCTest

/// The element types with arithmetic to compute what an operation should give.
protocol TestElement: MPIElement, Comparable, Numeric {}
extension Float: TestElement {}
extension Double: TestElement {}
extension Int8: TestElement {}
extension Int16: TestElement {}
extension Int32: TestElement {}
extension Int64: TestElement {}
extension Int: TestElement {}
extension UInt8: TestElement {}
extension UInt16: TestElement {}
extension UInt32: TestElement {}
extension UInt64: TestElement {}
extension UInt: TestElement {}

let everyElementType: [any TestElement.Type] = [
  Float.self, Double.self, Int8.self, Int16.self, Int32.self, Int64.self, Int.self, UInt8.self, UInt16.self,
  UInt32.self, UInt64.self, UInt.self,
]

/// Small numbers that differ by rank and place, so that a mixed-up block shows.
func sample<T: TestElement>(_ count: Int, rank: Int) -> [T] {
  (0..<count).map { T(exactly: 1 + (3 * rank + $0) % 10)! }
}

/// What a reduction over the ranks should give: `sample` of each, combined place by place.
func reduced<T: TestElement>(_ count: Int, ranks: Range<Int>, _ combine: (T, T) -> T) -> [T] {
  (0..<count).map { place in
    let values: [T] = ranks.map { sample(count, rank: $0)[place] }
    return values.dropFirst().reduce(values[0], combine)
  }
}

extension Array where Element: TestElement {
  /// A buffer operation on a copy of the array, which it returns.
  func changed(_ body: (UnsafeMutableBufferPointer<Element>) throws -> Void) rethrows -> [Element] {
    var copy = self
    try copy.withUnsafeMutableBufferPointer { try body($0) }
    return copy
  }
}
