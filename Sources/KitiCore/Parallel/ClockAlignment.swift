import KitiMPI

/// How a rank's monotonic clock reads against rank 0's.
public struct ClockAlignment: Sendable, Equatable {
  /// To add to this rank's clock for rank 0's, in nanoseconds.
  package var offset: Int64 = 0
  /// How wrong that may be: half the fastest round trip, in nanoseconds.
  package var uncertainty: Int64 = 0
  /// Rank 0's clock when a run began: where its timelines begin.
  package var origin: Int64 = 0

  package init(offset: Int64 = 0, uncertainty: Int64 = 0, origin: Int64 = 0) {
    self.offset = offset
    self.uncertainty = uncertainty
    self.origin = origin
  }

  private static let rounds = 8

  /// Asks rank 0 for its time several times and keeps the answer that came fastest (Cristian 1989, Probabilistic clock
  /// synchronization). Clocks of hosts drift apart by some 10 µs a second afterwards at worst. Collective; ranks take
  /// turns.
  public static func measure(over communicator: Communicator) throws -> ClockAlignment {
    var result = ClockAlignment()
    for peer in 1..<max(1, communicator.size) {
      if communicator.rank == 0 {
        for _ in 0..<rounds {
          _ = try communicator.receive(Int64.self, from: peer)
          try communicator.send([MonotonicClock.nanoseconds], to: peer)
        }
      } else if communicator.rank == peer {
        result = try ask(communicator)
      }
    }
    result.origin = try communicator.broadcast(MonotonicClock.nanoseconds, root: 0)
    return result
  }

  private static func ask(_ communicator: Communicator) throws -> ClockAlignment {
    var best = ClockAlignment(uncertainty: .max)
    for _ in 0..<rounds {
      let start = MonotonicClock.nanoseconds
      try communicator.send([start], to: 0)
      let answer = try communicator.receive(Int64.self, from: 0).values[0]
      let end = MonotonicClock.nanoseconds
      let uncertainty = (end - start) / 2
      if uncertainty < best.uncertainty {
        best = ClockAlignment(offset: answer - (start + uncertainty), uncertainty: uncertainty)
      }
    }
    return best
  }

  /// A time of this rank's clock in microseconds since the run's origin.
  func microseconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds + offset - origin) * 1e-3 }
}
