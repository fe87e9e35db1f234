import KitiCore

/// How far the layers of a checkpoint have condensed: a table, and a picture of each layer.
struct CondensationSection {
  let layers: [LayerCondensation]

  var html: String {
    let rows = layers.map { layer in
      let cells = Self.cells(layer).map { "<td>\($0)</td>" }
      return "<tr><td class=\"name\">\(Markup.escaped(layer.path))</td>\(cells.joined())</tr>"
    }
    let heads = Self.columns.map { "<th>\($0)</th>" }
    return """
      <div class="scroll"><table><thead><tr><th class="name">weights</th>\(heads.joined())</tr></thead>
      <tbody>
      \(rows.joined(separator: "\n"))
      </tbody></table></div>
      <p class="soft">Similarity is the mean of the absolute cosines between the channels' weights; directions, their \
      effective number; dominant, how many channels have nine tenths of the squared weights. Below, the cosines: \
      <span class="key second">same way</span> <span class="key first">opposite way</span></p>
      <div class="maps">
      \(layers.map { CosineMap(layer: $0).html }.joined(separator: "\n"))
      </div>
      """
  }

  /// Columns of the table, and of the one on the terminal.
  static let columns = [
    "channels", "inputs", "similarity", "by chance", "aligned pairs", "directions", "by chance", "dominant",
  ]

  static func cells(_ layer: LayerCondensation) -> [String] {
    [
      Markup.grouped(layer.channels), Markup.grouped(layer.inputs), Console.number(layer.similarity),
      Console.number(layer.similarityByChance), "\(Console.number(layer.alignedPairs * 100)) %",
      Console.number(layer.directions), Console.number(layer.directionsByChance), Markup.grouped(layer.dominantChannels),
    ]
  }
}
