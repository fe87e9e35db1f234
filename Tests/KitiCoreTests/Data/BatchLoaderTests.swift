import Foundation
import KitiCore
import XCTest

/// Reading batches ahead.
final class BatchLoaderTests: DataSetTestCase {
  private struct Copy: Equatable {
    var indices: [Int]
    var inputs: [Float]
    var targets: [Float]
  }

  private func copy(_ batch: Batch, _ dataSet: FieldDataSet) -> Copy {
    func array<T>(_ pointer: UnsafePointer<T>, _ count: Int) -> [T] {
      Array(UnsafeBufferPointer(start: pointer, count: count))
    }
    return Copy(
      indices: array(batch.indices, batch.count),
      inputs: array(batch.inputs, batch.count * dataSet.inputShape.reduce(1, *)),
      targets: array(batch.targets, batch.count * dataSet.targetShape.reduce(1, *)))
  }

  /// What the loader must give, from the plan alone.
  private func expected(_ plan: SamplingPlan, epochs: Range<Int>) -> [Copy] {
    epochs.flatMap { epoch in
      let order = plan.order(epoch: epoch)
      return (0..<plan.stepsPerEpoch).flatMap { step in
        (0..<plan.accumulation).map { micro in
          let indices = plan.localPositions(step: step, micro: micro).map { order[$0] }
          return Copy(
            indices: indices,
            inputs: indices.flatMap { i in (0..<3).map { value(.train, target: false, sample: i, element: $0) } },
            targets: indices.flatMap { i in (0..<2).map { value(.train, target: true, sample: i, element: $0) } })
        }
      }
    }
  }

  private func drain(_ loader: BatchLoader, _ dataSet: FieldDataSet) throws -> [Copy] {
    try (0..<loader.batchCount).map { _ in copy(try loader.next(), dataSet) }
  }

  private func plan(
    _ batch: Int = 4, accumulation: Int = 1, rank: Int = 0, of worldSize: Int = 1, samples: Int = 10
  ) -> SamplingPlan {
    SamplingPlan(
      sampleCount: samples, globalBatch: batch, accumulation: accumulation, rank: rank, worldSize: worldSize, seed: 5)
  }

  func testGivesThePlannedSamplesInOrder() throws {
    let dataSet = try FieldDataSet(path: makeDataSet(), kind: "burgers")
    for (batch, accumulation, worldSize) in [(4, 1, 1), (4, 3, 1), (5, 2, 2), (3, 1, 4), (20, 2, 3)] {
      for rank in 0..<worldSize {
        let plan = plan(batch, accumulation: accumulation, rank: rank, of: worldSize)
        for buffers in 1...4 {
          let loader = try BatchLoader(
            dataSet: dataSet, split: .train, plan: plan, capacity: max(1, plan.largestLocalCount), startEpoch: 0,
            startStep: 0, endEpoch: 3, buffers: buffers)
          XCTAssertEqual(
            try drain(loader, dataSet), expected(plan, epochs: 0..<3), "\(plan), \(buffers) buffers")
        }
      }
    }
  }

  func testStartingInTheMiddleGivesTheTail() throws {
    let dataSet = try FieldDataSet(path: makeDataSet(), kind: "burgers")
    let plan = plan(3, accumulation: 2)
    let all = expected(plan, epochs: 0..<3)
    for epoch in 0..<3 {
      for step in 0...plan.stepsPerEpoch {
        let loader = try BatchLoader(
          dataSet: dataSet, split: .train, plan: plan, capacity: 3, startEpoch: epoch, startStep: step, endEpoch: 3)
        XCTAssertEqual(
          try drain(loader, dataSet), Array(all.dropFirst((epoch * plan.stepsPerEpoch + step) * 2)))
      }
    }
  }

  func testTheTestSplitHasItsOwnSamples() throws {
    let dataSet = try FieldDataSet(path: makeDataSet(), kind: "burgers")
    let plan = plan(4, samples: 4)
    let loader = try BatchLoader(
      dataSet: dataSet, split: .test, plan: plan, capacity: 4, startEpoch: 0, startStep: 0, endEpoch: 1)
    let batch = copy(try loader.next(), dataSet)
    XCTAssertEqual(batch.indices, plan.order(epoch: 0))
    XCTAssertEqual(batch.inputs[1], value(.test, target: false, sample: batch.indices[0], element: 1))
  }

  func testARankWithoutSamplesGetsEmptyBatches() throws {
    let dataSet = try FieldDataSet(path: makeDataSet(), kind: "burgers")
    let loader = try BatchLoader(
      dataSet: dataSet, split: .train, plan: plan(2, rank: 3, of: 4), capacity: 1, startEpoch: 0, startStep: 0,
      endEpoch: 2)
    XCTAssertEqual(loader.batchCount, 10)
    XCTAssertEqual(try drain(loader, dataSet).map(\.indices.count), [Int](repeating: 0, count: 10))
  }

  func testABatchStaysAsItIsUntilTheNextIsAsked() throws {
    let dataSet = try FieldDataSet(path: makeDataSet(), kind: "burgers")
    let loader = try BatchLoader(
      dataSet: dataSet, split: .train, plan: plan(), capacity: 4, startEpoch: 0, startStep: 0, endEpoch: 500)
    for _ in 0..<20 {
      let batch = try loader.next()
      let before = copy(batch, dataSet)
      Thread.sleep(forTimeInterval: 0.002)
      XCTAssertEqual(copy(batch, dataSet), before)
    }
  }

  func testThousandsOfBatches() throws {
    let dataSet = try FieldDataSet(path: makeDataSet(), kind: "burgers")
    let plan = plan(3)
    let loader = try BatchLoader(
      dataSet: dataSet, split: .train, plan: plan, capacity: 3, startEpoch: 0, startStep: 0, endEpoch: 1500)
    XCTAssertEqual(loader.batchCount, 6000)
    var mistakes = 0
    for epoch in 0..<1500 {
      for planned in expected(plan, epochs: epoch..<epoch + 1) where copy(try loader.next(), dataSet) != planned {
        mistakes += 1
      }
    }
    XCTAssertEqual(mistakes, 0)
  }

  func testTakingBatchesAllocatesNoObjects() throws {
    let dataSet = try FieldDataSet(path: makeDataSet(), kind: "burgers")
    let loader = try BatchLoader(
      dataSet: dataSet, split: .train, plan: plan(), capacity: 4, startEpoch: 0, startStep: 0, endEpoch: 400)
    for _ in 0..<100 { _ = try loader.next() }
    let count = AllocationCount.during { for _ in 0..<1000 { _ = try? loader.next() } }
    try XCTSkipIf(count == nil, "this runtime does not count allocations")
    XCTAssertEqual(count, 0)
  }

  func testAskingBeyondTheEndIsAnError() throws {
    let dataSet = try FieldDataSet(path: makeDataSet(), kind: "burgers")
    let loader = try BatchLoader(
      dataSet: dataSet, split: .train, plan: plan(), capacity: 4, startEpoch: 1, startStep: 2, endEpoch: 2)
    XCTAssertEqual(try drain(loader, dataSet).count, 1)
    for _ in 0..<2 { assertError(.failed, naming: "1 batches") { _ = try loader.next() } }
    let none = try BatchLoader(
      dataSet: dataSet, split: .train, plan: plan(), capacity: 4, startEpoch: 5, startStep: 0, endEpoch: 2)
    XCTAssertEqual(none.batchCount, 0)
    assertError(.failed) { _ = try none.next() }
  }

  func testStoppingInTheMiddleEndsTheThread() throws {
    let dataSet = try FieldDataSet(path: makeDataSet(), kind: "burgers")
    for taken in [0, 1, 2, 7] {
      let loader = try BatchLoader(
        dataSet: dataSet, split: .train, plan: plan(), capacity: 4, startEpoch: 0, startStep: 0, endEpoch: 1_000_000)
      for _ in 0..<taken { _ = try loader.next() }
      loader.stop()
      loader.stop()
      assertError(.failed, naming: "stopped") { _ = try loader.next() }
    }
  }

  func testLettingGoOfTheLoaderEndsTheThread() throws {
    weak var dataSet: FieldDataSet?
    do {
      let opened = try FieldDataSet(path: makeDataSet(), kind: "burgers")
      dataSet = opened
      let loader = try BatchLoader(
        dataSet: opened, split: .train, plan: plan(), capacity: 4, startEpoch: 0, startStep: 0, endEpoch: 1_000_000)
      _ = try loader.next()
    }
    // The thread has said that it ends; what it holds goes a moment later.
    for _ in 0..<1000 where dataSet != nil { Thread.sleep(forTimeInterval: 0.01) }
    XCTAssertNil(dataSet, "the thread still holds the data set")
  }

  func testAReadingErrorComesAfterTheBatchesBeforeIt() throws {
    // Samples lie in chunks of their own at the end of a sparse file that is then cut: later ones cannot be read.
    let path = try makeDataSet(train: 2000, test: 1)
    let dataSet = try FieldDataSet(path: path, kind: "burgers")
    let plan = plan(1, samples: 2000)
    let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as! Int
    XCTAssertEqual(truncate(path, off_t(size / 2)), 0)
    let loader = try BatchLoader(
      dataSet: dataSet, split: .train, plan: plan, capacity: 1, startEpoch: 0, startStep: 0, endEpoch: 1)
    let order = plan.order(epoch: 0)
    var taken = 0
    assertError(.badData, naming: path, "/train/") {
      while taken < loader.batchCount {
        let batch = try loader.next()
        XCTAssertEqual(batch.indices[0], order[taken])
        XCTAssertEqual(batch.inputs[0], value(.train, target: false, sample: order[taken], element: 0))
        taken += 1
      }
    }
    XCTAssertLessThan(taken, 2000)
    assertError(.badData, naming: path) { _ = try loader.next() }
  }

  func testPlansThatDoNotFitAreRefused() throws {
    let path = try makeDataSet()
    let dataSet = try FieldDataSet(path: path, kind: "burgers")
    func load(_ plan: SamplingPlan, capacity: Int = 4, epoch: Int = 0, step: Int = 0, buffers: Int = 3) throws {
      _ = try BatchLoader(
        dataSet: dataSet, split: .train, plan: plan, capacity: capacity, startEpoch: epoch, startStep: step,
        endEpoch: 2, buffers: buffers)
    }
    assertError(.usage, naming: path, "9", "10") { try load(plan(samples: 9)) }
    assertError(.usage, naming: "3 samples", "4 samples") { try load(plan(), capacity: 3) }
    assertError(.usage, naming: "0 buffers") { try load(plan(), buffers: 0) }
    for (epoch, step) in [(-1, 0), (0, -1), (0, 4)] {
      assertError(.usage, naming: "Epoch \(epoch), step \(step)") { try load(plan(), epoch: epoch, step: step) }
    }
  }
}
