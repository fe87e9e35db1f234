import KitiCore
import XCTest

/// The model of scale against values computed by hand.
final class ScalingModelTests: XCTestCase {
  private let node = LinkModel(latency: 1e-6, secondsPerByte: 1e-10)
  private let network = LinkModel(latency: 1e-5, secondsPerByte: 1e-9)
  private let gamma = 2e-11
  private let bytes = 1e6

  private var cluster: ClusterModel { ClusterModel(node: node, network: network, secondsPerSummedByte: gamma) }

  private func seconds(_ algorithm: AllreduceAlgorithm, _ ranks: Int, on ranksPerNode: Int) -> Double {
    algorithm.cost(
      bytes: bytes, placement: Placement(ranks: ranks, ranksPerNode: ranksPerNode), cluster: cluster
    ).seconds
  }

  // MARK: - Allreduce

  func testOneRankSumsForNothing() {
    for algorithm in AllreduceAlgorithm.allCases { XCTAssertEqual(seconds(algorithm, 1, on: 1), 0, "\(algorithm)") }
  }

  func testFlatSumsHaveTheirClosedForms() {
    let (a, b, n) = (network.latency, network.secondsPerByte, bytes)
    for (p, lg) in [(2.0, 1.0), (4, 2), (8, 3), (1_024, 10)] {
      let rest = (p - 1) / p
      let expected: [AllreduceAlgorithm: Double] = [
        .binomial: 2 * lg * (a + n * b) + lg * n * gamma,
        .recursiveDoubling: lg * (a + n * b + n * gamma),
        .rabenseifner: 2 * lg * a + 2 * rest * n * b + rest * n * gamma,
        .ring: 2 * (p - 1) * a + 2 * rest * n * b + rest * n * gamma,
        .direct: 2 * (p - 1) * a + 2 * rest * n * b + rest * n * gamma,
      ]
      for (algorithm, value) in expected {
        XCTAssertEqual(seconds(algorithm, Int(p), on: 1) / value, 1, accuracy: 1e-12, "\(algorithm) on \(p) ranks")
      }
    }
  }

  func testRanksThatAreNoPowerOfTwoExchangeTwiceMore() {
    let (a, b, n) = (network.latency, network.secondsPerByte, bytes)
    let three = 3 * (a + n * b) + 2 * n * gamma
    XCTAssertEqual(seconds(.recursiveDoubling, 3, on: 1) / three, 1, accuracy: 1e-12)
    XCTAssertEqual(
      seconds(.binomial, 3, on: 1), seconds(.binomial, 4, on: 1), accuracy: 1e-15, "as deep a tree as for four")
  }

  func testSumsOnTwoLevelsCountEachLevelOnce() {
    // Four ranks on each of two nodes.
    let (a, b, n) = (network.latency, network.secondsPerByte, bytes)
    let (inner, innerByte) = (node.latency, node.secondsPerByte)
    let binomial = 2 * 2 * (inner + n * innerByte) + 2 * (a + n * b) + 3 * n * gamma
    XCTAssertEqual(seconds(.binomial, 8, on: 4) / binomial, 1, accuracy: 1e-12)
    let doubling = 2 * (inner + n * innerByte) + (a + 4 * n * b) + 3 * n * gamma
    XCTAssertEqual(seconds(.recursiveDoubling, 8, on: 4) / doubling, 1, accuracy: 1e-12, "four share the port")
    let halving = 4 * inner + 2 * 0.75 * n * innerByte + 2 * (a + 4 * n / 8 * b) + 0.875 * n * gamma
    XCTAssertEqual(seconds(.rabenseifner, 8, on: 4) / halving, 1, accuracy: 1e-12)
    let ring = 14 * (a + n / 8 * b) + 0.875 * n * gamma
    XCTAssertEqual(seconds(.ring, 8, on: 4) / ring, 1, accuracy: 1e-12, "the slower link sets the pace")
    let direct = 2 * (3 * (inner + n / 8 * innerByte) + 4 * (a + 4 * n / 8 * b)) + 0.875 * n * gamma
    XCTAssertEqual(seconds(.direct, 8, on: 4) / direct, 1, accuracy: 1e-12)
  }

  func testWhatTheNetworkMovesAndWhatTheCoreDoesAreToldApart() {
    let cost = AllreduceAlgorithm.binomial.cost(
      bytes: bytes, placement: Placement(ranks: 2, ranksPerNode: 1), cluster: cluster)
    XCTAssertEqual(cost.networkSeconds, 2 * (1e-5 + 1e-3), accuracy: 1e-15)
    XCTAssertEqual(cost.hostSeconds, bytes * gamma, accuracy: 1e-15)
  }

  func testALinkIsFoundFromItsSums() {
    for algorithm in AllreduceAlgorithm.allCases {
      let placement = Placement(ranks: 4, ranksPerNode: 4)
      let sums = [4e3, 6.4e4, 1e6].map {
        (bytes: $0, seconds: algorithm.cost(bytes: $0, placement: placement, cluster: cluster).seconds)
      }
      let link = LinkModel.fitting(sums, algorithm: algorithm, ranks: 4, secondsPerSummedByte: gamma)
      XCTAssertEqual(link.latency / node.latency, 1, accuracy: 1e-9, "\(algorithm)")
      XCTAssertEqual(link.secondsPerByte / node.secondsPerByte, 1, accuracy: 1e-9, "\(algorithm)")
    }
    let falling = LinkModel.fitting(
      [(1e3, 2e-3), (1e6, 1e-3)], algorithm: .ring, ranks: 2, secondsPerSummedByte: gamma)
    XCTAssertEqual(falling.secondsPerByte, 0, "times that fall with the size give no negative bandwidth")
  }

  // MARK: - Steps

  /// Four buckets of 64 numbers, final a quarter of the pass back after one another.
  private func model(
    _ cluster: ClusterModel, update: Double = 0, fixed: Double = 0,
    change: (inout ParallelConfiguration) -> Void = { _ in }
  ) -> ScalingModel {
    var parallel = ParallelConfiguration(bucketMiB: 256.0 / 1_048_576, sharedMemory: false)
    change(&parallel)
    let quarters = (1...4).map { StepPhases.Readiness(seconds: Double($0), count: 64 * $0) }
    let phases = StepPhases(
      samples: 8, forward: 2, backward: 4, update: update, fixed: fixed, readiness: quarters)
    return ScalingModel(phases: phases, parameterCount: 256, parallel: parallel, algorithm: .binomial, cluster: cluster)
  }

  /// A network on which a bucket takes so many seconds up a tree of two ranks, and as many down.
  private func wire(_ seconds: Double, node: Double = 0) -> ClusterModel {
    ClusterModel(
      node: LinkModel(latency: 0, secondsPerByte: node / 256),
      network: LinkModel(latency: 0, secondsPerByte: seconds / 256), secondsPerSummedByte: 0)
  }

  private let pair = Placement(ranks: 2, ranksPerNode: 1)

  func testWithoutCostsOfMessagesEfficiencyIsOne() {
    for parallel in [
      ParallelConfiguration(), .init(progress: .thread), .init(compression: .bf16), .init(shardOptimizer: true),
      .init(localSteps: 4),
    ] {
      let model = model(wire(0)) { $0 = parallel }
      for ranks in [1, 2, 3, 64, 4_096] {
        for perNode in [1, 8] {
          let step = model.weakStep(Placement(ranks: ranks, ranksPerNode: perNode))
          XCTAssertEqual(step.efficiency, 1, accuracy: 1e-12)
          XCTAssertEqual(step.exposed, 0)
        }
      }
      XCTAssertEqual(model.strongStep(pair, globalBatch: 16).efficiency, 1, accuracy: 1e-12)
    }
  }

  func testOnlyTheLastBucketOfAFastNetworkIsExposed() {
    // A bucket takes half a second up and half down: each is there when the next is ready.
    let step = model(wire(0.5)).weakStep(pair)
    let agreement = 64.0 / 256 * 0.5
    XCTAssertEqual(step.exposed, 1 + agreement, accuracy: 1e-12)
    XCTAssertEqual(step.communication, 4 + agreement, accuracy: 1e-12)
    XCTAssertEqual(step.seconds, 6 + 1 + agreement, accuracy: 1e-12)
    XCTAssertEqual(step.efficiency, 6 / step.seconds, accuracy: 1e-12)
  }

  func testBucketsQueueOnASlowNetwork() {
    // Ready at 1, 2, 3, 4; each takes the port for 6: the last is there at 25.
    let step = model(wire(3)).weakStep(pair)
    XCTAssertEqual(step.exposed, 25 - 4 + 64.0 / 256 * 3, accuracy: 1e-12)
  }

  func testOneBucketAsLargeAsTheModelHidesNothing() {
    let step = model(wire(0.5)) { $0.bucketMiB = 4 }.weakStep(pair)
    XCTAssertEqual(step.exposed, step.communication, accuracy: 1e-12)
    XCTAssertEqual(step.hiddenShare, 0, accuracy: 1e-12)
  }

  func testWhatCoresCopyHidesOnlyBehindAThread() {
    let placement = Placement(ranks: 2, ranksPerNode: 2)
    let cluster = wire(0, node: 0.25)
    // Four buckets of 0.25 up and 0.25 down.
    let agreement = 64.0 / 256 * 0.25
    XCTAssertEqual(model(cluster).weakStep(placement).exposed, 2 + agreement, accuracy: 1e-12)
    let threaded = model(cluster) { $0.progress = .thread }.weakStep(placement)
    XCTAssertEqual(threaded.exposed, 0.5 + agreement, accuracy: 1e-12, "the last bucket")
  }

  func testRanksOfOneNodeExchangeHalvesThroughSharedMemory() {
    let cluster = wire(0.5, node: 0.25)
    let shared = model(cluster) { $0.sharedMemory = true }
    // Four buckets, half of each one way and half of the sums the other.
    let together = shared.weakStep(Placement(ranks: 2, ranksPerNode: 2))
    XCTAssertEqual(together.exposed, 4 * 0.25 + 64.0 / 256 * 0.25, accuracy: 1e-12)
    XCTAssertEqual(together.bytesSent, 1_024)
    XCTAssertEqual(shared.weakStep(pair), model(cluster).weakStep(pair), "between nodes")
    for options: ParallelConfiguration in [.init(compression: .bf16), .init(reduction: .ordered)] {
      let placement = Placement(ranks: 2, ranksPerNode: 2)
      XCTAssertFalse(model(cluster) { $0 = options }.usesSharedMemory(placement), "these send messages")
    }
  }

  func testCompressionHalvesTheTimeOfTheNetworkAndTheBytes() {
    // In the same messages as with compression.
    var direct = model(wire(3))
    direct.algorithm = .direct
    let plain = direct.weakStep(pair)
    let half = model(wire(3)) { $0.compression = .bf16 }.weakStep(pair)
    let agreement = 64.0 / 256 * 3
    XCTAssertEqual((half.communication - agreement) / (plain.communication - agreement), 0.5, accuracy: 1e-12)
    XCTAssertEqual(half.bytesSent / plain.bytesSent, 0.5)
    XCTAssertEqual(plain.bytesSent, 1_024)
    let wide = model(wire(3)) { $0.reduction = .ordered }.weakStep(pair)
    let narrow = model(wire(3)).weakStep(pair)
    XCTAssertEqual((wide.communication - agreement) / (narrow.communication - agreement), 2, accuracy: 1e-12)
    XCTAssertEqual(wide.bytesSent, 2_048)
  }

  func testShardsUpdateTheirPartAndShowTheSecondHalf() {
    let model = model(wire(0.5), update: 1) { $0.shardOptimizer = true }
    let step = model.weakStep(pair)
    XCTAssertEqual(step.compute, 6.5, accuracy: 1e-12)
    // Half of a bucket to its owner: 0.25; all halves of parameters back: 4 · 0.25; the norm's two numbers.
    let small = (64.0 + 16) / 256 * 0.5
    XCTAssertEqual(step.exposed, 0.25 + 1 + small, accuracy: 1e-12)
    XCTAssertEqual(step.bytesSent, 1_024)
  }

  func testLocalStepsShareTheCostOfAnAverage() {
    let agreement = 64.0 / 256 * 0.5
    let step = model(wire(0.5)) { $0.localSteps = 5 }.weakStep(pair)
    // Parameters and one array of state: twice four buckets of a second.
    XCTAssertEqual(step.exposed, 2 * 4.0 / 5 + agreement, accuracy: 1e-12)
  }

  func testAccumulationHidesBehindTheLastBatchOnly() {
    var model = model(wire(0.5))
    let once = model.weakStep(pair)
    model.accumulation = 3
    let thrice = model.weakStep(pair)
    XCTAssertEqual(thrice.exposed, once.exposed, accuracy: 1e-12)
    XCTAssertEqual(thrice.seconds - once.seconds, 12, accuracy: 1e-12)
    XCTAssertEqual(thrice.samples, 48)
  }

  func testStrongScalingPaysForWhatABatchTakesWhateverItsSize() {
    // Of six seconds for eight samples, two do not depend on them: four samples take four seconds.
    let model = model(wire(0), fixed: 2)
    let step = model.strongStep(pair, globalBatch: 8)
    XCTAssertEqual(step.seconds, 4, accuracy: 1e-12)
    XCTAssertEqual(step.efficiency, 6.0 / 8, accuracy: 1e-12)
    XCTAssertEqual(step.samplesPerSecond, 2, accuracy: 1e-12)
    let tooMany = model.strongStep(Placement(ranks: 16, ranksPerNode: 1), globalBatch: 8)
    XCTAssertEqual(tooMany.seconds, 2.5, accuracy: 1e-12, "eight ranks have one sample each, the others wait")
  }

  func testRanksBeyondTheCoresTakeTurns() {
    var cluster = wire(0)
    cluster.coresPerNode = 2
    XCTAssertEqual(model(cluster).weakStep(Placement(ranks: 4, ranksPerNode: 4)).efficiency, 0.5, accuracy: 1e-12)
    XCTAssertEqual(model(cluster).weakStep(Placement(ranks: 4, ranksPerNode: 2)).efficiency, 1, accuracy: 1e-12)
  }

  // MARK: - Plans

  func testEfficiencyFallsWithRanksAndRisesWithBandwidth() {
    var before = 2.0
    for seconds in [1e-6, 1e-3, 0.1, 1] {
      for algorithm in AllreduceAlgorithm.allCases {
        var model = model(wire(seconds, node: seconds / 10))
        model.algorithm = algorithm
        let plan = ScalingPlan(model, placement: Placement(ranks: 64, ranksPerNode: 4))
        XCTAssertEqual(plan.weak.map(\.placement.ranks), (0...12).map { 1 << $0 })
        for (first, second) in zip(plan.weak, plan.weak.dropFirst()) {
          XCTAssertLessThanOrEqual(second.efficiency, first.efficiency * (1 + 1e-12), "\(algorithm), \(second)")
          XCTAssertLessThanOrEqual(second.exposed, second.communication * (1 + 1e-12), "\(algorithm), \(second)")
        }
      }
      let efficiency = model(wire(seconds)).weakStep(pair).efficiency
      XCTAssertLessThan(efficiency, before)
      before = efficiency
    }
  }

  func testAPlanHoldsTheJobAmongThePowersOfTwo() {
    let plan = ScalingPlan(model(wire(1e-3)), placement: Placement(ranks: 6, ranksPerNode: 3), largest: 8)
    XCTAssertEqual(plan.weak.map(\.placement.ranks), [1, 2, 4, 6, 8])
    XCTAssertEqual(plan.weak.map(\.placement.nodes), [1, 1, 2, 2, 3])
    XCTAssertEqual(plan.globalBatch, 48)
    XCTAssertEqual(plan.job, plan.weak[3])
    XCTAssertNil(ScalingPlan.exposedFrom(ScalingPlan(model(wire(0)), placement: pair).weak))
    XCTAssertEqual(ScalingPlan.exposedFrom(ScalingPlan(model(wire(1)), placement: pair).weak), 2)
  }

  func testPhasesOfARunReplaceTheMeasuredOnes() {
    let phases = model(wire(0)).phases.taking(passes: 12, update: 3)
    XCTAssertEqual([phases.forward, phases.backward, phases.update], [4, 8, 3])
    XCTAssertEqual(phases.readiness.map(\.seconds), [2, 4, 6, 8])
  }
}
