import Foundation
import KitiCore

/// A plan for people and for programs.
struct PlanReport {
  let name: String
  let model: ScalingModel
  let plan: ScalingPlan
  let cluster: PlanLinks.Cluster

  var text: String {
    let phases = model.phases
    var lines = [
      "\(name): \(model.parameterCount) parameters, \(phases.samples) × \(model.accumulation) samples on each rank",
      "one rank alone   forward \(ms(phases.forward)), backward \(ms(phases.backward)), update \(ms(phases.update))",
      "on a node        \(describe(model.cluster.node, cluster.node))",
      "between nodes    \(describe(model.cluster.network, cluster.network))",
      "sums             \(way), \(Console.number(1e-9 / model.cluster.secondsPerSummedByte)) GB/s added",
      "",
      sentence, "",
      "weak scaling: \(phases.samples * model.accumulation) samples on each rank",
    ]
    lines += table(plan.weak) + [exposure(plan.weak), "", "strong scaling: \(plan.globalBatch) samples in all"]
    return (lines + table(plan.strong) + [exposure(plan.strong)]).joined(separator: "\n")
  }

  var json: String {
    let (phases, links) = (model.phases, model.cluster)
    var line = MetricsLine(kind: "plan")
    line.set("name", name)
    line.set("parameters", model.parameterCount)
    line.set("batch", phases.samples)
    line.set("accumulation", model.accumulation)
    line.set("forwardMs", phases.forward * 1e3)
    line.set("backwardMs", phases.backward * 1e3)
    line.set("updateMs", phases.update * 1e3)
    line.set("way", way)
    for (key, link, origin) in [("node", links.node, cluster.node), ("network", links.network, cluster.network)] {
      line.set("\(key)Link", origin.rawValue)
      guard origin != .unknown else { continue }
      line.set("\(key)LatencyMicroseconds", link.latency * 1e6)
      line.set("\(key)GigabitsPerSecond", link.gigabitsPerSecond)
    }
    line.set("summedGBPerSecond", 1e-9 / links.secondsPerSummedByte)
    line.set("job", [row(plan.job)])
    line.set("weak", plan.weak.map(row))
    line.set("strong", plan.strong.map(row))
    line.set("globalBatch", plan.globalBatch)
    for (key, rows) in [("weakExposedFrom", plan.weak), ("strongExposedFrom", plan.strong)] {
      if let ranks = ScalingPlan.exposedFrom(rows) { line.set(key, ranks) }
    }
    return line.json
  }

  private func row(_ step: StepPrediction) -> MetricsLine {
    var line = MetricsLine()
    line.set("ranks", step.placement.ranks)
    line.set("nodes", step.placement.nodes)
    line.set("msPerStep", step.seconds * 1e3)
    line.set("computeMs", step.compute * 1e3)
    line.set("backwardMs", step.backward * 1e3)
    line.set("communicationMs", step.communication * 1e3)
    line.set("exposedMs", step.exposed * 1e3)
    line.set("hiddenShare", step.hiddenShare)
    line.set("bytesSent", Int(step.bytesSent))
    line.set("efficiency", step.efficiency)
    line.set("samplesPerSecond", step.samplesPerSecond)
    return line
  }

  private var sentence: String {
    let step = plan.job
    return "\(step.placement.ranks) ranks on \(step.placement.nodes) nodes: \(ms(step.seconds)) a step, "
      + "\(ms(step.exposed)) of \(ms(step.communication)) of communication exposed, "
      + String(format: "efficiency %.1f %%, %.0f samples/s", step.efficiency * 100, step.samplesPerSecond)
  }

  private var way: String {
    let parallel = model.parallel
    let placement = plan.job.placement
    let algorithm = model.sumsItself(placement) ? AllreduceAlgorithm.direct : model.algorithm
    let summation = model.usesSharedMemory(placement) ? "shared memory" : algorithm.rawValue
    if parallel.localSteps > 1 { return "\(summation), every \(parallel.localSteps) steps" }
    return [
      summation,
      parallel.compression == .bf16 ? "bf16" : parallel.keepsSampleSums ? "fp64" : "fp32",
      parallel.shardOptimizer ? "sharded" : nil,
      "buckets of \(Console.number(parallel.bucketMiB)) MiB", parallel.progress.rawValue,
    ].compactMap { $0 }.joined(separator: ", ")
  }

  private func table(_ steps: [StepPrediction]) -> [String] {
    let names = ["ranks", "nodes", "step ms", "communication ms", "exposed ms", "hidden %", "efficiency %", "samples/s"]
    let rows = [names] + steps.map(cells)
    return rows.map { (row: [String]) -> String in
      let columns = zip(names, row).map { name, cell -> String in
        let width = max(8, name.count)
        return String(repeating: " ", count: max(0, width - cell.count)) + cell
      }
      return columns.joined(separator: "  ")
    }
  }

  /// In the order of the table's columns.
  private func cells(_ step: StepPrediction) -> [String] {
    var cells = ["\(step.placement.ranks)", "\(step.placement.nodes)"]
    for seconds in [step.seconds, step.communication, step.exposed] {
      cells.append(String(format: "%.3f", seconds * 1e3))
    }
    for share in [step.hiddenShare, step.efficiency] { cells.append(String(format: "%.1f", share * 100)) }
    cells.append(String(format: "%.0f", step.samplesPerSecond))
    return cells
  }

  private func exposure(_ steps: [StepPrediction]) -> String {
    guard let ranks = ScalingPlan.exposedFrom(steps) else {
      return "exposed communication stays below 1 % of the step"
    }
    return "exposed communication takes more than 1 % of the step from \(ranks) ranks on"
  }

  private func describe(_ link: LinkModel, _ origin: PlanLinks.Cluster.Origin) -> String {
    guard origin != .unknown else { return "not known" }
    let numbers = [link.latency * 1e6, link.gigabitsPerSecond].map(Console.number)
    return "\(numbers[0]) µs, \(numbers[1]) Gbit/s (\(origin.rawValue))"
  }

  private func ms(_ seconds: Double) -> String { "\(Console.number(seconds * 1e3)) ms" }
}
