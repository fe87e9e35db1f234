import KitiCore
import KitiMPI
import KitiTestSupport
import XCTest

/// Checkpoints of sharded optimizers and of what compression keeps.
final class CheckpointShardTests: MPITestCase {
  private func shard(_ sample: ParallelSample, bucketMiB: Double) throws -> OptimizerShard {
    try GradientAverager(
      store: sample.store, communicator: world,
      configuration: ParallelConfiguration(bucketMiB: bucketMiB, shardOptimizer: true)
    ).shard
  }

  private func whole(_ sample: ParallelSample) -> [(name: String, buffer: AlignedBuffer<Float>)] {
    ["mean", "square"].enumerated().map { index, name in
      let buffer = AlignedBuffer<Float>(count: sample.store.count)
      for (place, value) in sample.gradients(rank: 0, step: 7 + index).enumerated() { buffer.pointer[place] = value }
      return (name, buffer)
    }
  }

  private func part(_ shard: OptimizerShard, of state: [(name: String, buffer: AlignedBuffer<Float>)]?) -> [(name: String, buffer: AlignedBuffer<Float>)] {
    ["mean", "square"].enumerated().map { index, name in
      let buffer = AlignedBuffer<Float>(count: shard.count)
      for piece in shard.pieces {
        for (offset, place) in piece.range.enumerated() {
          buffer.pointer[piece.stateOffset + offset] = state?[index].buffer.pointer[place] ?? .nan
        }
      }
      return (name, buffer)
    }
  }

  private let state = TrainingState(step: 3, seed: 1, worldSize: 1, globalBatch: 4)

  func testAShardedStateIsWrittenAsAWholeOneAndReadInAnyShards() throws {
    let sample = ParallelSample()
    let whole = whole(sample)
    try Checkpoint.write(
      to: path("whole.h5"), store: sample.store, optimizerState: whole, state: state, configuration: "a: 1", communicator: world)
    let reference = try Checkpoint.contents(path("whole.h5"), verify: true)
    for bucket in ParallelSample.bucketSizes {
      let shard = try shard(sample, bucketMiB: bucket)
      try Checkpoint.write(
        to: path("shards.h5"), store: sample.store, optimizerState: part(shard, of: whole), shard: shard, state: state,
        configuration: "a: 1", communicator: world)
      let contents = try Checkpoint.contents(path("shards.h5"), verify: true)
      XCTAssertEqual(contents.arrays.map(\.path), reference.arrays.map(\.path))
      XCTAssertEqual(contents.arrays.map(\.checksum), reference.arrays.map(\.checksum))

      for otherBucket in ParallelSample.bucketSizes {
        let other = try self.shard(sample, bucketMiB: otherBucket)
        let mine = part(other, of: nil)
        _ = try Checkpoint.read(
          from: path("shards.h5"), into: sample.store, optimizerState: mine, shard: other, communicator: world)
        for (array, expected) in zip(mine, part(other, of: whole)) {
          for (piece, range) in other.pieces.flatMap({ piece in sample.store.ranges.map { (piece, $0.clamped(to: piece.range)) } }) {
            for place in range {
              let index = piece.stateOffset + place - piece.range.lowerBound
              XCTAssertEqual(array.buffer.pointer[index], expected.buffer.pointer[index])
            }
          }
        }
      }
      let again = ["mean", "square"].map { ($0, AlignedBuffer<Float>(count: sample.store.count)) }
      _ = try Checkpoint.read(from: path("shards.h5"), into: sample.store, optimizerState: again, communicator: world)
      for (array, expected) in zip(again, whole) { XCTAssertEqual(Array(array.1.buffer), Array(expected.buffer.buffer)) }
    }
  }

  func testStatesOfAnotherLengthThanTheShardAreRefused() throws {
    let sample = ParallelSample()
    let shard = try shard(sample, bucketMiB: 0.001)
    let wrong = [("mean", AlignedBuffer<Float>(count: shard.count + 16))]
    assertCheckpointError(.failed, naming: "mean", "shard") {
      try Checkpoint.write(
        to: path(), store: sample.store, optimizerState: wrong, shard: shard, state: state, configuration: "", communicator: world)
    }
  }

  func testWhatCompressionKeepsComesBackToTheBit() throws {
    let sample = ParallelSample()
    let residual = AlignedBuffer<Float>(count: sample.store.count)
    for (index, value) in sample.gradients(rank: world.rank).enumerated() { residual.pointer[index] = index == 3 ? -0.0 : value }
    let bits = residual.buffer.map(\.bitPattern)
    try Checkpoint.write(
      to: path(), store: sample.store, optimizerState: [], residual: residual, state: state, configuration: "", communicator: world)
    residual.buffer.update(repeating: .nan)
    _ = try Checkpoint.read(from: path(), into: sample.store, optimizerState: [], residual: residual, communicator: world)
    XCTAssertEqual(residual.buffer.map(\.bitPattern), bits)
    // On one rank: the sum of what all have kept.
    _ = try Checkpoint.read(from: path(), into: sample.store, optimizerState: [], residual: residual, communicator: .single)
    var total = sample.exactSum(ranks: world.size)
    total[3] = 0
    assertClose(Array(residual.buffer), total, within: 1e-6)
    // A checkpoint that has none.
    try Checkpoint.write(
      to: path("none.h5"), store: sample.store, optimizerState: [], state: state, configuration: "", communicator: world)
    _ = try Checkpoint.read(from: path("none.h5"), into: sample.store, optimizerState: [], residual: residual, communicator: world)
    XCTAssertTrue(residual.buffer.allSatisfy { $0 == 0 })
  }
}
