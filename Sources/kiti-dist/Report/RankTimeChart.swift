import Foundation
import KitiCore

/// What each rank did with the mean step: a bar a rank, cut into phases.
struct RankTimeChart {
  /// Of each rank the seconds of the phases, in the order of `PhaseSeconds.names`.
  let ranks: [(rank: Int, seconds: [Double])]

  private static let mostBars = 64
  private static let (width, left, right, row, bar) = (640.0, 64.0, 14.0, 22.0, 14.0)

  var html: String {
    let shown = ranks.prefix(Self.mostBars)
    let names = PhaseSeconds.names.map { "<span class=\"key phase-\($0)\">\($0)</span>" }.joined()
    let axis = ChartAxis(shown.map { $0.seconds.reduce(0, +) * 1e3 }, includesZero: true)
    let height = Double(shown.count) * Self.row + 48
    var parts = [
      "<svg viewBox=\"0 0 \(Int(Self.width)) \(Int(height))\" role=\"img\" aria-label=\"time of a step on each rank\">"
    ]
    let base = height - 42
    func across(_ milliseconds: Double) -> Double {
      Self.left + (axis.place(milliseconds) ?? 0) * (Self.width - Self.left - Self.right)
    }
    for tick in axis.ticks {
      let at = Markup.coordinate(across(tick))
      parts.append("<path class=\"grid\" d=\"M\(at) 2V\(Markup.coordinate(base))\"/>")
      parts.append(
        "<text x=\"\(at)\" y=\"\(Markup.coordinate(base + 16))\" text-anchor=\"middle\">\(axis.text(tick))</text>")
    }
    for (index, rank) in shown.enumerated() {
      let top = Double(index) * Self.row + 4
      parts.append(
        "<text x=\"\(Self.left - 8)\" y=\"\(Markup.coordinate(top + 11))\" text-anchor=\"end\">"
          + "rank \(rank.rank)</text>")
      var start = 0.0
      for (name, seconds) in zip(PhaseSeconds.names, rank.seconds) {
        let (from, to) = (across(start * 1e3), across((start + seconds) * 1e3))
        start += seconds
        let place = "x=\"\(Markup.coordinate(from))\" y=\"\(Markup.coordinate(top))\""
        parts.append(
          "<rect class=\"phase-\(name)\" \(place) width=\"\(Markup.coordinate(to - from))\" height=\"\(Self.bar)\">"
            + "<title>rank \(rank.rank), \(name): \(Console.number(seconds * 1e3)) ms</title></rect>")
      }
    }
    let middle = (Self.left + Self.width - Self.right) / 2
    parts.append(
      "<text x=\"\(middle)\" y=\"\(Markup.coordinate(height - 6))\" text-anchor=\"middle\">ms in a step</text></svg>")
    let more = ranks.count > shown.count ? " (the first \(shown.count) of \(ranks.count) ranks)" : ""
    return """
      <figure><figcaption><b>Time of a step on each rank\(more)</b>\(names)</figcaption>
      \(parts.joined(separator: "\n"))</figure>
      """
  }
}
