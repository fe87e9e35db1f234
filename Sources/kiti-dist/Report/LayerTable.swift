import KitiCore

/// The collisions of each layer over the run: a row a layer, with its curve.
struct LayerTable {
  private struct Row {
    var name: String
    var points: [LineChart.Point] = []
    var last: RunRecord.Layer
  }

  private let rows: [Row]

  /// - Parameter steps: of the run.
  init(_ steps: [RunRecord.Step]) {
    var rows: [Row] = []
    var places: [String: Int] = [:]
    for step in steps {
      for layer in step.collisions ?? [] {
        let place = places[layer.layer] ?? rows.count
        if place == rows.count {
          places[layer.layer] = place
          rows.append(Row(name: layer.layer, last: layer))
        }
        rows[place].points.append(LineChart.Point(x: Double(step.step), y: layer.rate))
        rows[place].last = layer
      }
    }
    self.rows = rows
  }

  var isEmpty: Bool { rows.isEmpty }

  private static let (width, height) = (150.0, 24.0)
  private static let columns = 75

  var html: String {
    let highest = max(rows.flatMap { $0.points.map(\.y) }.max() ?? 0, 1e-9)
    let body = rows.map { row in
      let cells = [
        "<td class=\"name\">\(Markup.escaped(row.name))</td>", "<td>\(Self.percent(row.last.rate))</td>",
        "<td>\(sparkline(row.points, highest))</td>", "<td>\(Console.number(row.last.relativeSpeed))</td>",
        "<td>\(row.last.freePath.map(Console.number) ?? "–")</td>",
      ]
      return "<tr>\(cells.joined())</tr>"
    }
    return """
      <div class="scroll"><table><thead><tr><th class="name">layer</th><th>rate at the end</th>\
      <th>over the run, 0 to \(Self.percent(highest))</th><th>relative speed</th><th>free path</th></tr></thead>
      <tbody>
      \(body.joined(separator: "\n"))
      </tbody></table></div>
      """
  }

  private static func percent(_ share: Double) -> String { String(format: "%.1f %%", share * 100) }

  /// One curve without axes: all rows have the same scale.
  private func sparkline(_ points: [LineChart.Point], _ highest: Double) -> String {
    let x = ChartAxis(points.map(\.x), isTight: true)
    let path = LineChart.thinned(points, columns: Self.columns).map { column in
      let across = 2 + (x.place(column.x) ?? 0) * (Self.width - 4)
      let up = Self.height - 2 - column.mean / highest * (Self.height - 4)
      return Markup.coordinate(across) + " " + Markup.coordinate(up)
    }
    return "<svg class=\"spark\" viewBox=\"0 0 \(Int(Self.width)) \(Int(Self.height))\" aria-hidden=\"true\">"
      + "<path class=\"grid\" d=\"M0 \(Self.height - 2)H\(Self.width)\"/>"
      + "<path class=\"curve first\" d=\"M\(path.joined(separator: "L"))\"/></svg>"
  }
}
