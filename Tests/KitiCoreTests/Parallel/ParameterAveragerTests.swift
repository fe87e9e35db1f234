import KitiCore
import KitiMPI
import KitiTestSupport
import XCTest

/// Local steps: averages by samples.
final class ParameterAveragerTests: MPITestCase {
  private func averager(
    _ sample: ParallelSample, states: [AlignedBuffer<Float>] = [], reduction: ParallelConfiguration.Reduction
  ) throws -> ParameterAverager? {
    try ParameterAverager(
      store: sample.store, states: states, communicator: world,
      configuration: ParallelConfiguration(bucketMiB: 0.001, reduction: reduction, localSteps: 3))
  }

  func testOneRankNeedsNoAverages() throws {
    try requireSingleRank()
    XCTAssertNil(try averager(ParallelSample(), reduction: .fast))
  }

  func testStepsOfPlainDescentAverageToTheStepOnAllSamples() throws {
    guard world.size > 1 else { return }
    for reduction in ParallelConfiguration.Reduction.allCases {
      let sample = ParallelSample()
      let averager = try XCTUnwrap(try averager(sample, reduction: reduction))
      let start = Array(sample.store.values.buffer).doubles
      // The last rank has no samples.
      let counts = (0..<world.size).map { $0 == world.size - 1 ? 0 : $0 + 1 }
      let total = Double(counts.reduce(0, +))
      for (index, gradient) in sample.gradients(rank: world.rank).enumerated() where counts[world.rank] > 0 {
        sample.store.values.pointer[index] -= 0.1 * gradient
      }
      averager.count(samples: counts[world.rank])
      try averager.average()
      var exact = start
      for (rank, count) in counts.enumerated() where count > 0 {
        for (index, gradient) in sample.gradients(rank: rank).enumerated() {
          exact[index] -= 0.1 * Double(count) / total * Double(gradient)
        }
      }
      assertClose(Array(sample.store.values.buffer), exact, within: 1e-6)
      XCTAssertTrue(try world.agree(on: sample.store.values.buffer))
      XCTAssertGreaterThan(averager.report.bytesSent, 0)
    }
  }

  func testStatesOfTheOptimizerAreAveragedToo() throws {
    guard world.size > 1 else { return }
    let sample = ParallelSample()
    let state = AlignedBuffer<Float>(count: sample.store.count)
    let averager = try XCTUnwrap(try averager(sample, states: [state], reduction: .ordered))
    for (index, value) in sample.gradients(rank: world.rank).enumerated() { state.pointer[index] = value }
    averager.count(samples: 2)
    averager.count(samples: 2)
    try averager.average()
    assertClose(Array(state.buffer), sample.exactSum(ranks: world.size).map { $0 / Double(world.size) }, within: 1e-6)
    XCTAssertTrue(try world.agree(on: state.buffer))
  }
}
