import KitiMPI

/// Sums gradients over all ranks while the backward pass goes on.
///
/// The gradient store is cut into buckets, ranges in the order in which the pass finishes them. A bucket leaves as a
/// non-blocking allreduce as soon as the pass is beyond it; all ranks announce the same prefixes, so the order is the
/// same everywhere. Each rank's gradients are already divided by the samples of the global step, so that the sum is
/// the mean over them, whatever each rank's share.
public final class GradientAverager: GradientObserver {
  /// Bytes that one step hands to the allreduce on each rank.
  public let bytesPerStep: Int
  /// Seconds for which steps waited for communication, since the last `resetTimes`.
  public private(set) var exposedSeconds = 0.0

  private let store: ParameterStore
  private let communicator: Communicator
  private let bucketCount: Int
  private let bucketFloats: Int
  private let requests: RequestSet
  /// Hears of each bucket.
  public weak var observer: (any CommunicationObserver)?
  private var nextBucket = 0
  private var failure: MPIError?

  /// - Parameter bucketMiB: size of a bucket, in MiB.
  public init(store: ParameterStore, communicator: Communicator, bucketMiB: Double) {
    self.store = store
    self.communicator = communicator
    bucketFloats = max(16, Int(bucketMiB * 1_048_576 / 4) / 16 * 16)
    bucketCount = (store.count + bucketFloats - 1) / bucketFloats
    // An allreduce beyond the binding's count limit takes several places.
    requests = RequestSet(capacity: bucketCount + store.count / (1 << 26) + 1)
    bytesPerStep = communicator.size > 1 ? store.count * 4 : 0
  }

  public func resetTimes() { exposedSeconds = 0 }

  public func gradientsFinished(_ count: Int) {
    guard communicator.size > 1, failure == nil else { return }
    do throws(MPIError) {
      while nextBucket < bucketCount, min((nextBucket + 1) * bucketFloats, store.count) <= count {
        let first = nextBucket * bucketFloats
        let range = UnsafeMutableBufferPointer(
          start: store.gradients.pointer + first, count: min(bucketFloats, store.count - first))
        try requests.startAllreduce(inPlace: range, .sum, on: communicator)
        observer?.communicationBegins(bytes: 4 * range.count)
        nextBucket += 1
      }
      // The library moves messages only inside its calls.
      let pending = requests.pending
      if pending > 0 { _ = try requests.poll() }
      if requests.pending < pending { observer?.communicationEnds(count: pending - requests.pending) }
    } catch {
      failure = error
    }
  }

  /// Waits until the gradients of all ranks are summed. Collective.
  public func finish() throws {
    defer { nextBucket = 0 }
    guard communicator.size > 1 else { return }
    let start = MPI.wallTime
    gradientsFinished(store.count)
    if let failure { throw failure }
    let pending = requests.pending
    try requests.waitAll()
    observer?.communicationEnds(count: pending)
    exposedSeconds += MPI.wallTime - start
  }
}
