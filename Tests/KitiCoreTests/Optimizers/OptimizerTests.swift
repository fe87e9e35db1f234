import Foundation
import KitiCore
import XCTest

/// Optimizers against plain loops in double precision.
final class OptimizerTests: XCTestCase {
  /// One number's rule: changes (value, state) by the gradient of a step, which counts from 1.
  private typealias Rule = (_ value: inout Double, _ state: inout [Double], _ gradient: Double, _ step: Int) -> Void

  private let rate = 0.01

  private func adam(_ decay: Double, decoupled: Bool) -> Rule {
    // As they are in fp32: 1 − β₂ differs from 0.001 in the fifth digit, which the bias correction takes back.
    let (rate, b1, b2, epsilon) = (rate, Double(0.9 as Float), Double(0.999 as Float), 1e-8)
    return { value, state, gradient, step in
      var g = gradient
      if decoupled { value -= rate * decay * value } else { g += decay * value }
      state[0] = b1 * state[0] + (1 - b1) * g
      state[1] = b2 * state[1] + (1 - b2) * g * g
      let mean = state[0] / (1 - pow(b1, Double(step)))
      let square = state[1] / (1 - pow(b2, Double(step)))
      value -= rate * mean / (square.squareRoot() + epsilon)
    }
  }

  private func descent(_ momentum: Double, nesterov: Bool, _ decay: Double) -> Rule {
    let rate = rate
    return { value, state, gradient, _ in
      let g = gradient + decay * value
      state[0] = momentum * state[0] + g
      value -= rate * (momentum == 0 ? g : nesterov ? g + momentum * state[0] : state[0])
    }
  }

  private func check(_ name: String, _ make: (Int) -> any Optimizer, _ rule: Rule) {
    let ranges = [(1, 0..<1), (7, 0..<7), (37, 0..<37), (100, 3..<61), (64, 16..<48), (50, 49..<50), (9, 4..<4)]
    for (count, range) in ranges {
      for gradientScale: Float in [1, 0.3] {
        let optimizer = make(count)
        var numbers = TestNumbers(110)
        let start = numbers.normals(count)
        let (values, gradients) = (GuardedArray(start), GuardedArray(count: count))
        var exact = start.doubles
        var states = [[Double]](repeating: [0, 0], count: count)
        for step in 1...20 {
          // From 1e-4 to 1e2, and sometimes nothing.
          let g = (0..<count).map { index in
            index % 11 == 5 ? 0 : Float(numbers.normal() * pow(10, Double(index % 7) - 4))
          }
          for index in 0..<count { gradients.pointer[index] = g[index] }
          optimizer.update(
            values: values.pointer, gradients: gradients.pointer, range: range, learningRate: Float(rate), step: step,
            gradientScale: gradientScale)
          for index in range { rule(&exact[index], &states[index], Double(g[index]) * Double(gradientScale), step) }
          for index in 0..<count {
            let expected = range.contains(index) ? 0 : g[index]
            if gradients.pointer[index] != expected {
              return XCTFail("\(name): gradient \(index) of \(count) is \(gradients.pointer[index]) after \(range)")
            }
          }
        }
        XCTAssertTrue(values.guardsHold && gradients.guardsHold, "\(name) wrote outside")
        for index in 0..<count where !range.contains(index) {
          XCTAssertEqual(values.pointer[index], start[index], "\(name) changed a value outside its range")
          for (_, buffer) in optimizer.state { XCTAssertEqual(buffer.pointer[index], 0, "\(name) changed a state") }
        }
        assertClose(values.values, exact, within: 2e-6, "\(name), \(count) numbers, \(range)")
        for (place, (part, buffer)) in optimizer.state.enumerated() {
          assertClose(Array(buffer.buffer), states.map { $0[place] }, within: 2e-6, "\(name), \(part)")
        }
      }
    }
  }

  func testAdam() {
    check("Adam", { Adam(count: $0) }, adam(0, decoupled: false))
    check("Adam with decay", { Adam(count: $0, weightDecay: 0.1) }, adam(0.1, decoupled: false))
  }

  func testAdamW() {
    check("AdamW", { Adam(count: $0, weightDecay: 0.1, decoupled: true) }, adam(0.1, decoupled: true))
  }

  func testStochasticGradientDescent() {
    check("SGD", { StochasticGradientDescent(count: $0) }, descent(0, nesterov: false, 0))
    check(
      "SGD with decay", { StochasticGradientDescent(count: $0, weightDecay: 0.1) }, descent(0, nesterov: false, 0.1))
    check("momentum", { StochasticGradientDescent(count: $0, momentum: 0.9) }, descent(0.9, nesterov: false, 0))
    check(
      "momentum with decay", { StochasticGradientDescent(count: $0, momentum: 0.9, weightDecay: 0.1) },
      descent(0.9, nesterov: false, 0.1))
    check(
      "Nesterov", { StochasticGradientDescent(count: $0, momentum: 0.9, nesterov: true, weightDecay: 0.1) },
      descent(0.9, nesterov: true, 0.1))
  }

  func testShiftsLearnFasterAndDecayAsFast() {
    for (momentum, nesterov) in [(0.0, false), (0.9, true)] {
      var numbers = TestNumbers(7)
      let start = numbers.normals(80)
      let shifts = [16..<32, 64..<80]
      let (values, gradients) = (GuardedArray(start), GuardedArray(count: 80))
      let optimizer = StochasticGradientDescent(
        count: 80, momentum: Float(momentum), nesterov: nesterov, weightDecay: 0.1, shifts: shifts, shiftRate: 8)
      var (exact, velocity) = (start.doubles, [Double](repeating: 0, count: 80))
      for step in 1...10 {
        let g = numbers.normals(80)
        for index in 0..<80 {
          gradients.pointer[index] = g[index]
          let factor: Double = shifts.contains { $0.contains(index) } ? 8 : 1
          let gradient = Double(g[index]) + 0.1 / factor * exact[index]
          velocity[index] = momentum * velocity[index] + gradient
          exact[index] -= rate * factor * (nesterov ? gradient + momentum * velocity[index] : velocity[index])
        }
        // In two parts, of which one ends among shifts.
        for range in [0..<24, 24..<80] {
          optimizer.update(
            values: values.pointer, gradients: gradients.pointer, range: range, learningRate: Float(rate), step: step,
            gradientScale: 1)
        }
      }
      assertClose(values.values, exact, within: 2e-6, "momentum \(momentum)")
    }
  }

  func testPartsOfTheStoreGiveTheBitsOfTheWhole() {
    let makers: [(Int) -> any Optimizer] = [
      { Adam(count: $0, weightDecay: 0.1) }, { Adam(count: $0, weightDecay: 0.1, decoupled: true) },
      { StochasticGradientDescent(count: $0, momentum: 0.9, nesterov: true) }, { StochasticGradientDescent(count: $0) },
    ]
    for make in makers {
      func run(_ ranges: [Range<Int>]) -> [Float] {
        let optimizer = make(160)
        var numbers = TestNumbers(111)
        let (values, gradients) = (AlignedBuffer<Float>(count: 160), AlignedBuffer<Float>(count: 160))
        for index in 0..<160 { values.pointer[index] = Float(numbers.normal()) }
        for step in 1...5 {
          for index in 0..<160 { gradients.pointer[index] = Float(numbers.normal()) }
          for range in ranges {
            optimizer.update(
              values: values.pointer, gradients: gradients.pointer, range: range, learningRate: 0.01, step: step,
              gradientScale: 1)
          }
        }
        return Array(values.buffer)
      }
      XCTAssertEqual(run([0..<160]), run([96..<160, 0..<16, 16..<96]))
    }
  }

  func testGapsOfTheStoreStayZero() {
    let parameters = [Parameter("a", shape: [5], initialization: .constant(1))]
    for make: (Int) -> any Optimizer in [
      { Adam(count: $0, weightDecay: 0.1) }, { StochasticGradientDescent(count: $0, momentum: 0.9, weightDecay: 0.1) },
    ] {
      let store = ParameterStore(parameters, seed: 1)
      let optimizer = make(store.count)
      for step in 1...3 {
        for index in 0..<5 { store.gradients.pointer[index] = 1 }
        optimizer.update(
          values: store.values.pointer, gradients: store.gradients.pointer, range: 0..<store.count, learningRate: 0.1,
          step: step, gradientScale: 1)
      }
      for gap in 5..<store.count { XCTAssertEqual(store.values.pointer[gap], 0) }
      withExtendedLifetime(store) {}
    }
  }
}
