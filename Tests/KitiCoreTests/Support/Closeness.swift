import XCTest

/// The largest difference, relative to the largest magnitude of the reference or of what it is a sum of (absolute if
/// both are zero).
///
/// Infinite if one side has a NaN or infinity that the other has not.
func relativeError(_ values: [Float], _ reference: [Double], magnitude: Double = 0) -> Double {
  guard values.count == reference.count else { return .infinity }
  var largest = magnitude
  var difference = 0.0
  for (value, expected) in zip(values, reference) {
    if value.isNaN && expected.isNaN || Double(value) == expected { continue }
    let distance = abs(Double(value) - expected)
    guard distance.isFinite else { return .infinity }
    difference = max(difference, distance)
    if expected.isFinite { largest = max(largest, abs(expected)) }
  }
  for expected in reference where expected.isFinite { largest = max(largest, abs(expected)) }
  return largest > 0 ? difference / largest : difference
}

/// Fails if `relativeError` exceeds the tolerance.
func assertClose(
  _ values: [Float], _ reference: [Double], within tolerance: Double, magnitude: Double = 0,
  _ what: @autoclosure () -> String = "",
  file: StaticString = #filePath, line: UInt = #line
) {
  let error = relativeError(values, reference, magnitude: magnitude)
  if !(error <= tolerance) {
    XCTFail("\(what()): relative error \(error), allowed \(tolerance)", file: file, line: line)
  }
}

/// The gradient of `function` at `point` by central differences, for the given coordinates.
///
/// With steps of 1e-5 and values near 1 the error is some 1e-10.
func centralDifferences(
  of function: ([Double]) -> Double, at point: [Double], coordinates: [Int]? = nil, step: Double = 1e-5
) -> [Double] {
  var moved = point
  return (coordinates ?? Array(point.indices)).map { index in
    moved[index] = point[index] + step
    let above = function(moved)
    moved[index] = point[index] - step
    let below = function(moved)
    moved[index] = point[index]
    return (above - below) / (2 * step)
  }
}

func dot(_ a: [Double], _ b: [Double]) -> Double {
  zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
}
