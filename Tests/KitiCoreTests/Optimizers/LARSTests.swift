import KitiCore
import XCTest

/// Layer-wise adaptive rates against plain loops in double precision.
final class LARSTests: XCTestCase {
  private let shapes: [(String, [Int])] = [("a/weight", [5, 7]), ("a/bias", [7]), ("b/weight", [3, 2, 4]), ("b/scale", [1])]

  private func store() -> ParameterStore {
    ParameterStore(shapes.map { Parameter($0.0, shape: $0.1, initialization: .uniform(low: -1, high: 1)) }, seed: 9)
  }

  private func fill(_ store: ParameterStore, _ numbers: inout TestNumbers) {
    for range in store.ranges { for index in range { store.gradients.pointer[index] = Float(numbers.normal()) } }
  }

  func testTenStepsFollowTheRule() {
    for gradientScale: Float in [1, 0.25] {
      let store = store()
      let (momentum, decay, trust, rate) = (Double(0.9 as Float), Double(0.01 as Float), Double(0.02 as Float), 0.5)
      let optimizer = LARS(store: store, momentum: 0.9, weightDecay: 0.01, trust: 0.02)
      var exact = store.values.buffer.map(Double.init)
      var velocity = exact.map { _ in 0.0 }
      var numbers = TestNumbers(120)
      for step in 1...10 {
        fill(store, &numbers)
        for (parameter, range) in zip(store.parameters, store.ranges) {
          let isScaled = parameter.shape.count > 1
          let g = range.map { Double(store.gradients.pointer[$0]) * Double(gradientScale) }
          let w = range.map { exact[$0] }
          let wNorm = w.reduce(0) { $0 + $1 * $1 }.squareRoot()
          let gNorm = g.reduce(0) { $0 + $1 * $1 }.squareRoot()
          let scale = isScaled ? trust * wNorm / (gNorm + decay * wNorm) : 1
          for (place, index) in range.enumerated() {
            velocity[index] = momentum * velocity[index] + scale * (g[place] + (isScaled ? decay : 0) * w[place])
            exact[index] -= rate * velocity[index]
          }
        }
        optimizer.update(
          values: store.values.pointer, gradients: store.gradients.pointer, range: 0..<store.count,
          learningRate: Float(rate), step: step, gradientScale: gradientScale)
        XCTAssertTrue(store.gradients.buffer.allSatisfy { $0 == 0 })
      }
      assertClose(Array(store.values.buffer), exact, within: 2e-6)
      assertClose(Array(optimizer.state[0].buffer.buffer), velocity, within: 2e-6)
    }
  }

  func testALayerWithoutWeightsOrGradientsHasNoScaleOfItsOwn() {
    let parameter = Parameter("w", shape: [2, 2], initialization: .zero)
    let store = ParameterStore([parameter], seed: 1)
    let optimizer = LARS(store: store, momentum: 0, weightDecay: 0.1, trust: 0.001)
    func step() {
      optimizer.update(
        values: store.values.pointer, gradients: store.gradients.pointer, range: 0..<store.count, learningRate: 0.5,
        step: 1, gradientScale: 1)
    }
    step()
    XCTAssertEqual(Array(store.values.buffer.prefix(4)), [0, 0, 0, 0])
    store.gradients.pointer[2] = 1
    step()
    XCTAssertEqual(Array(store.values.buffer.prefix(4)), [0, 0, -0.5, 0])
  }
}
