import Foundation

extension GasRelaxation.Result {
  /// Moments after each step as comma-separated values with a header.
  public var csv: String {
    (["step,secondMoment,fourthMoment,excess,expectedExcess"]
      + moments.map { "\($0.step),\($0.second),\($0.fourth),\($0.excess),\($0.expected)" }).joined(separator: "\n") + "\n"
  }

  /// The excess after each step on a logarithmic scale: measured as dots, the closed form as a line.
  public func svg(title: String) -> String {
    let (left, top, plotWidth, plotHeight) = (70.0, 40.0, 520.0, 300.0)
    let start = moments[0].excess
    let shares = moments.map { (step: $0.step, measured: $0.excess / start, expected: $0.expected / start) }
    let lowest = log10(max(shares.map(\.expected).min() ?? 1, 1e-12))
    let decades = max(1, Int((-lowest).rounded(.up)))
    let steps = Double(max(1, moments.count - 1))
    func x(_ step: Int) -> String { text(left + plotWidth * Double(step) / steps) }
    func y(_ share: Double) -> String { text(top + plotHeight * min(1, -log10(share) / Double(decades))) }
    func text(_ value: Double) -> String { String(format: "%.1f", value) }
    func label(_ words: String, _ x: String, _ y: String, _ anchor: String) -> String {
      "<text x=\"\(x)\" y=\"\(y)\" text-anchor=\"\(anchor)\">\(words)</text>"
    }
    var lines = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 620 400\" font-family=\"sans-serif\" font-size=\"13\">",
      "<rect width=\"620\" height=\"400\" fill=\"white\"/>", label(title, "310", "24", "middle"),
      "<path d=\"M\(text(left)) \(text(top)) V\(text(top + plotHeight)) H\(text(left + plotWidth))\" fill=\"none\" stroke=\"black\"/>",
      label("collision steps", text(left + plotWidth / 2), "384", "middle"),
      "<text transform=\"translate(18 190) rotate(-90)\" text-anchor=\"middle\">fourth-moment excess, share of the start</text>",
    ]
    for decade in 0...decades {
      let height = top + plotHeight * Double(decade) / Double(decades)
      lines.append(
        "<path d=\"M\(text(left)) \(text(height)) h\(text(plotWidth))\" stroke=\"#ddd\" fill=\"none\"/>")
      lines.append(label(decade == 0 ? "1" : "1e-\(decade)", text(left - 8), text(height + 4), "end"))
    }
    let every = max(1, moments.count / 10)
    for share in shares where share.step % every == 0 {
      lines.append(label("\(share.step)", x(share.step), text(top + plotHeight + 18), "middle"))
    }
    let path = shares.map { "\(x($0.step)) \(y($0.expected))" }.joined(separator: " L")
    lines.append("<path d=\"M\(path)\" fill=\"none\" stroke=\"#888\" stroke-width=\"1.5\"/>")
    for share in shares where share.measured > 0 {
      lines.append("<circle cx=\"\(x(share.step))\" cy=\"\(y(share.measured))\" r=\"4\" fill=\"#c33\"/>")
    }
    lines += [
      label("line: closed form, dots: measured", text(left + plotWidth), text(top + 14), "end"), "</svg>", "",
    ]
    return lines.joined(separator: "\n")
  }
}
