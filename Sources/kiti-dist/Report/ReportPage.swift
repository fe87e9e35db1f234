import Foundation
import KitiCore

/// A run as one HTML page that needs nothing but itself.
struct ReportPage {
  let record: RunRecord
  /// The run's configuration as it was written; nil if that is gone.
  let configuration: String?
  let timeline: MergedTimeline?
  /// Of the newest checkpoint; nil if there is none to be read.
  let condensation: (state: TrainingState, layers: [LayerCondensation])?

  private var last: RunRecord.Step? { record.steps.last }
  private var start: RunRecord.Start { record.starts[record.starts.count - 1] }
  /// Nil if this version cannot read it.
  private var settings: Configuration? {
    configuration.flatMap { try? Configuration(yaml: $0, name: "config.yaml") }
  }

  var page: HTMLPage {
    let parts =
      [summary] + notices.map { "<p class=\"notice\">\(Markup.escaped($0))</p>" }
      + sections.map { "<section><h2>\($0.title)</h2>\n\($0.body)</section>" } + [configurationText]
    return HTMLPage(title: start.name, subtitle: progress, body: parts.joined(separator: "\n"))
  }

  // MARK: - What the run is

  private var progress: String {
    guard let last else { return "No step is done yet." }
    let epochs = settings.map { " of \(Markup.grouped($0.training.epochs))" } ?? ""
    return "Step \(Markup.grouped(last.step)), in epoch \(Markup.grouped(last.epoch + 1))\(epochs)."
  }

  private var summary: String {
    let pairs = facts.map { "<div><dt>\($0.0)</dt><dd>\(Markup.escaped($0.1))</dd></div>" }
    return "<dl>\n\(pairs.joined(separator: "\n"))\n</dl>"
  }

  private var facts: [(String, String)] {
    let hosts = start.hosts.joined(separator: ", ")
    let seconds = record.stepSeconds.reduce(0, +)
    var facts = [
      ("model", (settings.map { "\($0.model.kind), " } ?? "") + "\(Markup.grouped(start.parameters)) parameters"),
      ("ranks", "\(Markup.grouped(start.ranks)) on \(hosts)"), ("seed", start.seed),
      ("samples a step", Markup.grouped(start.globalBatch)),
      ("time in steps", Console.duration(seconds)),
    ]
    if let settings {
      facts.insert(("collisions", settings.model.collision.scheme.rawValue), at: 1)
      facts.insert(("data", settings.data.kind.rawValue), at: 2)
    }
    if let last, seconds > 0 {
      facts.append(("speed", "\(Markup.number((Double(last.samples) / seconds).rounded())) samples/s"))
    }
    facts += bestMetric.map { [$0] } ?? []
    facts += [
      ("begun", record.starts[0].started),
      ("version", "kiti-dist \(start.version), \(start.instructionSet)"), ("MPI", mpi),
    ]
    return facts
  }

  /// The library's name and version, without where it was built.
  private var mpi: String { start.mpi.split(separator: ",").first.map(String.init) ?? start.mpi }

  private var bestMetric: (String, String)? {
    if let best = record.evaluations.compactMap(\.accuracy).max() {
      return ("best test accuracy", "\(Console.number(best * 100)) %")
    }
    return record.evaluations.compactMap(\.relativeL2).min().map {
      ("best test relative L2", "\(Console.number($0 * 100)) %")
    }
  }

  private var notices: [String] {
    var notices: [String] = []
    let resumed = record.starts.dropFirst().map {
      "\(Markup.grouped($0.step)) (\($0.ranks) rank\($0.ranks == 1 ? "" : "s"))"
    }
    if !resumed.isEmpty { notices.append("Resumed after step \(resumed.joined(separator: ", ")).") }
    for restore in record.restores {
      notices.append(
        "Step \(Markup.grouped(restore.failedStep)): \(restore.reason); all ranks went back to step "
          + "\(Markup.grouped(restore.step)), with the learning rate times "
          + "\(Console.number(restore.learningRateFactor)).")
    }
    let skipped = record.steps.filter { $0.update == "skipped" }
    if let first = skipped.first {
      notices.append("\(skipped.count) updates were left out, the first at step \(Markup.grouped(first.step)).")
    }
    if record.endsInsideALine {
      notices.append("The last line of metrics.jsonl is not whole: the run is writing it, or was ended while it did.")
    }
    let others = record.damagedLines - (record.endsInsideALine ? 1 : 0)
    if others > 0 { notices.append("\(others) lines of metrics.jsonl could not be read and are left out.") }
    return notices
  }

  // MARK: - What it did

  private var sections: [(title: String, body: String)] {
    var sections: [(String, String)] = []
    func add(_ title: String, _ parts: [String]) {
      if !parts.isEmpty { sections.append((title, parts.joined(separator: "\n"))) }
    }
    add("Training", grid([lossChart, metricChart, rateChart]))
    let layers = LayerTable(record.steps)
    add("Collisions", grid([collisionChart], and: layers.isEmpty ? [] : [layers.html]))
    let ranks = record.meanRankSeconds
    let bars = ranks.isEmpty ? [] : [RankTimeChart(ranks: ranks).html]
    add("Time", grid([speedChart, communicationChart], and: bars) + stragglers)
    add("Timeline", timelineParts)
    if let condensation, !condensation.layers.isEmpty {
      add(
        "Condensation after step \(Markup.grouped(condensation.state.step))",
        [CondensationSection(layers: condensation.layers).html])
    }
    return sections
  }

  private func grid(_ charts: [LineChart], and others: [String] = []) -> [String] {
    let parts = charts.filter { !$0.isEmpty }.map(\.html) + others
    return parts.isEmpty ? [] : ["<div class=\"charts\">\n\(parts.joined(separator: "\n"))\n</div>"]
  }

  private func points(_ value: (RunRecord.Step) -> Double?) -> [LineChart.Point] {
    record.steps.compactMap { step in value(step).map { LineChart.Point(x: Double(step.step), y: $0) } }
  }

  private func tests(_ value: (RunRecord.Evaluation) -> Double?) -> [LineChart.Point] {
    record.evaluations.compactMap { test in value(test).map { LineChart.Point(x: Double(test.step), y: $0) } }
  }

  private var lossChart: LineChart {
    let training = points(\.loss)
    let isPositive = training.allSatisfy { $0.y > 0 } && !training.isEmpty
    return LineChart(
      title: "Loss", quantity: "mean over samples",
      series: [
        .init(name: "training", tone: .first, points: training),
        .init(name: "test", tone: .second, points: tests(\.loss), isSparse: true),
      ], isLogarithmic: isPositive)
  }

  private var metricChart: LineChart {
    let accuracy = tests(\.accuracy)
    let isAccuracy = !accuracy.isEmpty
    let values = isAccuracy ? accuracy : tests(\.relativeL2)
    return LineChart(
      title: isAccuracy ? "Test accuracy" : "Test relative L2 error", quantity: "%",
      series: [
        .init(
          name: "test", tone: .second, points: values.map { LineChart.Point(x: $0.x, y: $0.y * 100) }, isSparse: true)
      ], isLogarithmic: !isAccuracy)
  }

  private var rateChart: LineChart {
    LineChart(
      title: "Learning rate", quantity: "learning rate",
      series: [.init(name: "learning rate", tone: .first, points: points(\.learningRate))], includesZero: true)
  }

  private var collisionChart: LineChart {
    LineChart(
      title: "Collision rate of all layers", quantity: "% of candidate pairs",
      series: [.init(name: "rate", tone: .first, points: points { $0.collisionRate.map { $0 * 100 } })],
      includesZero: true)
  }

  private var speedChart: LineChart {
    LineChart(
      title: "Speed of all ranks", quantity: "samples/s",
      series: [.init(name: "speed", tone: .first, points: points(\.samplesPerSecond))], includesZero: true)
  }

  private var communicationChart: LineChart {
    LineChart(
      title: "Communication, of rank 0", quantity: "%",
      series: [
        .init(
          name: "of the step, exposed", tone: .second, points: points { $0.communicationShare.map { $0 * 100 } }),
        .init(
          name: "of communication, hidden behind computing", tone: .first,
          points: points { $0.hiddenShare.map { $0 * 100 } }),
      ], includesZero: true)
  }

  private static let mostStragglers = 12

  private var stragglers: [String] {
    let found = record.stragglers
    guard !found.isEmpty else { return [] }
    let rows = found.prefix(Self.mostStragglers).map { timing in
      "<tr><td>\(Markup.grouped(timing.step))</td><td>\(timing.slowestRank.map(String.init) ?? "–")</td>"
        + "<td class=\"name\">\(Markup.escaped(timing.slowestHost ?? "–"))</td>"
        + "<td>\(Console.number((timing.slowestExcess ?? 0) * 100)) %</td></tr>"
    }
    let more = found.count > rows.count ? " (the worst \(rows.count) of \(found.count) times)" : ""
    return [
      """
      <h2>Ranks that held the others up\(more)</h2>
      <div class="scroll"><table><thead><tr><th>until step</th><th>rank</th><th class="name">host</th>\
      <th>longer than the median rank</th></tr></thead>
      <tbody>\(rows.joined(separator: "\n"))</tbody></table></div>
      """
    ]
  }

  private var timelineParts: [String] {
    guard let timeline else { return [] }
    let strip = timeline.excerpt.map { [TimelineStrip(excerpt: $0).html] } ?? []
    let ranks = "\(timeline.ranks.count) rank\(timeline.ranks.count == 1 ? "" : "s")"
    return strip + [
      "<p class=\"soft\">All steps are in timeline.json beside this page (\(Markup.grouped(timeline.events)) events of "
        + "\(ranks)): open it in Perfetto or chrome://tracing.</p>"
    ]
  }

  private var configurationText: String {
    guard let configuration else { return "" }
    return "<details><summary>Configuration</summary><pre>\(Markup.escaped(configuration))</pre></details>"
  }
}
