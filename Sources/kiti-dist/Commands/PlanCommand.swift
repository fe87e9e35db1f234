import ArgumentParser
import KitiCore
import KitiMPI

struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Predict step times and efficiency of a job on many ranks.",
    discussion: """
      Measures what a step takes on one rank, and predicts it on many from what messages cost. Where to take a step \
      from: a configuration, whose model is run on random samples of its data set's shapes; one of the benchmarks; or \
      --phases. Under 'mpirun -np 2' what messages cost is measured too: between the ranks of a node, or between nodes \
      if each rank has one of its own; all ranks measure their steps at once then. See docs/scaling.md.
      """)

  @Argument(help: "The configuration, a YAML file.")
  var config: String?

  @Option(help: "In place of a configuration: resnet18, resnet20 or fno1d, as bench runs them.")
  var bench: PlanSubject.Benchmark?

  @Option(
    help: ArgumentHelp(
      "In place of a configuration: milliseconds of forward pass, backward pass and update; needs --parameters.",
      valueName: "f,b,u"))
  var phases: String?

  @Option(help: ArgumentHelp("Parameters of the model of --phases.", valueName: "n"))
  var parameters: Int?

  @Option(help: ArgumentHelp("A run's metrics.jsonl: passes and update as long as its timings say.", valueName: "file"))
  var metrics: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Change a key of the configuration, such as parallel.compression=bf16.", valueName: "key=value"))
  var overrides: [String] = []

  @Option(help: ArgumentHelp("Ranks of the job.", valueName: "n"))
  var ranks: Int

  @Option(help: ArgumentHelp("Nodes, with as many ranks each.", valueName: "m"))
  var nodes = 1

  @OptionGroup var links: PlanLinks

  @Option(
    help: """
      How MPI sums: rabenseifner (which this program asks Open MPI for), binomial (what that does unless asked), \
      recursive-doubling, ring or direct.
      """)
  var algorithm = AllreduceAlgorithm.rabenseifner

  @Option(help: ArgumentHelp("Samples of a step in the table of strong scaling, unless the job's.", valueName: "n"))
  var globalBatch: Int?

  @Option(help: ArgumentHelp("Steps to measure, after a warm-up.", valueName: "n"))
  var steps = 5

  @Flag(help: "One JSON line instead of text.")
  var json = false

  private static let mostRanks = 1 << 20

  func validate() throws {
    if [config != nil, bench != nil, phases != nil].count(where: { $0 }) != 1 {
      throw ValidationError("What is to be planned? Give one of: a configuration, --bench, --phases.")
    }
    if (phases == nil) != (parameters == nil) { throw ValidationError("--phases and --parameters belong together.") }
    if phases != nil, metrics != nil { throw ValidationError("--phases and --metrics both say how long a step takes.") }
    if let parameters, !(1...1 << 40).contains(parameters) { throw ValidationError("--parameters: give at least 1.") }
    if !(1...Self.mostRanks).contains(ranks) {
      throw ValidationError("--ranks \(ranks): give a number from 1 to \(Self.mostRanks).")
    }
    if nodes < 1 || ranks % nodes != 0 {
      throw ValidationError("--nodes \(nodes): \(ranks) ranks must divide evenly over them.")
    }
    if steps < 1 { throw ValidationError("--steps: give at least 1.") }
    if let globalBatch, globalBatch < 1 { throw ValidationError("--global-batch: give at least 1.") }
  }

  func run() throws {
    let world = try Launch.world()
    let placement = Placement(ranks: ranks, ranksPerNode: ranks / nodes)
    let summation = measureSummation()
    let subject = try PlanSubject(self, world)
    let cluster = try links.cluster(
      placement, world, secondsPerSummedByte: summation,
      sharesMemory: placement.nodes == 1 && subject.parallel.asksForSharedMemory(placement.ranks))
    let model = ScalingModel(
      phases: subject.phases, parameterCount: subject.parameterCount, stateCount: subject.stateCount,
      parallel: subject.parallel, accumulation: subject.accumulation, algorithm: algorithm, cluster: cluster.model)
    let plan = ScalingPlan(
      model, placement: placement, globalBatch: globalBatch ?? subject.globalBatch,
      largest: cluster.hasNetwork ? ScalingPlan.largestTable : ranks)
    guard world.rank == 0 else { return }
    let report = PlanReport(name: subject.name, model: model, plan: plan, cluster: cluster)
    print(json ? report.json : report.text)
  }
}

extension AllreduceAlgorithm: ExpressibleByArgument {}
