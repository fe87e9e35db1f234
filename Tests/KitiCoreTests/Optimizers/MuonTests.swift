import KitiCore
import XCTest

/// Orthogonalized momentum against plain loops in double precision.
final class MuonTests: XCTestCase {
  /// Filters with more rows than columns and the other way round, and what is left to stochastic gradient descent.
  private let shapes: [(path: String, shape: [Int], isFilters: Bool)] = [
    ("a/weight", [3, 3, 2, 8], true), ("a/scale", [8], false), ("b/weight", [1, 1, 5, 16], true),
    ("c/weight", [3, 3, 16, 24], true), ("head/weight", [24, 10], false),
  ]
  private let (momentum, rate, othersRate, decay) = (Float(0.9), Float(0.05), Float(4), Float(0.01))

  private func store() -> ParameterStore {
    ParameterStore(
      shapes.map {
        Parameter(
          $0.path, shape: $0.shape, initialization: .uniform(low: -1, high: 1), isScaleInvariant: $0.isFilters)
      }, seed: 9)
  }

  private func muon(_ store: ParameterStore) -> Muon {
    Muon(store: store, momentum: momentum, othersRate: othersRate, weightDecay: decay)
  }

  private func step(_ optimizer: Muon, _ store: ParameterStore, rate: Float, gradientScale: Float = 1) {
    optimizer.update(
      values: store.values.pointer, gradients: store.gradients.pointer, range: 0..<store.count, learningRate: rate,
      step: 1, gradientScale: gradientScale)
  }

  private func norm(_ x: [Double]) -> Double { x.reduce(0) { $0 + $1 * $1 }.squareRoot() }

  /// `[m, k]` times `[k, n]`.
  private func product(_ a: [Double], _ b: [Double], _ m: Int, _ k: Int, _ n: Int) -> [Double] {
    (0..<m * n).map { place in (0..<k).reduce(0) { $0 + a[place / n * k + $1] * b[$1 * n + place % n] } }
  }

  private func transposed(_ a: [Double], _ m: Int, _ n: Int) -> [Double] { (0..<m * n).map { a[$0 % m * n + $0 / m] } }

  private func orthogonal(_ matrix: [Double], rows: Int, columns: Int) -> [Double] {
    var x = matrix.map { $0 / norm(matrix) }
    for _ in 0..<5 {
      // (X Xᵀ) X is X (XᵀX).
      let square = product(x, transposed(x, rows, columns), rows, columns, rows)
      let first = product(square, x, rows, rows, columns)
      let second = product(square, first, rows, rows, columns)
      x = x.indices.map { 3.4445 * x[$0] - 4.7750 * first[$0] + 2.0315 * second[$0] }
    }
    return x
  }

  func testTenStepsFollowTheRule() {
    for gradientScale: Float in [1, 0.25] {
      let store = store()
      let optimizer = muon(store)
      var exact = store.values.buffer.map(Double.init)
      var velocity = exact.map { _ in 0.0 }
      var numbers = TestNumbers(120)
      for _ in 1...10 {
        for (parameter, range) in zip(store.parameters, store.ranges) {
          for index in range { store.gradients.pointer[index] = Float(numbers.normal()) }
          let (m, rate) = (Double(momentum), Double(rate))
          let g = range.map { index in
            Double(store.gradients.pointer[index]) * Double(gradientScale)
              + (parameter.isScaleInvariant ? 0 : Double(decay) * exact[index])
          }
          for (place, index) in range.enumerated() { velocity[index] = m * velocity[index] + g[place] }
          let direction = range.enumerated().map { g[$0] + m * velocity[$1] }
          guard parameter.isScaleInvariant else {
            for (place, index) in range.enumerated() { exact[index] -= rate * Double(othersRate) * direction[place] }
            continue
          }
          let columns = parameter.shape.last!
          let rows = parameter.count / columns
          let turn = orthogonal(direction, rows: rows, columns: columns)
          let scale = rate * (Double(columns) / Double(min(rows, columns))).squareRoot()
          let moved = range.enumerated().map { exact[$1] - scale * turn[$0] }
          let length = Double(columns).squareRoot() / norm(moved)
          for (place, index) in range.enumerated() { exact[index] = moved[place] * length }
        }
        step(optimizer, store, rate: rate, gradientScale: gradientScale)
        XCTAssertTrue(store.gradients.buffer.allSatisfy { $0 == 0 })
      }
      assertClose(Array(store.values.buffer), exact, within: 2e-5)
      assertClose(Array(optimizer.state[0].buffer.buffer), velocity, within: 2e-6)
    }
  }

  /// Whatever the gradient's size: the sine of the angle is the learning rate, as far as singular values are 1.
  func testFiltersTurnByTheLearningRate() {
    for size: Float in [1e-12, 1, 1e12] {
      let store = store()
      let optimizer = muon(store)
      var numbers = TestNumbers(3)
      step(optimizer, store, rate: 0)
      let before = store.values.buffer.map(Double.init)
      for index in 0..<store.count { store.gradients.pointer[index] = size * Float(numbers.normal()) }
      step(optimizer, store, rate: 0.01)
      for (parameter, range) in zip(store.parameters, store.ranges) where parameter.isScaleInvariant {
        let (old, new) = (before[range], range.map { Double(store.values.pointer[$0]) })
        XCTAssertEqual(norm(new), Double(parameter.shape.last!).squareRoot(), accuracy: 1e-5)
        let angle = norm(zip(old, new).map { $1 - $0 }) / norm(new)
        XCTAssertEqual(angle, 0.01, accuracy: 0.003, parameter.path)
      }
    }
  }

  func testWithoutGradientsFiltersStay() {
    let store = store()
    let optimizer = muon(store)
    step(optimizer, store, rate: 0.1)
    let before = store.values.buffer.map(\.self)
    step(optimizer, store, rate: 0.1)
    for (parameter, range) in zip(store.parameters, store.ranges) where parameter.isScaleInvariant {
      assertClose(range.map { store.values.pointer[$0] }, before[range].map(Double.init), within: 1e-6)
    }
  }
}
