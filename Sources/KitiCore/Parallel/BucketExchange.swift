import KitiMPI

/// What happens to the buckets of an array.
enum BucketWork {
  /// Each becomes the sum over all ranks, everywhere.
  case sum
  /// Of each, a rank's own part becomes the sum over all ranks; the other parts are worth nothing afterwards.
  case sumOwnParts
  /// Each is put together from the ranks' own parts.
  case collectParts
}

/// Moves the buckets of one array at a time between the ranks.
///
/// One thread at a time uses it. Messages move only inside its methods.
protocol BucketExchange: AnyObject {
  /// Begins with an array, from which no bucket may leave yet. Nothing is under way.
  func begin(_ work: BucketWork, on numbers: UnsafeMutablePointer<Float>)

  /// Lets the first `count` buckets leave; the count only grows. All ranks release all buckets in the end.
  func release(_ count: Int) throws(MPIError)

  /// Buckets that are known to have arrived.
  var arrived: Int { get }

  /// Moves messages on. True if no bucket that was released is under way.
  func advance() throws(MPIError) -> Bool

  /// Returns when no bucket that was released is under way.
  func complete() throws(MPIError)

  /// Bytes that leave this rank.
  func bytesSent(_ work: BucketWork) -> Int
}

/// The sums of MPI's own non-blocking allreduce: in whichever order the library likes best for the number of ranks and
/// the size of a bucket, the same from run to run.
final class AllreduceExchange: BucketExchange {
  private let layout: BucketLayout
  private let communicator: Communicator
  private let requests: RequestSet
  private var numbers: UnsafeMutablePointer<Float>?
  private var started = 0

  init(layout: BucketLayout, communicator: Communicator) {
    self.layout = layout
    self.communicator = communicator
    requests = RequestSet(capacity: layout.bucketCount)
  }

  func begin(_ work: BucketWork, on numbers: UnsafeMutablePointer<Float>) {
    precondition(work == .sum, "an allreduce sums whole buckets")
    self.numbers = numbers
    started = 0
  }

  func release(_ count: Int) throws(MPIError) {
    guard let numbers else { return }
    while started < count {
      let range = layout.bucket(started)
      try requests.startAllreduce(
        inPlace: UnsafeMutableBufferPointer(start: numbers + range.lowerBound, count: range.count), .sum,
        on: communicator)
      started += 1
    }
  }

  var arrived: Int { started - requests.pending }

  func advance() throws(MPIError) -> Bool { try requests.poll() }

  func complete() throws(MPIError) { try requests.waitAll() }

  /// On average over the ranks, whichever algorithm the library takes: every number but those of a rank's own part
  /// twice. In a tree, which Open MPI takes unless told, the root sends more and most ranks send less.
  func bytesSent(_ work: BucketWork) -> Int {
    2 * (layout.count - layout.count / layout.ranks) * MemoryLayout<Float>.stride
  }
}
