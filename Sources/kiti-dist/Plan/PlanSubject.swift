import ArgumentParser
import Foundation
import KitiCore
import KitiMPI

/// The step that a plan is about: measured, or given.
struct PlanSubject {
  enum Benchmark: String, CaseIterable, ExpressibleByArgument {
    case resnet18, resnet20, fno1d
  }

  let name: String
  let phases: StepPhases
  let parameterCount: Int
  let stateCount: Int
  let parallel: ParallelConfiguration
  let accumulation: Int
  /// Of a configuration that says one.
  let globalBatch: Int?

  /// Collective.
  init(_ command: PlanCommand, _ world: Communicator) throws {
    if let text = command.phases, let parameters = command.parameters {
      // Stores have whole cache lines.
      parameterCount = (parameters + 15) / 16 * 16
      phases = try world.agreeing { [parameterCount] in try Self.given(text, parameterCount) }
      parallel = try world.agreeing { try ParallelConfiguration(overrides: command.overrides) }
      (name, stateCount, accumulation, globalBatch) = ("given phases", 1, 1, nil)
      return
    }
    let (configuration, samples, run) = try world.agreeing {
      let run = try command.metrics.map { try Self.timings($0) }
      if let bench = command.bench {
        let configuration = try Configuration(
          yaml: bench.configuration, name: bench.rawValue, overrides: command.overrides)
        return (configuration, bench.samples, run)
      }
      let configuration = try Configuration.load(path: command.config ?? "", overrides: command.overrides)
      return (configuration, RandomSamples(like: try Experiment.dataSet(configuration.data)), run)
    }
    accumulation = configuration.training.accumulation
    let batch: Int
    switch configuration.training.batch {
    case .perRank(let count): (batch, globalBatch) = (count, nil)
    case .global(let count):
      let parts = command.ranks * accumulation
      (batch, globalBatch) = ((count + parts - 1) / parts, count)
    }
    let probe = try world.agreeing {
      try StepProbe(configuration, samples: samples, batch: batch, rank: world.rank)
    }
    var phases = try Self.mean(probe.measure(steps: command.steps), world)
    if let run { phases = phases.taking(passes: run.compute / Double(accumulation), update: run.update) }
    self.phases = phases
    (name, parallel) = (configuration.name, configuration.parallel)
    (parameterCount, stateCount) = (probe.parameterCount, probe.stateCount)
  }

  /// Ranks that measure at once share memory and caches: their mean is what a full node gives.
  private static func mean(_ phases: StepPhases, _ world: Communicator) throws -> StepPhases {
    let passes = try world.allreduce(phases.forward + phases.backward, .sum) / Double(world.size)
    let update = try world.allreduce(phases.update, .sum) / Double(world.size)
    return phases.taking(passes: passes, update: update)
  }

  private static func given(_ text: String, _ parameterCount: Int) throws -> StepPhases {
    let values = text.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
    guard values.count == 3, values.allSatisfy({ $0.map { $0 >= 0 && $0.isFinite } ?? false }) else {
      throw KitiError(
        .usage, "--phases '\(text)' is not three times.",
        remedy: "Give milliseconds of forward pass, backward pass and update, such as 300,600,8.")
    }
    let seconds = values.map { ($0 ?? 0) * 1e-3 }
    guard seconds[0] + seconds[1] > 0 else {
      throw KitiError(.usage, "--phases '\(text)': the passes take no time.", remedy: "Give more than 0.")
    }
    return .even(
      samples: 1, forward: seconds[0], backward: seconds[1], update: seconds[2], parameterCount: parameterCount)
  }

  /// Seconds of a step's passes and of its update in a run: the medians of its timings.
  private static func timings(_ path: String) throws -> (compute: Double, update: Double) {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw KitiError(.usage, "--metrics \(path) cannot be read.", remedy: "Name the metrics.jsonl of a run.")
    }
    let lines = data.split(separator: UInt8(ascii: "\n")).compactMap { line -> (Double, Double)? in
      guard let object = (try? JSONSerialization.jsonObject(with: Data(line))) as? [String: Any],
        object["kind"] as? String == "timing", let compute = object["compute"] as? Double, compute > 0,
        let update = object["update"] as? Double, update >= 0
      else { return nil }
      return (compute, update)
    }
    guard !lines.isEmpty else {
      throw KitiError(
        .badData, "--metrics \(path) holds no timings.",
        remedy: "Take the metrics.jsonl of a run that is long enough to have lines of the kind 'timing'.")
    }
    return (median(lines.map(\.0)), median(lines.map(\.1)))
  }
}

extension PlanSubject.Benchmark {
  /// What `bench` runs under the same name.
  fileprivate var configuration: String {
    switch self {
    case .resnet18, .resnet20:
      """
      name: \(rawValue)
      data: {kind: cifar10, path: none}
      model: {kind: resnet, depth: \(self == .resnet18 ? 18 : 20)}
      optimizer: {kind: sgd, learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 5e-4}
      training: {epochs: 1, batch: 128}
      """
    case .fno1d:
      """
      name: fno1d
      data: {kind: burgers, path: none}
      model: {kind: fno1d}
      optimizer: {kind: adam, learningRate: 1e-3, weightDecay: 1e-4}
      training: {epochs: 1, batch: 20}
      """
    }
  }

  fileprivate var samples: RandomSamples {
    self == .fno1d
      ? RandomSamples(inputShape: [1_024, 1], classCount: nil) : RandomSamples(inputShape: [32, 32, 3], classCount: 10)
  }
}
