import ArgumentParser
import KitiCore
import KitiMPI

struct FNO1DBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fno1d",
    abstract: "Training steps of FNO-1d: width 64, 16 modes, 4 blocks, 1,024 points, Adam, batch 20.",
    discussion: StepBench.discussion)

  @OptionGroup var options: BenchOptions

  func run() throws {
    try StepBench.measure("fno1d", options, batch: 20, make: StepBench.fno1d)
  }
}

extension StepBench {
  static func fno1d(
    collision: CollisionOptions, batch: Int, communicator: Communicator, parallel: ParallelConfiguration
  ) throws -> StepBench {
    let model = try FNO1D(shape: .init(points: 1_024), collision: collision, divide: 4, capacity: batch)
    return try StepBench(
      model: model, objective: FieldObjective(outputShape: model.outputShape), targets: .likeOutputs,
      optimizer: { Adam(count: $0, weightDecay: 1e-4) }, learningRate: 1e-3, communicator: communicator,
      parallel: parallel)
  }
}
