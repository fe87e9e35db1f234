import ArgumentParser
import KitiCore

/// `kiti-dist condense CHECKPOINT [--output FILE] [--json]`
struct CondenseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "condense",
    abstract: "Show how far the channels of each layer have condensed into few directions.",
    discussion: """
      For each layer's weights: similarity, the mean of |cos| between the weights that lead to two channels; aligned pairs, \
      the share of pairs with |cos| of at least 0.9; directions, the effective number N²/Σcos²; dominant, how many \
      channels have nine tenths of the squared weights. 'By chance' is what independent random directions would have. \
      --output writes a page with the cosines as heat maps as well.
      """)

  @Argument(
    help: ArgumentHelp("A checkpoint, or a run's folder for its newest one.", valueName: "checkpoint"),
    completion: .file())
  var path: String

  @Option(help: ArgumentHelp("Write a page with heat maps to this file.", valueName: "file"))
  var output: String?

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    try Launch.world().onFirstRank {
      let (checkpoint, warning) = try CheckpointFolder.resolve(path)
      if let warning { Console.notice(warning) }
      let (state, layers) = try Checkpoint.condensation(checkpoint)
      if let output { try page(state, layers).write(to: output) }
      print(json ? try CondensationReport(checkpoint, state, layers).jsonText : Self.table(layers))
    }
  }

  private func page(_ state: TrainingState, _ layers: [LayerCondensation]) -> HTMLPage {
    HTMLPage(
      title: "Condensation of \(path)", subtitle: "After step \(Markup.grouped(state.step)).",
      body: CondensationSection(layers: layers).html)
  }

  private static func table(_ layers: [LayerCondensation]) -> String {
    Table.text(
      header: ["weights"] + CondensationSection.columns, rows: layers.map { [$0.path] + CondensationSection.cells($0) })
  }
}

private struct CondensationReport: Encodable {
  struct Layer: Encodable {
    var path: String
    var channels, inputs, directed, dominantChannels: Int
    var similarity, similarityByChance, alignedPairs, directions, directionsByChance: Double
  }

  var path: String
  var step: Int
  var layers: [Layer]

  init(_ path: String, _ state: TrainingState, _ layers: [LayerCondensation]) {
    self.path = path
    step = state.step
    self.layers = layers.map {
      Layer(
        path: $0.path, channels: $0.channels, inputs: $0.inputs, directed: $0.directed,
        dominantChannels: $0.dominantChannels, similarity: $0.similarity, similarityByChance: $0.similarityByChance,
        alignedPairs: $0.alignedPairs, directions: $0.directions, directionsByChance: $0.directionsByChance)
    }
  }
}
