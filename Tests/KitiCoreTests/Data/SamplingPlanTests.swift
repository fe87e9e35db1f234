import KitiCore
import XCTest

/// Which samples a step and a rank take.
final class SamplingPlanTests: XCTestCase {
  private func plans(_ samples: Int, _ batch: Int, _ accumulation: Int, _ worldSize: Int) -> [SamplingPlan] {
    (0..<worldSize).map {
      SamplingPlan(
        sampleCount: samples, globalBatch: batch, accumulation: accumulation, rank: $0, worldSize: worldSize, seed: 7)
    }
  }

  /// Checks that `parts`, in their order, cover `whole` without overlap or gap and differ by one at most.
  private func assertPartition(_ parts: [Range<Int>], of whole: Range<Int>, _ message: String) {
    var end = whole.lowerBound
    for part in parts {
      XCTAssertEqual(part.lowerBound, end, message)
      end = part.upperBound
    }
    XCTAssertEqual(end, whole.upperBound, message)
    let counts = parts.map(\.count)
    XCTAssertLessThanOrEqual(counts.max()! - counts.min()!, 1, message)
  }

  func testEveryStepIsPartitionedOverRanksAndParts() {
    for samples in [1, 2, 7, 20, 33] {
      for batch in [1, 3, 8, 20, 50] {
        for worldSize in [1, 2, 3, 5, 16] {
          for accumulation in [1, 2, 3] {
            let message = "\(samples) samples, batch \(batch), \(worldSize) ranks, accumulation \(accumulation)"
            let plans = plans(samples, batch, accumulation, worldSize)
            XCTAssertEqual(plans[0].stepsPerEpoch, (samples + batch - 1) / batch, message)
            for step in 0..<plans[0].stepsPerEpoch {
              let whole = step * batch..<min(samples, (step + 1) * batch)
              XCTAssertTrue(plans.allSatisfy { $0.globalCount(step: step) == whole.count }, message)
              assertPartition(plans.map { $0.localPositions(step: step) }, of: whole, message)
              for plan in plans {
                let parts = (0..<accumulation).map { plan.localPositions(step: step, micro: $0) }
                assertPartition(parts, of: plan.localPositions(step: step), message)
                XCTAssertTrue(parts.allSatisfy { $0.count <= plan.largestLocalCount }, message)
              }
            }
          }
        }
      }
    }
  }

  func testAnyNumberOfRanksTakesTheSameSamplesOfEachStep() {
    func samples(_ worldSize: Int, epoch: Int, step: Int) -> [Int] {
      plans(53, 10, 2, worldSize).flatMap { plan in
        plan.localPositions(step: step).map { plan.order(epoch: epoch)[$0] }
      }
    }
    for epoch in 0..<2 {
      for step in 0..<6 {
        let alone = samples(1, epoch: epoch, step: step)
        for worldSize in [2, 3, 4, 7] { XCTAssertEqual(samples(worldSize, epoch: epoch, step: step), alone) }
      }
    }
  }

  func testAnEpochHoldsEverySampleOnce() {
    for samples in [1, 2, 63, 64, 65, 1000] {
      for epoch in [0, 1, 499] {
        XCTAssertEqual(plans(samples, 20, 1, 1)[0].order(epoch: epoch).sorted(), Array(0..<samples))
      }
    }
  }

  func testOrderIsAFunctionOfSeedAndEpochAlone() {
    let plan = plans(100, 20, 1, 1)[0]
    XCTAssertEqual(plan.order(epoch: 3), plan.order(epoch: 3))
    XCTAssertEqual(plan.order(epoch: 3), plans(100, 7, 3, 5)[4].order(epoch: 3))
    let orders = (0..<20).map { plan.order(epoch: $0) }
    XCTAssertEqual(Set(orders).count, 20, "two epochs have the same order")
    let other = SamplingPlan(sampleCount: 100, globalBatch: 20, accumulation: 1, rank: 0, worldSize: 1, seed: 8)
    XCTAssertNotEqual(plan.order(epoch: 0), other.order(epoch: 0))
  }

  func testEveryPositionIsEquallyLikely() {
    let plan = plans(5, 5, 1, 1)[0]
    var counts = [Int](repeating: 0, count: 25)
    for epoch in 0..<5000 {
      for (position, sample) in plan.order(epoch: epoch).enumerated() { counts[5 * position + sample] += 1 }
    }
    // 1000 expected, standard deviation 28.
    XCTAssertTrue(counts.allSatisfy { abs($0 - 1000) < 150 }, "\(counts)")
  }

  func testTheLastStepIsSmallerAndMayLeaveRanksWithoutSamples() {
    let plans = plans(22, 20, 1, 4)
    XCTAssertEqual(plans[0].stepsPerEpoch, 2)
    XCTAssertEqual(plans[0].globalCount(step: 1), 2)
    XCTAssertEqual(plans.map { $0.localPositions(step: 1) }, [20..<21, 21..<22, 22..<22, 22..<22])
    XCTAssertEqual(plans.map { $0.localPositions(step: 0).count }, [5, 5, 5, 5])
  }

  func testEvaluationTakesEverySampleOnceInFileOrder() {
    for samples in [0, 1, 2, 19, 200] {
      for batch in [1, 7, 300] {
        for worldSize in [1, 2, 3, 5, 16] {
          let plans = (0..<worldSize).map {
            EvaluationPlan(sampleCount: samples, batch: batch, rank: $0, worldSize: worldSize)
          }
          let message = "\(samples) samples, batch \(batch), \(worldSize) ranks"
          assertPartition(plans.map(\.samples), of: 0..<samples, message)
          let batches = plans.flatMap(\.batches)
          XCTAssertTrue(batches.allSatisfy { !$0.isEmpty && $0.count <= batch }, message)
          XCTAssertEqual(batches.flatMap { Array($0) }, Array(0..<samples), message)
        }
      }
    }
  }
}
