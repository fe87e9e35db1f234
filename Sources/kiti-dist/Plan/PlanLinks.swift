import ArgumentParser
import KitiCore
import KitiMPI

/// What messages cost on the machine of a plan: given, or measured between the ranks that were started.
struct PlanLinks: ParsableArguments {
  @Option(help: ArgumentHelp("Of a message between nodes, microseconds.", valueName: "us"))
  var latency: Double?

  @Option(help: ArgumentHelp("Of a node's port, Gbit/s each way.", valueName: "gbit/s"))
  var bandwidth: Double?

  @Option(help: ArgumentHelp("Of a message between ranks of a node, microseconds.", valueName: "us"))
  var nodeLatency: Double?

  @Option(help: ArgumentHelp("Between two ranks of a node, Gbit/s.", valueName: "gbit/s"))
  var nodeBandwidth: Double?

  @Option(
    help: ArgumentHelp("Of a node: more ranks take turns on them. A core for each rank unless told.", valueName: "n"))
  var cores: Int?

  func validate() throws {
    for (name, value) in [("latency", latency), ("node-latency", nodeLatency)] {
      if let value, !(value >= 0 && value.isFinite) { throw ValidationError("--\(name) \(value): give 0 or more.") }
    }
    for (name, value) in [("bandwidth", bandwidth), ("node-bandwidth", nodeBandwidth)] {
      if let value, !(value > 0 && value.isFinite) { throw ValidationError("--\(name) \(value): give more than 0.") }
    }
    if (latency == nil) != (bandwidth == nil) { throw ValidationError("--latency and --bandwidth belong together.") }
    if (nodeLatency == nil) != (nodeBandwidth == nil) {
      throw ValidationError("--node-latency and --node-bandwidth belong together.")
    }
    if let cores, cores < 1 { throw ValidationError("--cores: give at least 1.") }
  }

  /// A cluster, and where its numbers come from.
  struct Cluster {
    enum Origin: String { case given, measured, unknown }

    var model: ClusterModel
    var node: Origin
    var network: Origin
    /// Whether there can be more than one node.
    var hasNetwork: Bool { network != .unknown }
  }

  /// Collective.
  ///
  /// - Parameter sharesMemory: whether ranks of one node sum through memory that they share, without messages.
  func cluster(
    _ placement: Placement, _ world: Communicator, secondsPerSummedByte: Double, sharesMemory: Bool
  ) throws -> Cluster {
    let hosts = Set(try world.allgather(MPI.processorName)).count
    var node = Self.link(nodeLatency, nodeBandwidth)
    var network = Self.link(latency, bandwidth)
    var cluster = Cluster(
      model: ClusterModel(
        node: .free, network: .free, secondsPerSummedByte: secondsPerSummedByte, coresPerNode: cores),
      node: node == nil ? .unknown : .given, network: network == nil ? .unknown : .given)
    if world.size > 1, hosts == 1, node == nil {
      node = try measure(world, secondsPerSummedByte, sharesMemory: sharesMemory)
      cluster.node = .measured
    } else if world.size > 1, hosts == world.size, network == nil {
      network = try measure(world, secondsPerSummedByte, sharesMemory: false)
      cluster.network = .measured
    }
    try world.agreeing {
      if placement.nodes > 1, network == nil {
        throw KitiError(
          .usage, "What messages between \(placement.nodes) nodes cost is not known.",
          remedy: "Give --latency and --bandwidth, or start a rank on each of two nodes to measure it.")
      }
      if placement.ranksPerNode > 1, node == nil {
        throw KitiError(
          .usage, "What messages between \(placement.ranksPerNode) ranks of a node cost is not known.",
          remedy: "Measure it with mpirun -np 2 kiti-dist plan …, or give --node-latency and --node-bandwidth.")
      }
    }
    cluster.model.node = node ?? .free
    cluster.model.network = network ?? .free
    return cluster
  }

  private static func link(_ microseconds: Double?, _ gigabits: Double?) -> LinkModel? {
    guard let microseconds, let gigabits else { return nil }
    return LinkModel(microseconds: microseconds, gigabitsPerSecond: gigabits)
  }

  /// The link that explains sums over the ranks that were started. Collective.
  private func measure(
    _ world: Communicator, _ secondsPerSummedByte: Double, sharesMemory: Bool
  ) throws -> LinkModel {
    let sums = try [4_096, 16_384, 65_536, 262_144, 1_048_576].map { bytes in
      // One bucket, so that nothing overlaps.
      let configuration = ParallelConfiguration(bucketMiB: 4, sharedMemory: sharesMemory)
      let timer = try ExchangeTimer(byteCount: bytes, configuration: configuration, communicator: world)
      let first = try timer.time(turns: 1)
      let turns = max(1, min(100, Int(0.02 / first)))
      // The link's own time is the least: others on the machine only add to it.
      let seconds = try (0..<5).reduce(first) { fastest, _ in min(fastest, try timer.time(turns: turns)) }
      return (bytes: Double(bytes), seconds: seconds)
    }
    let algorithm = sharesMemory ? AllreduceAlgorithm.direct : .rabenseifner
    return .fitting(sums, algorithm: algorithm, ranks: world.size, secondsPerSummedByte: secondsPerSummedByte)
  }
}

extension LinkModel {
  /// Where no message goes.
  fileprivate static let free = LinkModel(latency: 0, secondsPerByte: 0)
}
