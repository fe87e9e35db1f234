/// The elementary functions of the kernels by name, over arrays: for checks of their errors.
package enum ElementaryFunction: CaseIterable {
  case exponential, exponentialOfNegative, logarithm, squareRoot, sineOfTurns, cosineOfTurns, normalDistribution, normalDensity

  package func callAsFunction(_ x: [Float]) -> [Float] {
    var result: [Float] = []
    result.reserveCapacity(x.count)
    for first in stride(from: 0, to: x.count, by: width) {
      var input = Vector(repeating: 1)
      let lanes = min(width, x.count - first)
      for lane in 0..<lanes { input[lane] = x[first + lane] }
      let output = apply(input)
      for lane in 0..<lanes { result.append(output[lane]) }
    }
    return result
  }

  private func apply(_ x: Vector) -> Vector {
    switch self {
    case .exponential: KitiCore.exponential(x)
    case .exponentialOfNegative: KitiCore.exponentialOfNegative(x)
    case .logarithm: KitiCore.logarithm(x)
    case .squareRoot: KitiCore.squareRoot(x)
    case .sineOfTurns: sineCosine(turns: x).0
    case .cosineOfTurns: sineCosine(turns: x).1
    case .normalDistribution: KitiCore.normalDistribution(x).distribution
    case .normalDensity: KitiCore.normalDistribution(x).density
    }
  }
}
