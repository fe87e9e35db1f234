import KitiCore
import XCTest

/// Layer-wise adaptive rates against plain loops in double precision.
final class LARSTests: XCTestCase {
  private let shapes: [(String, [Int])] = [("a/weight", [5, 7]), ("a/bias", [7]), ("b/weight", [3, 2, 4]), ("b/scale", [1])]

  private func store() -> ParameterStore {
    ParameterStore(shapes.map { Parameter($0.0, shape: $0.1, initialization: .uniform(low: -1, high: 1)) }, seed: 9)
  }

  private func fill(_ store: ParameterStore, _ numbers: inout TestNumbers) {
    for range in store.ranges { for index in range { store.gradients.pointer[index] = Float(numbers.normal()) } }
  }

  /// One step of the whole store.
  private func step(_ optimizer: LARS, _ store: ParameterStore, rate: Float, gradientScale: Float = 1) throws {
    try optimizer.measure(values: store.values.pointer, gradients: store.gradients.pointer) { _ in }
    optimizer.update(
      values: store.values.pointer, gradients: store.gradients.pointer, range: 0..<store.count, learningRate: rate,
      step: 1, gradientScale: gradientScale)
  }

  func testTenStepsFollowTheRule() throws {
    for gradientScale: Float in [1, 0.25] {
      let store = store()
      let (momentum, decay, trust, rate) = (Double(0.9 as Float), Double(0.01 as Float), Double(0.02 as Float), 0.5)
      let optimizer = LARS(
        store: store, shard: OptimizerShard(whole: store.count), momentum: 0.9, weightDecay: 0.01, trust: 0.02)
      var exact = store.values.buffer.map(Double.init)
      var velocity = exact.map { _ in 0.0 }
      var numbers = TestNumbers(120)
      for _ in 1...10 {
        fill(store, &numbers)
        for (parameter, range) in zip(store.parameters, store.ranges) {
          let isScaled = parameter.shape.count > 1
          let g = range.map { Double(store.gradients.pointer[$0]) * Double(gradientScale) }
          let w = range.map { exact[$0] }
          let wNorm = w.reduce(0) { $0 + $1 * $1 }.squareRoot()
          let gNorm = g.reduce(0) { $0 + $1 * $1 }.squareRoot()
          let scale = isScaled ? trust * wNorm / (gNorm + decay * wNorm) : 1
          for (place, index) in range.enumerated() {
            velocity[index] = momentum * velocity[index] + scale * (g[place] + (isScaled ? decay : 0) * w[place])
            exact[index] -= rate * velocity[index]
          }
        }
        try step(optimizer, store, rate: Float(rate), gradientScale: gradientScale)
        XCTAssertTrue(store.gradients.buffer.allSatisfy { $0 == 0 })
      }
      assertClose(Array(store.values.buffer), exact, within: 2e-6)
      assertClose(Array(optimizer.state[0].buffer.buffer), velocity, within: 2e-6)
    }
  }

  func testALayerWithoutWeightsOrGradientsHasNoScaleOfItsOwn() throws {
    let parameter = Parameter("w", shape: [2, 2], initialization: .zero)
    let store = ParameterStore([parameter], seed: 1)
    let optimizer = LARS(
      store: store, shard: OptimizerShard(whole: store.count), momentum: 0, weightDecay: 0.1, trust: 0.001)
    try step(optimizer, store, rate: 0.5)
    XCTAssertEqual(Array(store.values.buffer.prefix(4)), [0, 0, 0, 0])
    store.gradients.pointer[2] = 1
    try step(optimizer, store, rate: 0.5)
    XCTAssertEqual(Array(store.values.buffer.prefix(4)), [0, 0, -0.5, 0])
  }

  func testShardsTogetherMakeTheStepOfTheWhole() throws {
    // Buckets of a cache line and of several: parameters span ranks, and a rank has several pieces of one.
    for (ranks, bucketMiB) in [(1, 1.0), (2, 1e-9), (3, 0.0002), (4, 1)] {
      let (whole, parts) = (store(), store())
      let layout = BucketLayout(count: parts.count, bucketMiB: bucketMiB, ranks: ranks)
      let shards = (0..<ranks).map { OptimizerShard(layout, rank: $0) }
      let reference = LARS(
        store: whole, shard: OptimizerShard(whole: whole.count), momentum: 0.9, weightDecay: 0.01, trust: 0.02)
      let optimizers = shards.map {
        LARS(store: parts, shard: $0, momentum: 0.9, weightDecay: 0.01, trust: 0.02)
      }
      var numbers = TestNumbers(7)
      for _ in 0..<5 {
        fill(whole, &numbers)
        for range in parts.ranges {
          for index in range { parts.gradients.pointer[index] = whole.gradients.pointer[index] }
        }
        try step(reference, whole, rate: 0.5, gradientScale: 0.5)
        try stepTogether(optimizers, shards, parts, rate: 0.5, gradientScale: 0.5)
      }
      assertClose(Array(parts.values.buffer), Array(whole.values.buffer).doubles, within: 1e-6, "\(ranks) ranks")
      XCTAssertTrue(parts.gradients.buffer.allSatisfy { $0 == 0 }, "every number belongs to a rank")
    }
  }

  /// One step of all ranks that share a store, made one after another.
  private func stepTogether(
    _ optimizers: [LARS], _ shards: [OptimizerShard], _ store: ParameterStore, rate: Float, gradientScale: Float
  ) throws {
    var sums: [Double] = []
    for optimizer in optimizers {
      try optimizer.measure(values: store.values.pointer, gradients: store.gradients.pointer) { own in
        sums = sums.isEmpty ? Array(own) : zip(sums, own).map { $0 + $1 }
      }
    }
    for optimizer in optimizers {
      try optimizer.measure(values: store.values.pointer, gradients: store.gradients.pointer) { own in
        _ = own.update(fromContentsOf: sums)
      }
    }
    for (optimizer, shard) in zip(optimizers, shards) {
      for piece in shard.pieces {
        let offset = piece.range.lowerBound - piece.stateOffset
        optimizer.update(
          values: store.values.pointer + offset, gradients: store.gradients.pointer + offset,
          range: piece.stateOffset..<piece.stateOffset + piece.range.count, learningRate: rate, step: 1,
          gradientScale: gradientScale)
      }
    }
  }
}
