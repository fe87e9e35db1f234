import KitiCore
import KitiMPI
import XCTest

/// A small store, and the gradients that each rank would have in a step.
struct ParallelSample {
  static let shapes: [(String, [Int])] = [
    ("lift/weight", [3, 17]), ("lift/bias", [1]), ("block/weight", [129, 7]), ("block/empty", [0]), ("head/weight", [33]),
  ]
  /// Sizes of a bucket in MiB: a cache line, a few, one that divides nothing, and the whole store.
  static let bucketSizes = [1e-9, 0.001, 0.0023, 1]

  let store: ParameterStore

  init(shapes: [(String, [Int])] = ParallelSample.shapes) {
    store = ParameterStore(
      shapes.map { Parameter($0.0, shape: $0.1, initialization: .uniform(low: -1, high: 1)) }, seed: 5)
  }

  /// Zero in the gaps between parameters, as a backward pass leaves them.
  func gradients(rank: Int, step: Int = 0) -> [Float] {
    var numbers = TestNumbers(1_000 * rank + step)
    var all = [Float](repeating: 0, count: store.count)
    for range in store.ranges { for index in range { all[index] = Float(numbers.normal()) } }
    return all
  }

  func setGradients(_ values: [Float]) {
    for (index, value) in values.enumerated() { store.gradients.pointer[index] = value }
  }

  /// The sum over ranks in double precision.
  func exactSum(ranks: Int, step: Int = 0) -> [Double] {
    (0..<ranks).map { gradients(rank: $0, step: step).doubles }.reduce([Double](repeating: 0, count: store.count)) {
      zip($0, $1).map { $0 + $1 }
    }
  }

  /// Announces the gradients in pieces, as a backward pass does, and waits for all of them.
  func average(_ averager: GradientAverager) throws {
    for end in store.parameters.indices.map({ store.ranges[$0].upperBound }) { averager.gradientsFinished(end) }
    try averager.finish()
  }
}

extension Communicator {
  /// Whether all ranks hold the same bits.
  func agree(on values: some Sequence<Float>) throws -> Bool {
    let bits = values.map(\.bitPattern)
    let first = try broadcast(bits, root: 0)
    return try allreduce(bits == first ? 1 : 0, .minimum) == 1
  }
}
