/// Which samples a step takes, and which of them this rank takes: a pure function of (seed, epoch, step, rank,
/// world size).
///
/// An epoch is one permutation of all samples, cut into steps of `globalBatch`; the last step may be smaller. The
/// samples of a step depend neither on the number of ranks nor on the accumulation, which only divide them.
public struct SamplingPlan: Sendable, Equatable {
  public let sampleCount: Int
  /// Samples of a step over all ranks and accumulated parts.
  public let globalBatch: Int
  /// Parts that a rank takes its samples of a step in.
  public let accumulation: Int
  public let rank: Int
  public let worldSize: Int
  public let seed: UInt64

  /// Traps unless all counts are positive, the rank is in the world and samples can be counted in 32 bits.
  public init(
    sampleCount: Int, globalBatch: Int, accumulation: Int, rank: Int, worldSize: Int, seed: UInt64
  ) {
    precondition(sampleCount > 0 && sampleCount <= UInt32.max, "a plan has 1 to 2^32 - 1 samples")
    precondition(globalBatch > 0 && accumulation > 0, "a step has samples and parts")
    precondition((0..<worldSize).contains(rank), "the rank is in the world")
    self.sampleCount = sampleCount
    self.globalBatch = globalBatch
    self.accumulation = accumulation
    self.rank = rank
    self.worldSize = worldSize
    self.seed = seed
  }

  /// Steps of an epoch, a smaller last one included.
  public var stepsPerEpoch: Int { (sampleCount - 1) / globalBatch + 1 }

  /// The most samples that a micro-batch of this rank has: what buffers must hold.
  public var largestLocalCount: Int {
    (0..<accumulation).reduce(0) { max($0, localPositions(step: 0, micro: $1).count) }
  }

  /// The epoch's permutation of the samples: position to index in the data set.
  ///
  /// Independent of rank and world size, and another one in each epoch. Takes time and memory in proportion to
  /// `sampleCount`.
  public func order(epoch: Int) -> [Int] {
    let order = AlignedBuffer<UInt32>(count: sampleCount)
    let words = AlignedBuffer<UInt32>(count: sampleCount)
    fillOrder(epoch: epoch, order.buffer, words: words.buffer)
    return order.buffer.map(Int.init)
  }

  /// The same without new memory: `order` and `words`, a workspace, have `sampleCount` elements.
  func fillOrder(
    epoch: Int, _ order: UnsafeMutableBufferPointer<UInt32>, words: UnsafeMutableBufferPointer<UInt32>
  ) {
    let stream = RandomStream(seed: seed, stream: 0, domain: .order, index: UInt32(epoch))
    Permutation.fill(order, words: words, from: stream, at: .init())
  }

  /// Samples of a step over all ranks. Traps unless `step` is in `0 ..< stepsPerEpoch`, as do the others.
  public func globalCount(step: Int) -> Int { globalPositions(step: step).count }

  /// This rank's positions in the epoch's order: one of `worldSize` nearly equal contiguous parts of the step's.
  /// May be empty.
  public func localPositions(step: Int) -> Range<Int> {
    globalPositions(step: step).part(rank, of: worldSize)
  }

  /// The same, cut again into `accumulation` parts.
  public func localPositions(step: Int, micro: Int) -> Range<Int> {
    localPositions(step: step).part(micro, of: accumulation)
  }

  private func globalPositions(step: Int) -> Range<Int> {
    precondition((0..<stepsPerEpoch).contains(step), "the step is in the epoch")
    let start = step * globalBatch
    return start..<start + min(globalBatch, sampleCount - start)
  }
}

extension Range<Int> {
  /// Part `index` of `parts` contiguous parts whose counts differ by one at most. Together they are the range.
  func part(_ index: Int, of parts: Int) -> Range<Int> {
    precondition((0..<parts).contains(index), "the part is one of them")
    let (share, rest) = count.quotientAndRemainder(dividingBy: parts)
    let start = lowerBound + index * share + Swift.min(index, rest)
    return start..<start + share + (index < rest ? 1 : 0)
  }
}
