import ArgumentParser
import KitiCore

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure training steps and their parts on random data.",
    subcommands: [
      ResNet18Bench.self, ResNet20Bench.self, FNO1DBench.self, CollisionBench.self, LoaderBench.self, AllreduceBench.self,
    ])
}

/// What every benchmark of a model takes.
struct BenchOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Samples of a step on each rank, unless the model's usual.", valueName: "b"))
  var batch: Int?

  @Option(help: ArgumentHelp("Steps to measure, after a warm-up.", valueName: "n"))
  var steps = 40

  @Option(help: "Collisions: none, ntc or dense.")
  var scheme = CollisionOptions.Scheme.none

  @Option(help: ArgumentHelp("Threads of a rank; this version has one, start more ranks instead.", valueName: "t"))
  var threads = 1

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Change how ranks work together, such as parallel.progress=thread.", valueName: "key=value"))
  var overrides: [String] = []

  @Flag(help: "One JSON line instead of text.")
  var json = false

  func parallel() throws -> ParallelConfiguration {
    let parallel = try ParallelConfiguration(overrides: overrides)
    guard parallel.localSteps == 1 else {
      throw KitiError(
        .usage, "parallel.localSteps is \(parallel.localSteps), and a benchmark's ranks average in every step.",
        remedy: "Leave it out.")
    }
    return parallel
  }

  func validate() throws {
    if batch ?? 1 < 1 || steps < 1 { throw ValidationError("--batch and --steps: give at least 1.") }
    if threads != 1 {
      throw ValidationError("--threads \(threads): a rank has one thread. Use more cores with mpirun -np N.")
    }
  }
}

extension CollisionOptions.Scheme: ExpressibleByArgument {}
