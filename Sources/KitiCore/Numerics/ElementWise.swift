import Glibc

/// The functions that a layer may apply to every number.
public enum ActivationKind: String, Sendable, CaseIterable {
  /// x·Φ(x) with the exact normal distribution (Hendrycks and Gimpel, arXiv 1606.08415, §2).
  case gelu
  /// max(x, 0)
  case relu
}

/// The kernel of an activation: value and derivative of a vector of numbers.
private protocol ActivationFunction {
  static func apply(_ x: Vector) -> (value: Vector, derivative: Vector)
}

private enum GELU: ActivationFunction {
  @inline(__always)
  static func apply(_ x: Vector) -> (value: Vector, derivative: Vector) {
    let normal = normalDistribution(x)
    return (x * normal.distribution, normal.distribution.addingProduct(x, normal.density))
  }
}

private enum ReLU: ActivationFunction {
  @inline(__always)
  static func apply(_ x: Vector) -> (value: Vector, derivative: Vector) {
    // Written so that NaN passes through.
    (x.replacing(with: 0, where: x .< 0), Vector(repeating: 1).replacing(with: 0, where: x .<= 0))
  }
}

/// Calls `body(offset, lanes)` for vectors over `count` numbers; the last may have fewer lanes.
@inline(__always)
private func forEachVector(_ count: Int, _ body: (_ offset: Int, _ lanes: Int) -> Void) {
  var offset = 0
  while offset &+ width <= count {
    body(offset, width)
    offset &+= width
  }
  if offset < count { body(offset, count &- offset) }
}

/// output = f(x + scale·y) in one pass, and the derivative of f there, which the backward pass multiplies with.
///
/// - Parameters:
///   - y: nil stands for zero.
///   - derivative: nil where no backward pass follows.
package func activate(
  _ kind: ActivationKind, _ x: UnsafePointer<Float>, plus y: UnsafePointer<Float>?, scale: Float, count: Int,
  into output: UnsafeMutablePointer<Float>, derivative: UnsafeMutablePointer<Float>?
) {
  switch kind {
  case .gelu: sweep(GELU.self, x, y, scale, count, output, derivative)
  case .relu: sweep(ReLU.self, x, y, scale, count, output, derivative)
  }
}

@inline(__always)
private func sweep<Function: ActivationFunction>(
  _: Function.Type, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>?, _ scale: Float, _ count: Int,
  _ output: UnsafeMutablePointer<Float>, _ derivative: UnsafeMutablePointer<Float>?
) {
  forEachVector(count) { offset, lanes in
    var value = load(x + offset, lanes: lanes)
    if let y { value.addProduct(Vector(repeating: scale), load(y + offset, lanes: lanes)) }
    let result = Function.apply(value)
    store(result.value, output + offset, lanes: lanes)
    if let derivative { store(result.derivative, derivative + offset, lanes: lanes) }
  }
}

/// output = x + scale·y.
package func add(
  _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, scale: Float, count: Int,
  into output: UnsafeMutablePointer<Float>
) {
  forEachVector(count) { offset, lanes in
    let value = load(x + offset, lanes: lanes)
      .addingProduct(Vector(repeating: scale), load(y + offset, lanes: lanes))
    store(value, output + offset, lanes: lanes)
  }
}

/// output = factor · x, element by element.
package func multiplyElements(
  _ x: UnsafePointer<Float>, by factor: UnsafePointer<Float>, count: Int, into output: UnsafeMutablePointer<Float>
) {
  forEachVector(count) { offset, lanes in
    store(load(x + offset, lanes: lanes) * load(factor + offset, lanes: lanes), output + offset, lanes: lanes)
  }
}

/// x = scale · x.
package func rescale(_ x: UnsafeMutablePointer<Float>, by scale: Float, count: Int) {
  forEachVector(count) { offset, lanes in
    store(load(x + offset, lanes: lanes) * scale, x + offset, lanes: lanes)
  }
}

/// sums `[columns]` += the sum over rows of x `[rows, columns]`.
package func addColumnSums(
  _ x: UnsafePointer<Float>, rows: Int, columns: Int, to sums: UnsafeMutablePointer<Float>
) {
  var column = 0
  while column &+ 4 &* width <= columns {
    var s = (Vector(repeating: 0), Vector(repeating: 0), Vector(repeating: 0), Vector(repeating: 0))
    var source = x + column
    for _ in 0..<rows {
      s.0 += load(source)
      s.1 += load(source + width)
      s.2 += load(source + 2 &* width)
      s.3 += load(source + 3 &* width)
      source += columns
    }
    let target = sums + column
    store(load(target) + s.0, target)
    store(load(target + width) + s.1, target + width)
    store(load(target + 2 &* width) + s.2, target + 2 &* width)
    store(load(target + 3 &* width) + s.3, target + 3 &* width)
    column &+= 4 &* width
  }
  while column < columns {
    let lanes = min(width, columns &- column)
    var sum = Vector(repeating: 0)
    var source = x + column
    for _ in 0..<rows {
      sum += load(source, lanes: lanes)
      source += columns
    }
    store(load(sums + column, lanes: lanes) + sum, sums + column, lanes: lanes)
    column &+= lanes
  }
}

/// The sum of squares, in double precision across blocks of 4,096 numbers.
package func sumOfSquares(_ x: UnsafePointer<Float>, count: Int) -> Double {
  var total = 0.0
  var first = 0
  while first < count {
    let length = min(4_096, count - first)
    var sum = Vector(repeating: 0)
    forEachVector(length) { offset, lanes in
      let value = load(x + (first &+ offset), lanes: lanes)
      sum.addProduct(value, value)
    }
    total += Double(sum.sum())
    first += length
  }
  return total
}
