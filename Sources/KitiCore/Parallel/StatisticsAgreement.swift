import KitiMPI

/// Sums a batch's statistics over all ranks in the middle of a pass, on a communicator of its own: gradients may be
/// under way on the other.
public final class RankSums: StatisticsReducer {
  private let communicator: Communicator
  private var failure: MPIError?

  /// Collective.
  public init(over communicator: Communicator) throws { self.communicator = try communicator.duplicate() }

  public func sum(_ values: UnsafeMutableBufferPointer<Double>) {
    guard failure == nil else { return }
    do throws(MPIError) { try communicator.allreduce(inPlace: values, .sum) } catch { failure = error }
  }

  /// Throws what went wrong in a pass.
  public func requireSuccess() throws {
    if let failure { throw failure }
  }
}

extension Communicator {
  /// Replaces a model's statistics, which each rank has gathered from its own samples, by their means over the ranks.
  /// Collective.
  ///
  /// Numbers that are the same on all ranks stay as they are, to the bit: three times an fp32 number, and a third of
  /// that, are exact in double precision.
  public func average(_ statistics: UnsafeMutableBufferPointer<Float>) throws {
    guard size > 1, !statistics.isEmpty else { return }
    let sums = AlignedBuffer<Double>(count: statistics.count)
    for index in statistics.indices { sums.pointer[index] = Double(statistics[index]) }
    try allreduce(inPlace: sums.buffer, .sum)
    for index in statistics.indices { statistics[index] = Float(sums.pointer[index] / Double(size)) }
  }
}
