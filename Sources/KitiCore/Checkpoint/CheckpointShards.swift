import KitiMPI

/// How the numbers of a sharded optimizer's state move between the ranks that hold them in training, each in parts of
/// all buckets, and the ranks that move whole arrays to and from the file.
struct CheckpointShards {
  /// Numbers that lie together in one array, on one rank in training, and on one that reads or writes the array.
  private struct Segment {
    var holder: Int
    var owner: Int
    var parameter: Int
    var arrayOffset: Int
    /// In the state of this rank, if it is the holder.
    var stateOffset: Int
    var count: Int
  }

  /// Those that concern this rank, in the order of the store.
  private let segments: [Segment]
  private let communicator: Communicator

  /// - Parameters:
  ///   - ranges: of the parameters in the store.
  ///   - owners: the rank that moves each parameter's array.
  init(ranges: [Range<Int>], owners: [Int], shard: OptimizerShard, layout: BucketLayout, communicator: Communicator) {
    self.communicator = communicator
    let me = communicator.rank
    var stateOffsets = [Int](repeating: 0, count: layout.bucketCount)
    for piece in shard.pieces { stateOffsets[piece.range.lowerBound / layout.bucketSize] = piece.stateOffset }
    var segments: [Segment] = []
    for (parameter, range) in ranges.enumerated() where !range.isEmpty {
      for bucket in range.lowerBound / layout.bucketSize...(range.upperBound - 1) / layout.bucketSize {
        let holders = owners[parameter] == me ? 0..<layout.ranks : me..<me + 1
        for holder in holders {
          let part = layout.part(of: bucket, rank: holder)
          let common = range.clamped(to: part)
          guard !common.isEmpty else { continue }
          segments.append(
            Segment(
              holder: holder, owner: owners[parameter], parameter: parameter,
              arrayOffset: common.lowerBound - range.lowerBound,
              stateOffset: stateOffsets[bucket] + common.lowerBound - part.lowerBound, count: common.count))
        }
      }
    }
    self.segments = segments
  }

  /// Fills the arrays that this rank owns with what all ranks hold. Collective.
  func collect(_ state: AlignedBuffer<Float>, into arrays: [CheckpointArray]) throws {
    let (held, owned) = (Parcel(held, \.owner, communicator), Parcel(owned, \.holder, communicator))
    for (segment, place) in held.contents {
      (held.memory.pointer + place).update(from: state.pointer + segment.stateOffset, count: segment.count)
    }
    try communicator.allToAll(
      UnsafeBufferPointer(held.memory.buffer), sendCounts: held.counts, into: owned.memory.buffer,
      receiveCounts: owned.counts)
    for (segment, place) in owned.contents {
      arrays[segment.parameter].withValues {
        ($0.baseAddress! + segment.arrayOffset).update(from: owned.memory.pointer + place, count: segment.count)
      }
    }
  }

  /// The way back. Collective.
  func distribute(_ arrays: [CheckpointArray], into state: AlignedBuffer<Float>) throws {
    let (held, owned) = (Parcel(held, \.owner, communicator), Parcel(owned, \.holder, communicator))
    for (segment, place) in owned.contents {
      arrays[segment.parameter].withValues {
        (owned.memory.pointer + place).update(from: $0.baseAddress! + segment.arrayOffset, count: segment.count)
      }
    }
    try communicator.allToAll(
      UnsafeBufferPointer(owned.memory.buffer), sendCounts: owned.counts, into: held.memory.buffer,
      receiveCounts: held.counts)
    for (segment, place) in held.contents {
      (state.pointer + segment.stateOffset).update(from: held.memory.pointer + place, count: segment.count)
    }
  }

  private var held: [Segment] { segments.filter { $0.holder == communicator.rank } }
  private var owned: [Segment] { segments.filter { $0.owner == communicator.rank } }

  /// What goes to, or comes from, all ranks: a rank's segments one after another, in the order of the store.
  private struct Parcel {
    let counts: [Int]
    let contents: [(segment: Segment, place: Int)]
    let memory: AlignedBuffer<Float>

    init(_ segments: [Segment], _ partner: KeyPath<Segment, Int>, _ communicator: Communicator) {
      var counts = [Int](repeating: 0, count: communicator.size)
      for segment in segments { counts[segment[keyPath: partner]] += segment.count }
      var end = 0
      var places = counts.map { count in
        defer { end += count }
        return end
      }
      contents = segments.map { segment in
        defer { places[segment[keyPath: partner]] += segment.count }
        return (segment, places[segment[keyPath: partner]])
      }
      self.counts = counts
      memory = AlignedBuffer(count: end)
    }
  }
}
