import ArgumentParser
import KitiCore
import KitiMPI

struct AllreduceBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "allreduce",
    abstract: "Sums over ranks, as gradients are averaged: a sweep of sizes, for each way of summing.",
    discussion: """
      One line a size and way: fast (MPI's own allreduce), ordered (in double precision) and bf16. Ways take turns, and a \
      time is the median over them. The effective bandwidth is what a rank would have to send in that time in fp32, \
      2(N - 1)/N times the size: with it, numbers of ranks and ways compare.
      """)

  @Option(help: ArgumentHelp("The largest size, MiB.", valueName: "m"))
  var largest = 16.0

  @Option(help: ArgumentHelp("Turns of every size and way, after a warm-up.", valueName: "n"))
  var rounds = 7

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Change how ranks work together: parallel.bucketMiB=2.", valueName: "key=value"))
  var overrides: [String] = []

  @Flag(help: "JSON lines instead of text.")
  var json = false

  func validate() throws {
    if rounds < 1 { throw ValidationError("--rounds: give at least 1.") }
    if !(largest > 0 && largest <= 4_096) {
      throw ValidationError("--largest \(largest): give a size of up to 4096 MiB.")
    }
  }

  private static let ways = [
    ("fast", ParallelConfiguration(reduction: .fast)), ("ordered", ParallelConfiguration(reduction: .ordered)),
    ("bf16", ParallelConfiguration(compression: .bf16)),
  ]

  func run() throws {
    let world = try Launch.world()
    let parallel = try world.agreeing {
      guard world.size > 1 else {
        throw KitiError(
          .usage, "One rank has nothing to sum.", remedy: "Start several: mpirun -np 2 kiti-dist bench allreduce.")
      }
      return try ParallelConfiguration(overrides: overrides)
    }
    var bytes = 4_096
    while Double(bytes) <= largest * 1_048_576 {
      try measure(bytes, parallel, world)
      bytes *= 4
    }
  }

  private func measure(_ bytes: Int, _ parallel: ParallelConfiguration, _ world: Communicator) throws {
    let timers = try Self.ways.map { way in
      var configuration = parallel
      (configuration.compression, configuration.reduction) = (way.1.compression, way.1.reduction)
      return try ExchangeTimer(byteCount: bytes, configuration: configuration, communicator: world)
    }
    // Small sums are repeated, so that the clock and the barrier do not matter.
    let turns = max(1, min(200, 4_194_304 / bytes))
    var seconds = timers.map { _ in [Double]() }
    for round in 0...rounds {
      for (index, timer) in timers.enumerated() {
        let time = try timer.time(turns: round == 0 ? 1 : turns)
        if round > 0 { seconds[index].append(time) }
      }
    }
    guard world.rank == 0 else { return }
    for ((way, timer), seconds) in zip(zip(Self.ways, timers), seconds) {
      let time = median(seconds)
      var line = MetricsLine(kind: "bench")
      line.set("bench", "allreduce")
      line.set("way", way.0)
      line.set("bytes", timer.byteCount)
      line.set("microseconds", (time * 1e7).rounded() / 10)
      line.set("msPerStep", time * 1e3)
      let needed = 2 * Double(timer.byteCount) * Double(world.size - 1) / Double(world.size)
      line.set("effectiveGBPerSecond", needed / time / 1e9)
      line.set("bytesSent", timer.bytesSent)
      line.set("bucketMiB", parallel.bucketMiB)
      line.set("ranks", world.size)
      line.set("threads", 1)
      line.set("peakMiB", peakMemory())
      print(json ? line.json : line.table + "\n")
    }
  }
}
