import KitiCore
import KitiMPI
import KitiTestSupport
import XCTest

/// A batch norm with its store.
private struct Subject {
  let layer: BatchNorm2D
  private let store: ParameterStore

  init(shape: [Int], form: BatchNorm2D.Form = .init(), seed: Int = 1) {
    layer = BatchNorm2D("norm", shape: shape, form: form)
    store = ParameterStore(layer.parameters, statistics: layer.statistics, seed: 0)
    var numbers = TestNumbers(seed)
    for parameter in layer.parameters {
      for index in 0..<parameter.count { parameter.values[index] = Float(numbers.normal()) }
    }
  }

  struct Result {
    var output: [Float]
    var inputGradient: [Float]
    var gradients: [Float]
    var statistics: [Float]
  }

  func run(_ x: [Float], _ g: [Float], pass: Pass = Pass(isTraining: true)) -> Result {
    let (input, upstream) = (GuardedArray(x), GuardedArray(g))
    let (output, gradient) = (GuardedArray(count: x.count), GuardedArray(count: x.count))
    let batch = x.count / layer.inputShape.reduce(1, *)
    layer.forward(input.pointer, into: output.pointer, samples: 0..<batch, pass: pass)
    layer.backward(
      input.pointer, outputGradient: upstream.pointer, into: gradient.pointer, samples: 0..<batch, pass: pass)
    XCTAssertTrue(output.guardsHold && gradient.guardsHold)
    return Result(
      output: output.values, inputGradient: gradient.values,
      gradients: layer.parameters.flatMap { p in (0..<p.count).map { p.gradients[$0] } },
      statistics: layer.statistics.flatMap { p in (0..<p.count).map { p.values[$0] } })
  }
}

/// What a batch norm promises beside its values (LayerFixtureTests).
final class BatchNormTests: XCTestCase {
  func testVarianceFarFromZero() {
    var numbers = TestNumbers(400)
    let channels = 5
    let subject = Subject(shape: [4, 4, channels])
    // Means of 0 to 30,000 deviations: squares of such numbers have no digits left for the variance.
    let x = numbers.normals(8 * 16 * channels).enumerated().map { index, value in
      value + [0, 30, 1_000, 30_000, -3_000][index % channels]
    }
    let result = subject.run(x, [Float](repeating: 1, count: x.count))
    for channel in 0..<channels {
      let values = stride(from: channel, to: x.count, by: channels).map { Double(x[$0]) }
      let mean = values.reduce(0, +) / Double(values.count)
      let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      XCTAssertEqual(Double(result.statistics[channel]), 0.1 * mean, accuracy: 1e-6 * max(1, abs(mean)))
      let running = 0.9 + 0.1 * squares / Double(values.count - 1)
      XCTAssertEqual(Double(result.statistics[channels + channel]), running, accuracy: 1e-5)
    }
  }

  func testAScaleThatIsNotLearnedIsOne() {
    var numbers = TestNumbers(401)
    let (x, g) = (numbers.normals(4 * 9 * 6), numbers.normals(4 * 9 * 6))
    let fixed = Subject(shape: [3, 3, 6], form: .init(learnsScale: false))
    let learned = Subject(shape: [3, 3, 6])
    XCTAssertEqual(fixed.layer.parameters.map(\.path), ["norm/shift"])
    for channel in 0..<6 {
      learned.layer.scale?.values[channel] = 1
      learned.layer.shift.values[channel] = fixed.layer.shift.values[channel]
    }
    for pass in [Pass(isTraining: true), Pass(isTraining: false)] {
      let (one, other) = (fixed.run(x, g, pass: pass), learned.run(x, g, pass: pass))
      XCTAssertEqual(one.output, other.output)
      XCTAssertEqual(one.statistics, other.statistics)
      guard pass.isTraining else { continue }
      XCTAssertEqual(one.inputGradient, other.inputGradient)
      XCTAssertEqual(one.gradients, Array(other.gradients.suffix(6)))
    }
  }

  func testRunningStatisticsTakeTheirShareOfABatch() {
    var numbers = TestNumbers(402)
    let x = numbers.normals(8 * 4 * 2)
    let statistics = [0.1, 0.4, 1].map { momentum in
      Subject(shape: [2, 2, 2], form: .init(momentum: momentum)).run(x, x).statistics
    }
    for channel in 0..<2 {
      let (mean, variance) = (statistics[2][channel], statistics[2][2 + channel])
      for (share, found) in zip([0.1, 0.4] as [Float], statistics) {
        XCTAssertEqual(found[channel], share * mean, accuracy: 1e-6)
        XCTAssertEqual(found[2 + channel], 1 - share + share * variance, accuracy: 1e-6)
      }
    }
  }

  func testAChannelWithoutVarianceIsItsShift() {
    let subject = Subject(shape: [2, 2, 3])
    for value in [Float(0), 0.5, 4] {
      let result = subject.run([Float](repeating: value, count: 24), [Float](repeating: 1, count: 24))
      let shift = (0..<3).map { subject.layer.shift.values[$0] }
      for index in 0..<24 { XCTAssertEqual(result.output[index], shift[index % 3], accuracy: 2e-3) }
      XCTAssertTrue(result.inputGradient.allSatisfy { abs($0) < 1e-2 })
    }
  }

  func testABatchOfNothingLeavesTheRunningStatistics() {
    let subject = Subject(shape: [2, 2, 3])
    let result = subject.run([], [])
    XCTAssertEqual(result.statistics, [0, 0, 0, 1, 1, 1])
    XCTAssertEqual(result.gradients, [Float](repeating: 0, count: 6))
  }

  func testRunningStatisticsTakeATenthOfEachBatch() {
    var numbers = TestNumbers(401)
    let subject = Subject(shape: [3, 3, 1])
    var (mean, variance) = (0.0, 1.0)
    for _ in 0..<5 {
      let x = numbers.normals(18).map { 2 * $0 + 3 }
      let result = subject.run(x, x)
      let average = x.doubles.reduce(0, +) / 18
      mean = 0.9 * mean + 0.1 * average
      variance = 0.9 * variance + 0.1 * x.doubles.reduce(0) { $0 + ($1 - average) * ($1 - average) } / 17
      XCTAssertEqual(Double(result.statistics[0]), mean, accuracy: 1e-6)
      XCTAssertEqual(Double(result.statistics[1]), variance, accuracy: 1e-6)
    }
  }

  func testNonFiniteNumbersShow() {
    for bad in [Float.nan, .infinity] {
      let subject = Subject(shape: [2, 2, 2])
      var x = [Float](repeating: 1, count: 16)
      x[3] = bad
      let result = subject.run(x, x)
      XCTAssertTrue(result.output[1].isNaN, "the channel of the \(bad)")
      XCTAssertTrue(result.output[0].isFinite, "another channel")
    }
  }
}

/// Batch norm over the samples of all ranks.
final class SynchronisedBatchNormTests: MPITestCase {
  func testAllRanksTogetherAreOneBatch() throws {
    for offset in [Float(0), 500] {
      for samples in [world.size + 2, max(1, world.size - 1)] {
        var numbers = TestNumbers(402)
        let (shape, size) = ([3, 2, 5], 30)
        let x = numbers.normals(samples * size).map { $0 + offset }
        let g = numbers.normals(samples * size)
        let whole = Subject(shape: shape).run(x, g)
        // With fewer samples than ranks the last rank has none and takes part all the same.
        let bounds = (0...world.size).map { min($0 * max(1, samples / world.size), samples) }
        let first = bounds[world.rank]
        let end = world.rank == world.size - 1 ? samples : bounds[world.rank + 1]
        let own = first * size..<end * size
        let reducer = try RankSums(over: world)
        let part = Subject(shape: shape).run(
          Array(x[own]), Array(g[own]), pass: Pass(isTraining: true, rank: world.rank, reducer: reducer))
        try reducer.requireSuccess()
        // A mean of 500 deviations takes that much precision of what is left without it.
        assertClose(
          part.output, Array(whole.output[own]).map(Double.init), within: offset == 0 ? 1e-6 : 1e-4, magnitude: 1,
          "output")
        assertClose(
          part.inputGradient, Array(whole.inputGradient[own]).map(Double.init), within: offset == 0 ? 1e-6 : 1e-4,
          magnitude: 0.1, "input gradient")
        assertClose(part.statistics, whole.statistics.doubles, within: 1e-6, "running statistics")
        // Gradients of parameters are each rank's own; the averager adds them up.
        let gradients = try world.allreduce(part.gradients.doubles, .sum)
        assertClose(whole.gradients, gradients, within: offset == 0 ? 1e-5 : 1e-3, magnitude: 1, "gradients")
      }
    }
  }
}
