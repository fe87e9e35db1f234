import KitiCore
import KitiMPI
import KitiTestSupport
import XCTest

/// A step that is discarded leaves nothing behind: no gradient, and nothing of what batch norm saw.
final class DiscardedStepTests: MPITestCase {
  /// The output is the input times a weight; a running sum of the inputs is kept.
  private final class Scale: Model {
    let weight = Parameter("weight", shape: [1], initialization: .constant(2))
    let sum = Parameter("sum", shape: [1], initialization: .zero)
    let output = AlignedBuffer<Float>(count: 1)
    var inputShape: [Int] { [1, 1] }
    var outputShape: [Int] { [1, 1] }
    var capacity: Int { 1 }
    var parameters: [Parameter] { [weight] }
    var statistics: [Parameter] { [sum] }
    var collisions: [CollisionResidual] { [] }
    var summary: [LayerSummary] { [] }
    var workspaceBytes: Int { 0 }

    func forward(_ input: UnsafePointer<Float>, batch: Int, pass: Pass) -> UnsafePointer<Float> {
      sum.values[0] += input[0]
      output.pointer[0] = weight.values[0] * input[0]
      return UnsafePointer(output.pointer)
    }

    func backward(
      outputGradient: UnsafeMutablePointer<Float>, batch: Int, pass: Pass, observer: (any GradientObserver)?
    ) {
      weight.gradients[0] += outputGradient[0]
      observer?.gradientsFinished(16)
    }
  }

  private struct Difference: Objective {
    var metrics: [Metric] { [] }

    func loss(
      prediction: UnsafePointer<Float>, target: UnsafePointer<Float>, batch: Int, scale: Float,
      gradient: UnsafeMutablePointer<Float>
    ) -> Double {
      gradient[0] = (prediction[0] - target[0]) * scale
      return Double(prediction[0] - target[0])
    }

    func measure(
      prediction: UnsafePointer<Float>, target: UnsafePointer<Float>, batch: Int, sums: UnsafeMutablePointer<Double>
    ) {}
  }

  private func run(_ step: TrainingStep, input: Float) throws -> Double {
    step.begin()
    let (inputs, targets) = (AlignedBuffer<Float>(count: 1), AlignedBuffer<Float>(count: 1))
    inputs.pointer[0] = input
    _ = step.accumulate(
      inputs: inputs.pointer, targets: targets.pointer, count: 1, pass: .evaluation, globalCount: 1, isLast: true)
    return try step.average()
  }

  func testStepThatIsNotFiniteIsUndone() throws {
    let model = Scale()
    let store = ParameterStore(model, seed: 1)
    let step = try TrainingStep(
      model: model, objective: Difference(), store: store, optimizer: StochasticGradientDescent(count: store.count),
      averager: GradientAverager(store: store, communicator: world, configuration: .init()), keepsStatistics: true)
    XCTAssertEqual(try run(step, input: 3), 6 * Double(world.size))
    try step.update(learningRate: 0, step: 1)
    XCTAssertEqual(model.sum.values[0], 3)

    XCTAssertFalse(try run(step, input: .nan).isFinite)
    XCTAssertTrue(model.sum.values[0].isNaN)
    step.discard()
    XCTAssertEqual(model.sum.values[0], 3)
    XCTAssertEqual(model.weight.values[0], 2)
    XCTAssertEqual(try run(step, input: 1), 2 * Double(world.size), "no gradient is left")
    XCTAssertEqual(model.sum.values[0], 4)
  }
}
