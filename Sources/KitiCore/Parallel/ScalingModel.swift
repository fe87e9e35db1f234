/// Predicts what a training step takes on many ranks, from what it takes on one and what messages cost.
///
/// - Compute: a batch's passes and the update, as one rank does them alone, equally fast on all ranks.
/// - Each bucket of gradients leaves when the pass back is beyond it and the bucket before it has left the port.
///   What the network moves hides behind the rest of the pass; what the ranks' own cores copy and add hides only behind
///   a communication thread, which has a core to spare.
/// - Nothing else delays a rank: no slower ranks, no shared network, no reading of samples. So the model is a bound on
///   what a machine with these links can reach.
public struct ScalingModel: Sendable {
  public var phases: StepPhases
  /// Numbers of the parameter store; a multiple of 16.
  public var parameterCount: Int
  /// Arrays of optimizer state, which local steps average too.
  public var stateCount: Int
  public var parallel: ParallelConfiguration
  /// Batches of a step on each rank.
  public var accumulation: Int
  /// How MPI sums where it is left to MPI.
  public var algorithm: AllreduceAlgorithm
  public var cluster: ClusterModel

  public init(
    phases: StepPhases, parameterCount: Int, stateCount: Int = 1, parallel: ParallelConfiguration = .init(),
    accumulation: Int = 1, algorithm: AllreduceAlgorithm, cluster: ClusterModel
  ) {
    precondition(parameterCount % 16 == 0, "a store has whole cache lines")
    self.phases = phases
    self.parameterCount = parameterCount
    self.stateCount = stateCount
    self.parallel = parallel
    self.accumulation = accumulation
    self.algorithm = algorithm
    self.cluster = cluster
  }

  /// A step in which every rank has `accumulation` batches, whatever the number of ranks.
  public func weakStep(_ placement: Placement) -> StepPrediction {
    func full(_ placement: Placement) -> StepPrediction {
      predict(placement, batches: accumulation, samples: Double(phases.samples))
    }
    var step = full(placement)
    step.efficiency = full(.alone).seconds / step.seconds
    return step
  }

  /// A step whose samples all ranks share, in batches of at most the measured size.
  public func strongStep(_ placement: Placement, globalBatch: Int) -> StepPrediction {
    func shared(_ placement: Placement) -> StepPrediction {
      let own = (globalBatch + placement.ranks - 1) / placement.ranks
      let batches = (own + phases.samples - 1) / phases.samples
      return predict(placement, batches: batches, samples: Double(own) / Double(batches))
    }
    var step = shared(placement)
    step.samples = Double(globalBatch)
    step.efficiency = shared(.alone).seconds / (step.seconds * Double(placement.ranks))
    return step
  }

  private func predict(_ placement: Placement, batches: Int, samples: Double) -> StepPrediction {
    let slowdown = cluster.coresPerNode.map { max(1, Double(placement.neighbours) / Double($0)) } ?? 1
    let own = phases.scaled(samples: samples, slowdown: slowdown)
    let isSharded = parallel.shardOptimizer && placement.ranks > 1
    let update = isSharded ? own.update / Double(placement.ranks) : own.update
    let compute = Double(batches) * (own.forward + own.backward) + update
    let costs = communication(own, placement)
    return StepPrediction(
      placement: placement, samples: samples * Double(batches * placement.ranks), compute: compute,
      backward: own.backward, communication: costs.whole, exposed: costs.exposed, bytesSent: bytesSent(placement))
  }

  // MARK: - Communication

  /// Seconds of a step's communication if nothing hid it, and what of it does not hide.
  private func communication(_ own: StepPhases, _ placement: Placement) -> (whole: Double, exposed: Double) {
    guard placement.ranks > 1 else { return (0, 0) }
    // Every step ends with one small sum that all ranks decide by.
    let agreement = AllreduceAlgorithm.agreementSeconds(bytes: 64, placement: placement, cluster: cluster)
    let layout = BucketLayout(count: parameterCount, bucketMiB: parallel.bucketMiB, ranks: placement.ranks)
    let sizes = (0..<layout.bucketCount).map { Double(layout.bucket($0).count * MemoryLayout<Float>.stride) }
    if parallel.localSteps > 1 {
      let array = drain(sizes.map { cost($0, placement) }, ready: nil).end
      let seconds = Double(1 + stateCount) * array / Double(parallel.localSteps) + agreement
      return (seconds, seconds)
    }
    let costs = sizes.map { cost($0, placement) }
    let ready = (0..<layout.bucketCount).map { own.readySeconds(layout.bucket($0).upperBound) }
    let whole = drain(costs, ready: nil).end
    let timed = drain(costs, ready: ready)
    let exposed = timed.exposedHost + max(0, timed.end - timed.exposedHost - own.backward)
    guard parallel.shardOptimizer else { return (whole + agreement, exposed + agreement) }
    let collection = drain(
      sizes.map {
        AllreduceAlgorithm.directHalf(bytes: $0, isSummed: false, placement: placement, cluster: cluster)
      }, ready: nil
    ).end
    // Each rank's share of the squares of the norm.
    let norm = AllreduceAlgorithm.agreementSeconds(
      bytes: Double(8 * placement.ranks), placement: placement, cluster: cluster)
    return (whole + collection + norm + agreement, exposed + collection + norm + agreement)
  }

  /// Of one bucket while gradients are averaged.
  private func cost(_ bytes: Double, _ placement: Placement) -> ExchangeCost {
    let isCompressed = parallel.compression == .bf16
    let sent = isCompressed ? bytes / 2 : parallel.keepsSampleSums ? 2 * bytes : bytes
    var cost =
      switch (parallel.shardOptimizer, sumsItself(placement)) {
      case (true, _):
        AllreduceAlgorithm.directHalf(bytes: sent, isSummed: true, placement: placement, cluster: cluster)
      case (false, true): AllreduceAlgorithm.direct.cost(bytes: sent, placement: placement, cluster: cluster)
      case (false, false): algorithm.cost(bytes: sent, placement: placement, cluster: cluster)
      }
    if isCompressed {
      // Rounding reads and writes every number once, and so does what is received: as much as adding it.
      let rounding = (parallel.shardOptimizer ? 1 : 2) * bytes * cluster.secondsPerSummedByte
      cost.seconds += rounding
      cost.hostSeconds += rounding
    }
    return cost
  }

  /// Whether the program sums by itself, in parts that ranks own, and leaves nothing to MPI's algorithm.
  package func sumsItself(_ placement: Placement) -> Bool {
    parallel.compression == .bf16 || parallel.shardOptimizer || usesSharedMemory(placement)
  }

  /// Whether ranks read one another's parts from memory that they share, in place of messages. In the model that costs
  /// what `direct` does, over the link between ranks of a node.
  package func usesSharedMemory(_ placement: Placement) -> Bool {
    placement.nodes == 1 && parallel.asksForSharedMemory(placement.ranks)
  }

  /// Moves buckets one after another.
  ///
  /// - Parameter ready: when each may leave; nil if all may from the start.
  /// - Returns: when the last one is there, and of that what the computing core does itself, which polling cannot hide.
  private func drain(_ costs: [ExchangeCost], ready: [Double]?) -> (end: Double, exposedHost: Double) {
    let polls = parallel.progress == .poll
    var (end, host) = (0.0, 0.0)
    for (index, cost) in costs.enumerated() {
      end = max(ready?[index] ?? 0, end) + (polls ? cost.networkSeconds : cost.seconds)
      if polls { host += cost.hostSeconds }
    }
    // The core's own work comes last here: it delays the pass back as much as it delays messages.
    return (end + host, host)
  }

  /// Bytes that leave a rank, on average over the ranks: every algorithm but one sends the fewest that suffice.
  private func bytesSent(_ placement: Placement) -> Double {
    guard placement.ranks > 1 else { return 0 }
    let stride = parallel.keepsSampleSums ? MemoryLayout<Double>.stride : MemoryLayout<Float>.stride
    let bytes = Double(parameterCount * stride)
    let half = bytes * (1 - 1 / Double(placement.ranks))
    let isCompressed = parallel.compression == .bf16
    let sum =
      !sumsItself(placement) && algorithm == .recursiveDoubling
      ? bytes * Double(AllreduceAlgorithm.logarithm(placement.ranks)) : 2 * half
    if parallel.localSteps > 1 { return sum * Double(1 + stateCount) / Double(parallel.localSteps) }
    return isCompressed ? (parallel.shardOptimizer ? 1.5 : 1) * half : sum
  }
}

/// One row of a plan.
public struct StepPrediction: Sendable, Equatable {
  public var placement: Placement
  /// Of the step, over all ranks.
  public var samples: Double
  /// Seconds of passes and update.
  public var compute: Double
  /// Seconds of one pass back: what communication can hide behind.
  public var backward: Double
  /// Seconds of communication if none of it were hidden.
  public var communication: Double
  /// Seconds of communication during which nothing is computed.
  public var exposed: Double
  /// Bytes that leave a rank, on average over the ranks.
  public var bytesSent: Double
  /// Samples per second and rank over those of one rank alone.
  public var efficiency = 1.0

  public var seconds: Double { compute + exposed }
  public var samplesPerSecond: Double { samples / seconds }
  /// The share of communication that is hidden; 1 where there is none.
  public var hiddenShare: Double { communication > 0 ? 1 - exposed / communication : 1 }
}
