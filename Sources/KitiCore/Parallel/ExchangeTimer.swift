import KitiMPI

/// Sums an array over all ranks as a training step would, but with nothing to compute: for measurements.
public final class ExchangeTimer {
  public let byteCount: Int
  /// Bytes that leave this rank.
  public let bytesSent: Int

  private let numbers: AlignedBuffer<Float>
  private let exchange: any BucketExchange
  private let bucketCount: Int
  private let communicator: Communicator

  /// Collective.
  ///
  /// - Parameter byteCount: of the array, rounded up to whole cache lines.
  public init(byteCount: Int, configuration: ParallelConfiguration, communicator: Communicator) throws {
    numbers = AlignedBuffer(count: (byteCount + 63) / 64 * 16)
    self.byteCount = numbers.byteCount
    self.communicator = communicator
    let layout = BucketLayout(
      count: numbers.count, bucketMiB: configuration.bucketMiB, ranks: communicator.size)
    bucketCount = layout.bucketCount
    exchange = try configuration.exchange(layout, communicator)
    bytesSent = exchange.bytesSent(.sum)
  }

  /// Seconds of one sum, on the slowest rank. Collective.
  public func time(turns: Int) throws -> Double {
    try communicator.barrier()
    let start = MPI.wallTime
    for _ in 0..<turns {
      exchange.begin(.sum, on: numbers.pointer)
      try exchange.release(bucketCount)
      try exchange.complete()
    }
    return try communicator.allreduce((MPI.wallTime - start) / Double(turns), .maximum)
  }
}
