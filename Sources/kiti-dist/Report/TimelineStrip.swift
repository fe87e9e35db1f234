import Foundation
import KitiCore

/// The last steps of the ranks side by side, as a viewer of the timeline would show them.
struct TimelineStrip {
  let excerpt: TimelineExcerpt

  private static let (width, left, right, row) = (1_000.0, 64.0, 14.0, 40.0)
  /// What phases are drawn as; `PhaseSeconds` takes both passes together.
  private static let kinds = [
    "loading": "loading", "forward": "compute", "backward": "backward", "averaging": "communication",
    "sharing": "communication", "update": "update", "recording": "other", "consistency": "other",
  ]
  private static let legend = [
    ("loading", "loading"), ("compute", "forward"), ("backward", "backward"), ("communication", "waiting for ranks"),
    ("update", "update"), ("other", "records"), ("travel", "gradients on their way"),
  ]

  var html: String {
    let events = excerpt.ranks.flatMap(\.events)
    let begin = events.map(\.start).min() ?? 0
    let axis = ChartAxis([0] + events.map { ($0.end - begin) * 1e-3 }, isTight: true)
    let height = Double(excerpt.ranks.count) * Self.row + 48
    func across(_ microseconds: Double) -> Double {
      Self.left + (axis.place((microseconds - begin) * 1e-3) ?? 0) * (Self.width - Self.left - Self.right)
    }
    var parts = [
      "<svg viewBox=\"0 0 \(Int(Self.width)) \(Int(height))\" role=\"img\" aria-label=\"timeline of the last steps\">"
    ]
    let base = height - 42
    for tick in axis.ticks {
      let at = Markup.coordinate(across(begin + tick * 1e3))
      parts.append("<path class=\"grid\" d=\"M\(at) 2V\(Markup.coordinate(base))\"/>")
      parts.append(
        "<text x=\"\(at)\" y=\"\(Markup.coordinate(base + 16))\" text-anchor=\"middle\">\(axis.text(tick))</text>")
    }
    for (index, rank) in excerpt.ranks.enumerated() {
      let top = Double(index) * Self.row + 4
      parts.append(
        "<text x=\"\(Self.left - 8)\" y=\"\(Markup.coordinate(top + 14))\" text-anchor=\"end\">"
          + "rank \(rank.rank)</text>")
      for event in rank.events {
        let (from, to) = (across(event.start), across(event.end))
        parts.append(box(event, from: from, width: max(0.3, to - from), top: top))
      }
    }
    let middle = (Self.left + Self.width - Self.right) / 2
    parts.append("<text x=\"\(middle)\" y=\"\(Markup.coordinate(height - 6))\" text-anchor=\"middle\">ms</text></svg>")
    let (first, last) = (excerpt.steps.lowerBound, excerpt.steps.upperBound)
    let steps =
      first == last ? "Step \(Markup.grouped(last))" : "Steps \(Markup.grouped(first)) to \(Markup.grouped(last))"
    let place = excerpt.ranks.count == 1 ? "one rank" : "ranks side by side"
    let names = Self.legend.map { "<span class=\"key phase-\($0.0)\">\($0.1)</span>" }.joined()
    return """
      <figure class="wide"><figcaption><b>\(steps) on \(place)</b>\(names)</figcaption>
      \(parts.joined(separator: "\n"))</figure>
      """
  }

  /// Phases above, communication below them.
  private func box(_ event: TimelineExcerpt.Event, from: Double, width: Double, top: Double) -> String {
    let kind = event.isCommunication ? "travel" : Self.kinds[event.name] ?? "other"
    let y = Markup.coordinate(event.isCommunication ? top + 21 : top)
    let duration = Console.number((event.end - event.start) * 1e-3)
    let size = "width=\"\(String(format: "%.2f", width))\" height=\"\(event.isCommunication ? 7 : 19)\""
    return "<rect class=\"phase-\(kind)\" x=\"\(Markup.coordinate(from))\" y=\"\(y)\" \(size)>"
      + "<title>\(Markup.escaped(event.name)), step \(event.step): \(duration) ms</title></rect>"
  }
}
