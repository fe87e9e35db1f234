/// How an array as long as the parameter store is cut: into buckets, which travel one by one, and each bucket into one
/// part for each rank. Every cut is at a cache line.
public struct BucketLayout: Sendable {
  /// Numbers of the array.
  public let count: Int
  /// Numbers of a bucket; the last may have fewer.
  public let bucketSize: Int
  public let ranks: Int

  private static let line = 16
  /// A part must be what one message can count.
  private static let largestBucket = 1 << 26

  /// - Parameter count: a multiple of 16, as of every store.
  public init(count: Int, bucketMiB: Double, ranks: Int) {
    precondition(count % Self.line == 0, "a store has whole cache lines")
    self.count = count
    self.ranks = ranks
    let wanted = min(bucketMiB * 1_048_576 / 4, Double(Self.largestBucket))
    bucketSize = max(Self.line, Int(wanted) / Self.line * Self.line)
  }

  public var bucketCount: Int { (count + bucketSize - 1) / bucketSize }

  public func bucket(_ index: Int) -> Range<Int> {
    index * bucketSize..<min((index + 1) * bucketSize, count)
  }

  /// The part of a bucket that a rank owns: it sums it, and with a sharded optimizer updates it. May be empty.
  public func part(of bucket: Int, rank: Int) -> Range<Int> {
    let whole = self.bucket(bucket)
    let lines = (0..<whole.count / Self.line).part(rank, of: ranks)
    return whole.lowerBound + lines.lowerBound * Self.line..<whole.lowerBound + lines.upperBound * Self.line
  }

  /// Numbers that leave a rank where the owner of a part gets it from all others, and they get it from the owner.
  func countSent(_ work: BucketWork, from rank: Int) -> Int {
    let own = (0..<bucketCount).reduce(0) { $0 + part(of: $1, rank: rank).count }
    let (gathered, spread) = (count - own, own * (ranks - 1))
    return switch work {
    case .sum: gathered + spread
    case .sumOwnParts: gathered
    case .collectParts: spread
    }
  }

  /// The buckets that lie within the first `finished` numbers.
  func bucketsWithin(_ finished: Int) -> Int { finished >= count ? bucketCount : finished / bucketSize }
}
