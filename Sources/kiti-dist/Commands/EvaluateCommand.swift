import ArgumentParser
import Foundation
import KitiCore
import KitiMPI

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Test metrics of a checkpoint, every sample once.")

  @Argument(help: "A checkpoint file, or a run's folder for its newest.")
  var checkpoint: String

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Change a key of the checkpoint's configuration, such as data.path=FILE.", valueName: "key=value"))
  var overrides: [String] = []

  @Option(help: ArgumentHelp("Samples in one forward pass on each rank.", valueName: "n"))
  var batch = 20

  @Flag(help: "One JSON line instead of text.")
  var json = false

  func validate() throws {
    if batch < 1 { throw ValidationError("--batch \(batch): give at least 1.") }
  }

  func run() throws {
    let world = try Launch.world()
    let evaluation = try CheckpointEvaluation.run(
      checkpoint: checkpoint, overrides: overrides, batch: batch, communicator: world)
    guard world.rank == 0 else { return }
    if let warning = evaluation.warning { Console.notice(warning) }
    if json {
      var line = MetricsLine(kind: "evaluation")
      line.set("checkpoint", evaluation.checkpoint)
      line.set("step", evaluation.state.step)
      line.set("epoch", evaluation.state.epoch)
      line.set(evaluation.metrics, remarks: evaluation.remarks)
      line.set("samples", evaluation.samples)
      print(line.json)
    } else {
      let rows =
        [
          ("checkpoint", evaluation.checkpoint), ("steps done", "\(evaluation.state.step)"),
          ("test samples", "\(evaluation.samples)"),
        ] + evaluation.metrics.map { ("test \($0.metric.name)", Console.value($0)) }
        + (evaluation.remarks.isEmpty ? [] : [("with", evaluation.remarks.joined(separator: ", "))])
      let width = rows.map(\.0.count).max() ?? 0
      for (name, value) in rows { print(name.padding(toLength: width + 2, withPad: " ", startingAt: 0) + value) }
    }
  }
}
