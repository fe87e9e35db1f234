/// Which parameters this rank updates, and where their optimizer state lies.
///
/// The state of a shard is as long as the shard: its pieces one after another.
public struct OptimizerShard: Sendable {
  public struct Piece: Sendable {
    /// In the parameter store.
    public var range: Range<Int>
    /// Where in the state arrays its first number lies.
    public var stateOffset: Int
  }

  /// In the order of the store.
  public let pieces: [Piece]
  /// Numbers in all pieces: the length of a state array.
  public let count: Int
  /// How all ranks divide the store; nil if each has the whole.
  let layout: BucketLayout?

  /// The whole store, on every rank.
  public init(whole count: Int) {
    pieces = [Piece(range: 0..<count, stateOffset: 0)]
    self.count = count
    layout = nil
  }

  /// Where in the state arrays the numbers of these ranges of the store lie, as far as they are this rank's; in the order
  /// of the store.
  ///
  /// - Parameter ranges: in the order of the store.
  package func stateRanges(of ranges: [Range<Int>]) -> [Range<Int>] {
    pieces.flatMap { piece in
      ranges.map { $0.clamped(to: piece.range) }.filter { !$0.isEmpty }.map {
        let offset = piece.stateOffset - piece.range.lowerBound
        return $0.lowerBound + offset..<$0.upperBound + offset
      }
    }
  }

  /// A rank's own parts of all buckets: they are what it has sums of after the first half of an allreduce.
  public init(_ layout: BucketLayout, rank: Int) {
    var pieces: [Piece] = []
    var count = 0
    for bucket in 0..<layout.bucketCount {
      let part = layout.part(of: bucket, rank: rank)
      if part.isEmpty { continue }
      pieces.append(Piece(range: part, stateOffset: count))
      count += part.count
    }
    self.pieces = pieces
    self.count = count
    self.layout = layout
  }
}
