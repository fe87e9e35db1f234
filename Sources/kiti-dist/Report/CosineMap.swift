import KitiCore

/// The cosines between the channels of a layer as a picture: similar channels side by side, no colour where they have
/// nothing in common.
struct CosineMap {
  let layer: LayerCondensation

  /// Cells along a side at most; more channels share cells, which show their mean.
  private static let mostCells = 64
  /// The least cosine of each tone.
  private static let levels: [Float] = [0.15, 0.3, 0.5, 0.7, 0.9]

  var html: String {
    let count = layer.directed
    let side = min(count, Self.mostCells)
    let perCell = count > side ? ", mean of \(Markup.number(Double(count) / Double(side))) channels a cell" : ""
    let name = Markup.escaped(layer.path)
    return """
      <figure><figcaption><b>\(name)</b><span class="soft">\(Markup.grouped(count)) channels\(perCell)</span></figcaption>
      <svg class="cosines" viewBox="0 0 \(side) \(side)" role="img" aria-label="cosines between the channels of \(name)">
      \(paths(side))
      </svg></figure>
      """
  }

  /// A path for each tone and sign: the cells of a row that follow each other are one rectangle.
  private func paths(_ side: Int) -> String {
    var tones = [String](repeating: "", count: 2 * Self.levels.count)
    for row in 0..<side {
      let cells = (0..<side).map { tone(mean(row, $0, side)) }
      var column = 0
      while column < side {
        let tone = cells[column]
        let end = cells[column...].firstIndex { $0 != tone } ?? side
        if let tone { tones[tone] += "M\(column) \(row)h\(end - column)v1h-\(end - column)z" }
        column = end
      }
    }
    return tones.enumerated().filter { !$0.element.isEmpty }.map { index, path in
      let (sign, level) = index.quotientAndRemainder(dividingBy: Self.levels.count)
      let opacity = Markup.coordinate(Double(level + 1) / Double(Self.levels.count))
      return "<path class=\"\(sign == 0 ? "second" : "first")\" fill-opacity=\"\(opacity)\" d=\"\(path)\"/>"
    }.joined(separator: "\n")
  }

  /// Positive tones from the palest on, then negative ones.
  private func tone(_ cosine: Float) -> Int? {
    Self.levels.lastIndex { abs(cosine) >= $0 }.map { cosine > 0 ? $0 : $0 + Self.levels.count }
  }

  private func mean(_ row: Int, _ column: Int, _ side: Int) -> Float {
    let count = layer.directed
    func channels(_ cell: Int) -> Range<Int> { cell * count / side..<(cell + 1) * count / side }
    var (sum, cells) = (Float(0), 0)
    for m in channels(row) {
      for n in channels(column) {
        sum += layer.cosines[m * count + n]
        cells += 1
      }
    }
    return sum / Float(cells)
  }
}
