import KitiCore

/// What `--dry-run` prints.
enum RunSummary {
  static func print(_ trainer: Trainer) {
    let run = trainer.description
    Swift.print(trainer.configuration.yaml)
    let table = Table.text(
      header: ["layer", "output", "parameters", "FLOPs/sample"],
      rows: run.layers.map {
        [
          $0.path, $0.outputShape.map(String.init).joined(separator: " × "), String($0.parameterCount),
          Console.number(Double($0.operations)),
        ]
      })
    Swift.print(table)
    let operations = run.layers.reduce(0) { $0 + $1.operations }
    Swift.print(
      """

      parameters              \(run.parameterCount)
      FLOPs                   \(Console.number(Double(operations))) forward, about \
      \(Console.number(3 * Double(operations))) in training, per sample
      samples                 \(run.trainingSamples) training, \(run.testSamples) test
      global batch            \(run.globalBatch) on \(run.ranks) rank\(run.ranks == 1 ? "" : "s"), \
      \(run.stepsPerEpoch) steps per epoch, \(run.totalSteps) in all
      memory per rank         \(Console.bytes(run.stateBytes)) parameters, gradients and optimizer; \
      \(Console.bytes(run.workspaceBytes)) activations and workspaces
      bytes sent per step     \(Console.bytes(run.bytesSentPerStep)) from each rank
      """)
  }
}
