import KitiCore
import XCTest

extension Fixture {
  /// The optimizer that a case was made with, and its learning rate.
  func optimizer(_ name: String, count: Int) throws -> (optimizer: any Optimizer, learningRate: Float) {
    let rate = Float(try number("learningRate"))
    let decay = Float(try number("weightDecay"))
    guard name.hasPrefix("adam") else {
      return (
        StochasticGradientDescent(
          count: count, momentum: Float(try number("momentum")), nesterov: try self.count("nesterov") != 0,
          weightDecay: decay), rate
      )
    }
    return (
      Adam(
        count: count, beta1: Float(try number("beta1")), beta2: Float(try number("beta2")),
        epsilon: Float(try number("epsilon")), weightDecay: decay, decoupled: name == "adamw"), rate
    )
  }
}

/// Optimizers against PyTorch in double precision.
final class OptimizerFixtureTests: XCTestCase {
  func testEveryStep() throws {
    let file = try Fixture("optimizers")
    let (start, gradients) = (try file.floats("start"), try file.floats("gradients"))
    for (name, fixture) in try file.cases() {
      let expected = try fixture.doubles("parameters")
      let (optimizer, rate) = try fixture.optimizer(name, count: start.count)
      let (values, g) = (GuardedArray(start), GuardedArray(count: start.count))
      for step in 0..<gradients.count / start.count {
        let range = step * start.count..<(step + 1) * start.count
        for (index, gradient) in gradients[range].enumerated() { g.pointer[index] = gradient }
        optimizer.update(
          values: values.pointer, gradients: g.pointer, range: 0..<start.count, learningRate: rate, step: step + 1,
          gradientScale: 1)
        assertClose(values.values, Array(expected[range]), within: 2e-6, "\(name), step \(step + 1)")
      }
    }
  }
}
