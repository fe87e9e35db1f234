import KitiMPI

/// Local SGD: each rank makes several steps on its own samples, then parameters are averaged (Stich, arXiv 1805.09767;
/// Lin et al., arXiv 1808.07217).
///
/// - A rank's gradient is the mean over its own samples of the step, and so is the norm that clipping looks at. A rank
///   without samples makes no step.
/// - Ranks are averaged by the samples that each has seen since the last time, so that one step of plain gradient
///   descent between averages is the step on the global batch.
/// - The optimizer's state is averaged in the same way (Yu et al., arXiv 1905.03817, for momentum): after it all ranks
///   are the same, a checkpoint needs one state, and it resumes at any number of ranks. So 1 + (number of states) times
///   the bytes of the parameters travel each time.
/// - A state of means of squares stays above zero, since all weights are; the step number that bias corrections use is
///   the run's.
public final class ParameterAverager {
  private let store: ParameterStore
  private let arrays: [AlignedBuffer<Float>]
  private let communicator: Communicator
  private let exchange: any BucketExchange
  private let bucketCount: Int
  private var samples = 0
  /// Seconds and bytes since the last `resetTimes`.
  private var seconds = 0.0
  private var bytes = 0

  /// Nil unless the configuration has local steps and there are ranks to average with. Collective.
  ///
  /// - Parameter states: of the optimizer, each as long as the store.
  public init?(
    store: ParameterStore, states: [AlignedBuffer<Float>], communicator: Communicator,
    configuration: ParallelConfiguration
  ) throws {
    guard configuration.localSteps > 1, communicator.size > 1 else { return nil }
    self.store = store
    arrays = [store.values] + states
    self.communicator = communicator
    let layout = BucketLayout(count: store.count, bucketMiB: configuration.bucketMiB, ranks: communicator.size)
    exchange = try configuration.exchange(layout, communicator)
    bucketCount = layout.bucketCount
  }

  /// The cost of averaging since the last `resetTimes`.
  public var report: CommunicationReport {
    CommunicationReport(exposedSeconds: seconds, hiddenSeconds: 0, bytesSent: bytes)
  }

  public func resetTimes() {
    seconds = 0
    bytes = 0
  }

  /// Counts samples of this rank towards its weight in the next average.
  public func count(samples: Int) { self.samples += samples }

  /// Replaces parameters and optimizer state by their averages. Collective.
  public func average() throws {
    let start = MPI.wallTime
    let total = try communicator.allreduce(samples, .sum)
    guard total > 0 else { return }
    let weight = Float(Double(samples) / Double(total))
    samples = 0
    for array in arrays {
      rescale(array.pointer, by: weight, count: array.count)
      exchange.begin(.sum, on: array.pointer)
      try exchange.release(bucketCount)
      try exchange.complete()
      bytes += exchange.bytesSent(.sum)
    }
    seconds += MPI.wallTime - start
  }

  /// The root of the mean of the ranks' squared norms by samples: one number that all ranks know, and no number if any
  /// has none.
  func meanNorm(_ norm: Double, samples: Int) throws -> Double {
    let start = MPI.wallTime
    defer { seconds += MPI.wallTime - start }
    let squares = try communicator.allreduce(norm * norm * Double(samples), .sum)
    let total = try communicator.allreduce(samples, .sum)
    return (squares / Double(max(1, total))).squareRoot()
  }
}
