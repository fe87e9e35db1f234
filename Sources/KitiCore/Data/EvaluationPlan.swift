/// Which samples this rank evaluates: every sample of a split exactly once over all ranks, in file order,
/// contiguous parts.
public struct EvaluationPlan: Sendable, Equatable {
  /// This rank's samples. May be empty.
  public let samples: Range<Int>
  /// The most samples of a batch.
  public let batch: Int

  /// Traps unless the batch is positive and the rank in the world.
  public init(sampleCount: Int, batch: Int, rank: Int, worldSize: Int) {
    precondition(sampleCount >= 0 && batch > 0, "samples are counted, and batches have some")
    samples = (0..<sampleCount).part(rank, of: worldSize)
    self.batch = batch
  }

  /// This rank's samples in batches, of which none is empty; no batches for a rank without samples. Ranks may
  /// have different numbers of batches.
  public var batches: [Range<Int>] {
    stride(from: samples.lowerBound, to: samples.upperBound, by: batch).map {
      $0..<$0 + Swift.min(batch, samples.upperBound - $0)
    }
  }
}
