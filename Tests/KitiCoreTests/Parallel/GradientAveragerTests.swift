import KitiCore
import KitiMPI
import KitiTestSupport
import XCTest

/// Sums of gradients in all ways, on as many ranks as the tests run on.
final class GradientAveragerTests: MPITestCase {
  private typealias Options = ParallelConfiguration

  private func averager(_ sample: ParallelSample, _ change: (inout Options) -> Void) throws -> GradientAverager {
    var options = Options()
    change(&options)
    return try GradientAverager(store: sample.store, communicator: world, configuration: options)
  }

  func testEveryRankGetsTheSumOfAll() throws {
    for bucket in ParallelSample.bucketSizes {
      for (reduction, progress, shares) in [
        (Options.Reduction.fast, Options.Progress.poll, true), (.fast, .poll, false), (.ordered, .poll, true),
        (.fast, .thread, true), (.fast, .thread, false), (.ordered, .thread, true),
      ] {
        let sample = ParallelSample()
        let averager = try averager(sample) {
          ($0.bucketMiB, $0.reduction, $0.progress, $0.sharedMemory) = (bucket, reduction, progress, shares)
        }
        XCTAssertNil(averager.notice)
        for step in 0..<3 {
          sample.setGradients(sample.gradients(rank: world.rank, step: step))
          try sample.average(averager)
          let name = "\(reduction), \(progress), shared memory \(shares), buckets of \(bucket) MiB, step \(step)"
          assertClose(Array(sample.store.gradients.buffer), sample.exactSum(ranks: world.size, step: step), within: 1e-6, name)
          XCTAssertTrue(try world.agree(on: sample.store.gradients.buffer), name)
        }
      }
    }
  }

  func testOrderedSumsDependNeitherOnBucketsNorOnThreads() throws {
    var seen: Set<[UInt32]> = []
    for bucket in ParallelSample.bucketSizes {
      for progress in Options.Progress.allCases {
        let sample = ParallelSample()
        let averager = try averager(sample) { ($0.bucketMiB, $0.reduction, $0.progress) = (bucket, .ordered, progress) }
        sample.setGradients(sample.gradients(rank: world.rank))
        try sample.average(averager)
        seen.insert(sample.store.gradients.buffer.map(\.bitPattern))
      }
    }
    XCTAssertEqual(seen.count, 1)
  }

  func testOrderedSumsAreThoseOfTheSamplesHoweverTheyAreSpread() throws {
    // Twelve samples in turn; what a rank's layers would do with its share of them, in one or in two batches.
    let samples = (0..<12).map { ParallelSample().gradients(rank: $0) }
    var sums = [Double](repeating: 0, count: samples[0].count)
    for sample in samples { for (index, gradient) in sample.enumerated() { sums[index] += Double(gradient) } }
    let sample = ParallelSample()
    let averager = try averager(sample) { ($0.bucketMiB, $0.reduction) = (0.001, .ordered) }
    for _ in 0..<2 {
      for index in stride(from: world.rank, to: samples.count, by: world.size) {
        sample.setGradients(samples[index])
        for parameter in sample.store.parameters { parameter.takeSample() }
        XCTAssertTrue(sample.store.gradients.buffer.allSatisfy { $0 == 0 })
      }
      try sample.average(averager)
      XCTAssertEqual(Array(sample.store.gradients.buffer), sums.map { Float($0) }, "to the last bit")
    }
  }

  func testSumsThroughSharedMemoryAreThoseOfMessagesToTheBit() throws {
    for (bucket, progress) in [(1e-9, Options.Progress.poll), (0.001, .thread), (0.0023, .poll), (1, .poll)] {
      let (shared, sharded) = (ParallelSample(), ParallelSample())
      let ways = try [
        averager(shared) { ($0.bucketMiB, $0.progress) = (bucket, progress) },
        averager(sharded) { ($0.bucketMiB, $0.sharedMemory, $0.shardOptimizer) = (bucket, false, true) },
      ]
      for step in 0..<5 {
        for (sample, way) in zip([shared, sharded], ways) {
          sample.setGradients(sample.gradients(rank: world.rank, step: step))
          try sample.average(way)
        }
        for piece in ways[1].shard.pieces {
          XCTAssertEqual(
            shared.store.gradients.buffer[piece.range].map(\.bitPattern),
            sharded.store.gradients.buffer[piece.range].map(\.bitPattern), "buckets of \(bucket) MiB, step \(step)")
        }
      }
    }
  }

  func testRanksFarAheadOfOthersOverwriteNothing() throws {
    // Many more buckets than fit into the windows that ranks share, and in each step another rank that is late.
    let sample = ParallelSample(shapes: [("weight", [40_000])])
    let averager = try averager(sample) { $0.bucketMiB = 0.0005 }
    for step in 0..<12 {
      sample.setGradients(sample.gradients(rank: world.rank, step: step))
      if world.rank == step % world.size { usleep(2_000) }
      try sample.average(averager)
      assertClose(
        Array(sample.store.gradients.buffer), sample.exactSum(ranks: world.size, step: step), within: 1e-6, "step \(step)")
    }
  }

  func testShardsCoverTheStoreAndGetTheirSums() throws {
    for (bucket, shares) in ParallelSample.bucketSizes.flatMap({ [($0, true), ($0, false)] }) {
      let sample = ParallelSample()
      let averager = try averager(sample) {
        ($0.bucketMiB, $0.shardOptimizer, $0.sharedMemory) = (bucket, true, shares)
      }
      XCTAssertEqual(try world.allreduce(averager.shard.count, .sum), sample.store.count)
      // A cache line in each bucket, at most, beside an equal share.
      let buckets = sample.store.count * 4 / max(64, Int(bucket * 1_048_576)) + 1
      XCTAssertLessThanOrEqual(averager.shard.count, sample.store.count / world.size + 16 * buckets)
      sample.setGradients(sample.gradients(rank: world.rank))
      try sample.average(averager)
      let exact = sample.exactSum(ranks: world.size)
      for piece in averager.shard.pieces {
        assertClose(Array(sample.store.gradients.buffer[piece.range]), Array(exact[piece.range]), within: 1e-6)
      }
      let norm = exact.reduce(0) { $0 + $1 * $1 }.squareRoot()
      XCTAssertEqual(try averager.gradientNorm(), norm, accuracy: 1e-6 * norm)

      let values = Array(sample.store.values.buffer)
      for piece in averager.shard.pieces { for index in piece.range { sample.store.values.pointer[index] += 1 } }
      try averager.collectValues()
      XCTAssertEqual(Array(sample.store.values.buffer), values.map { $0 + 1 })
      if world.size > 1 {
        let own = Set(averager.shard.pieces.flatMap { Array($0.range) })
        XCTAssertTrue(sample.store.gradients.buffer.indices.allSatisfy { own.contains($0) || sample.store.gradients.pointer[$0] == 0 })
      }
    }
  }

  func testCompressedSumsAreTheSameEverywhereAndLoseNothingInTheLongRun() throws {
    for (bucket, progress) in [(1e-9, Options.Progress.poll), (0.0023, .poll), (0.0023, .thread), (1, .poll)] {
      let sample = ParallelSample()
      let averager = try averager(sample) { ($0.bucketMiB, $0.compression, $0.progress) = (bucket, .bf16, progress) }
      guard world.size > 1 else { return XCTAssertNil(averager.residual) }
      let residual = try XCTUnwrap(averager.residual)
      var difference = [Double](repeating: 0, count: sample.store.count)
      for step in 0..<20 {
        sample.setGradients(sample.gradients(rank: world.rank, step: step))
        try sample.average(averager)
        XCTAssertTrue(try world.agree(on: sample.store.gradients.buffer))
        let exact = sample.exactSum(ranks: world.size, step: step)
        // Each of the numbers and their sum is rounded to 8 bits.
        assertClose(Array(sample.store.gradients.buffer), exact, within: 0.02, "step \(step)")
        for index in difference.indices { difference[index] += exact[index] - Double(sample.store.gradients.pointer[index]) }
      }
      // What is missing in the sum over all steps is what the ranks have kept.
      let kept = try world.allreduce(residual.buffer.map(Double.init), .sum)
      for (missing, kept) in zip(difference, kept) { XCTAssertEqual(missing, kept, accuracy: 1e-5) }
    }
  }

  func testBytesAreThoseOfTheBestAllreduceAndHalfWithCompression() throws {
    let sample = ParallelSample()
    let whole = Double(sample.store.count * 4)
    let best = 2 * whole * Double(world.size - 1) / Double(world.size)
    for (compression, isSharded, expected) in [
      (Options.Compression.none, false, best), (.none, true, best), (.bf16, false, best / 2), (.bf16, true, best * 3 / 4),
    ] {
      for reduction in Options.Reduction.allCases {
        let averager = try averager(sample) {
          ($0.compression, $0.shardOptimizer, $0.reduction, $0.bucketMiB) = (compression, isSharded, reduction, 1)
        }
        let bytes = Double(try world.allreduce(averager.bytesPerStep, .sum)) / Double(world.size)
        let isWide = reduction == .ordered && compression == .none && !isSharded
        XCTAssertEqual(
          bytes, isWide ? 2 * expected : expected, accuracy: isWide ? 256 : 128, "\(compression), sharded \(isSharded), \(reduction)")
        sample.setGradients(sample.gradients(rank: world.rank))
        try sample.average(averager)
        try averager.collectValues()
        let report = averager.report
        XCTAssertEqual(report.bytesSent, averager.bytesPerStep)
        XCTAssertEqual(report.exposedSeconds > 0, world.size > 1 || isWide)
        XCTAssertTrue((0...1).contains(report.hiddenShare) && report.hiddenSeconds >= 0)
      }
    }
  }

  func testRanksThatAnnounceNothingTakePart() throws {
    for progress in Options.Progress.allCases {
      let sample = ParallelSample()
      let averager = try averager(sample) { ($0.bucketMiB, $0.reduction, $0.progress) = (0.001, .ordered, progress) }
      for step in 0..<3 {
        // A rank without samples has no backward pass, and nothing but zeros.
        let isIdle = world.rank == step % max(2, world.size)
        sample.setGradients(isIdle ? [Float](repeating: 0, count: sample.store.count) : sample.gradients(rank: world.rank, step: step))
        if isIdle { try averager.finish() } else { try sample.average(averager) }
        let sums = (0..<world.size).filter { $0 != step % max(2, world.size) }.map { sample.gradients(rank: $0, step: step).doubles }
        let exact = sums.reduce([Double](repeating: 0, count: sample.store.count)) { zip($0, $1).map { $0 + $1 } }
        assertClose(Array(sample.store.gradients.buffer), exact, within: 1e-6)
      }
    }
  }
}
