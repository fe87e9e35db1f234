import ArgumentParser
import KitiCore
import KitiMPI

struct ResNet18Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resnet18",
    abstract: "Training steps of ResNet-18 on images of 32 × 32, 10 classes, SGD with Nesterov momentum, batch 128.",
    discussion: StepBench.discussion)

  @OptionGroup var options: BenchOptions

  func run() throws { try StepBench.measureResNet(depth: 18, options) }
}

struct ResNet20Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resnet20",
    abstract: "Training steps of ResNet-20 on images of 32 × 32, 10 classes, SGD with Nesterov momentum, batch 128.",
    discussion: StepBench.discussion)

  @OptionGroup var options: BenchOptions

  func run() throws { try StepBench.measureResNet(depth: 20, options) }
}

extension StepBench {
  fileprivate static func measureResNet(depth: Int, _ options: BenchOptions) throws {
    try measure("resnet\(depth)", options, batch: 128) { collision, batch, communicator, parallel in
      let shape = ResNet.Shape(depth: depth, classes: 10)
      let model = try ResNet(shape: shape, collision: collision, divide: shape.defaultDivide, capacity: batch)
      return try StepBench(
        model: model, objective: ClassificationObjective(classes: shape.classes), targets: .classes(shape.classes),
        optimizer: { StochasticGradientDescent(count: $0, momentum: 0.9, nesterov: true, weightDecay: 5e-4) },
        learningRate: 0.1, communicator: communicator, parallel: parallel)
    }
  }
}
