/// When each bucket of an array left and when it was seen to have arrived, for timelines.
///
/// One thread at a time uses it: the one that moves the buckets, and when all are there the one that reports them.
/// Nothing is allocated after `init`.
final class BucketTimes {
  private let layout: BucketLayout
  /// On the monotonic clock, in nanoseconds.
  private let departures: AlignedBuffer<Int64>
  private let arrivals: AlignedBuffer<Int64>
  private var released = 0
  private var arrived = 0
  private var reported = 0

  init(_ layout: BucketLayout) {
    self.layout = layout
    departures = AlignedBuffer(count: layout.bucketCount)
    arrivals = AlignedBuffer(count: layout.bucketCount)
  }

  /// Begins with another array.
  func reset() { (released, arrived, reported) = (0, 0, 0) }

  /// So many buckets have left and so many have arrived by now. MPI does not say when, only that they have; they count
  /// in the order in which they left.
  func note(released: Int, arrived: Int) {
    guard released > self.released || arrived > self.arrived else { return }
    let now = MonotonicClock.nanoseconds
    while self.released < released {
      departures.pointer[self.released] = now
      self.released += 1
    }
    while self.arrived < arrived {
      arrivals.pointer[self.arrived] = now
      self.arrived += 1
    }
  }

  /// Tells of the buckets that have arrived since the last time.
  func report(to observer: any CommunicationObserver) {
    while reported < arrived {
      observer.communicationEnded(
        start: departures.pointer[reported], end: arrivals.pointer[reported],
        bytes: MemoryLayout<Float>.stride * layout.bucket(reported).count)
      reported += 1
    }
  }
}
