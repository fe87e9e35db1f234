import Foundation
import KitiCore
import XCTest

final class LearningRateScheduleTests: XCTestCase {
  private func schedule(
    _ shape: ScheduleConfiguration.Shape, warmup: Interval? = nil, referenceBatch: Int? = nil, globalBatch: Int = 64
  ) -> LearningRateSchedule {
    LearningRateSchedule(
      OptimizerConfiguration(
        rule: .sgd(.init()), learningRate: 0.8, referenceBatch: referenceBatch,
        schedule: ScheduleConfiguration(shape: shape, warmup: warmup)),
      globalBatch: globalBatch, stepsPerEpoch: 10, epochs: 10)
  }

  private func assertRates(
    _ schedule: LearningRateSchedule, _ expected: [Int: Double], file: StaticString = #filePath, line: UInt = #line
  ) {
    for (step, rate) in expected {
      XCTAssertEqual(schedule.rate(step: step), rate, accuracy: 1e-12, "step \(step)", file: file, line: line)
    }
  }

  func testAConstantRateStays() { assertRates(schedule(.constant), [0: 0.8, 99: 0.8, 1_000: 0.8]) }

  func testStepsCountFromTheStartOfTheRun() {
    assertRates(schedule(.step(every: .epochs(3), factor: 0.5)), [0: 0.8, 29: 0.8, 30: 0.4, 60: 0.2, 99: 0.1])
    assertRates(schedule(.step(every: .steps(7), factor: 0.1)), [6: 0.8, 7: 0.08])
    assertRates(schedule(.step(every: .percent(30), factor: 0.5)), [0: 0.8, 29: 0.8, 30: 0.4, 60: 0.2, 99: 0.1])
  }

  func testTheSmallestShareOfARunIsAStep() {
    assertRates(schedule(.step(every: .percent(1e-9), factor: 0.5)), [0: 0.8, 1: 0.4, 2: 0.2])
  }

  func testACosineFallsToItsMinimum() {
    assertRates(
      schedule(.cosine(minimum: 0.1)),
      [0: 0.8, 25: 0.1 + 0.35 * (1 + cos(.pi / 4)), 50: 0.45, 100: 0.1, 200: 0.1])
  }

  func testALineFallsToZero() { assertRates(schedule(.linear), [0: 0.8, 25: 0.6, 50: 0.4, 100: 0, 200: 0]) }

  func testAWarmUpRisesToTheRateAndTheRestFollows() {
    assertRates(
      schedule(.linear, warmup: .epochs(2)), [0: 0.04, 9: 0.4, 19: 0.8, 20: 0.8, 60: 0.4, 100: 0])
    assertRates(schedule(.cosine(minimum: 0), warmup: .steps(20)), [19: 0.8, 20: 0.8, 60: 0.4, 100: 0])
    assertRates(schedule(.cosine(minimum: 0), warmup: .percent(20)), [19: 0.8, 20: 0.8, 60: 0.4, 100: 0])
  }

  func testRatesGrowWithTheGlobalBatch() {
    assertRates(
      schedule(.cosine(minimum: 0.1), warmup: .steps(20), referenceBatch: 128, globalBatch: 512),
      [0: 0.16, 20: 3.2, 100: 0.4])
    assertRates(schedule(.constant, referenceBatch: 128), [0: 0.4])
  }
}
