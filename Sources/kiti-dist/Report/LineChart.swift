import Foundation

/// Curves over the steps of a run, as SVG for the report's page.
struct LineChart {
  struct Point {
    var x: Double
    var y: Double
  }

  /// The page's two colours.
  enum Tone: String { case first, second }

  struct Series {
    var name: String
    var tone: Tone
    var points: [Point]
    /// Few, apart from each other: drawn as dots on a line.
    var isSparse = false
  }

  var title: String
  /// What the y axis measures, with its unit.
  var quantity: String
  var series: [Series]
  var isLogarithmic = false
  var includesZero = false

  private static let (width, height) = (640.0, 270.0)
  private static let (left, right, top, bottom) = (64.0, 14.0, 12.0, 42.0)
  /// As many as a screen shows apart: more points are drawn as their means, with their range behind them.
  private static let columns = 320

  /// Whether anything can be drawn.
  var isEmpty: Bool { series.allSatisfy { series in !series.points.contains { drawable($0.y) } } }

  private func drawable(_ y: Double) -> Bool { y.isFinite && (!isLogarithmic || y > 0) }

  /// A figure with its title, what the colours mean if there are several, and the drawing.
  var html: String {
    let drawn = series.filter { series in series.points.contains { drawable($0.y) } }
    let legend =
      drawn.count > 1
      ? drawn.map { "<span class=\"key \($0.tone.rawValue)\">\(Markup.escaped($0.name))</span>" }.joined() : ""
    return """
      <figure><figcaption><b>\(Markup.escaped(title))</b>\(legend)</figcaption>
      \(svg(drawn))</figure>
      """
  }

  private func svg(_ drawn: [Series]) -> String {
    let curves = drawn.map { series in
      Self.thinned(series.points.filter { drawable($0.y) }, columns: Self.columns)
    }
    let x = ChartAxis(curves.flatMap { $0.flatMap { [$0.x] } }, isTight: true)
    let y = ChartAxis(
      curves.flatMap { $0.flatMap { [$0.low, $0.high] } }, isLogarithmic: isLogarithmic, includesZero: includesZero)
    var parts = [
      "<svg viewBox=\"0 0 \(Int(Self.width)) \(Int(Self.height))\" role=\"img\" "
        + "aria-label=\"\(Markup.escaped(title))\">"
    ]
    parts += frame(x, y)
    for (series, curve) in zip(drawn, curves) { parts += lines(series, curve, x, y) }
    parts.append("</svg>")
    return parts.joined(separator: "\n")
  }

  private func across(_ value: Double, _ axis: ChartAxis) -> Double {
    Self.left + (axis.place(value) ?? 0) * (Self.width - Self.left - Self.right)
  }

  private func up(_ value: Double, _ axis: ChartAxis) -> Double {
    Self.height - Self.bottom - (axis.place(value) ?? 0) * (Self.height - Self.top - Self.bottom)
  }

  /// Grid, ticks and the names of the axes.
  private func frame(_ x: ChartAxis, _ y: ChartAxis) -> [String] {
    let base = Self.height - Self.bottom
    var parts: [String] = []
    for tick in y.ticks {
      let at = Markup.coordinate(up(tick, y))
      parts.append("<path class=\"grid\" d=\"M\(Self.left) \(at)H\(Self.width - Self.right)\"/>")
      parts.append("<text x=\"\(Self.left - 8)\" y=\"\(at)\" dy=\"4\" text-anchor=\"end\">\(y.text(tick))</text>")
    }
    for tick in x.ticks where tick == tick.rounded() {
      let at = Markup.coordinate(across(tick, x))
      parts.append("<path class=\"axis\" d=\"M\(at) \(base)v4\"/>")
      parts.append("<text x=\"\(at)\" y=\"\(base + 18)\" text-anchor=\"middle\">\(x.text(tick))</text>")
    }
    parts.append("<path class=\"axis\" d=\"M\(Self.left) \(base)H\(Self.width - Self.right)\"/>")
    let middle = (Self.left + Self.width - Self.right) / 2
    parts.append("<text x=\"\(middle)\" y=\"\(Self.height - 6)\" text-anchor=\"middle\">step</text>")
    let centre = Markup.coordinate((Self.top + base) / 2)
    parts.append(
      "<text transform=\"translate(13 \(centre)) rotate(-90)\" text-anchor=\"middle\">"
        + "\(Markup.escaped(quantity))</text>")
    return parts
  }

  private func lines(_ series: Series, _ curve: [Column], _ x: ChartAxis, _ y: ChartAxis) -> [String] {
    func position(_ column: Column, _ value: Double) -> String {
      Markup.coordinate(across(column.x, x)) + " " + Markup.coordinate(up(value, y))
    }
    var parts: [String] = []
    if curve.contains(where: { $0.low < $0.high }) {
      let outline = curve.map { position($0, $0.high) } + curve.reversed().map { position($0, $0.low) }
      parts.append("<path class=\"band \(series.tone.rawValue)\" d=\"M\(outline.joined(separator: "L"))Z\"/>")
    }
    let path = curve.map { position($0, $0.mean) }.joined(separator: "L")
    parts.append("<path class=\"curve \(series.tone.rawValue)\" d=\"M\(path)\"/>")
    if series.isSparse || curve.count == 1 {
      parts += curve.map { column in
        let (cx, cy) = (Markup.coordinate(across(column.x, x)), Markup.coordinate(up(column.mean, y)))
        return "<circle class=\"dot \(series.tone.rawValue)\" cx=\"\(cx)\" cy=\"\(cy)\" r=\"2.5\"/>"
      }
    }
    return parts
  }

  /// Points that are drawn at one place.
  struct Column {
    var x: Double
    var mean: Double
    var low: Double
    var high: Double
  }

  /// Neighbouring points taken together where there are more than columns.
  static func thinned(_ points: [Point], columns: Int) -> [Column] {
    guard points.count > columns else {
      return points.map { Column(x: $0.x, mean: $0.y, low: $0.y, high: $0.y) }
    }
    return (0..<columns).map { column in
      let group = points[column * points.count / columns..<(column + 1) * points.count / columns]
      let values = group.map(\.y)
      let count = Double(group.count)
      return Column(
        x: group.reduce(0) { $0 + $1.x } / count, mean: values.reduce(0, +) / count, low: values.min() ?? 0,
        high: values.max() ?? 0)
    }
  }
}
