import Glibc

/// What a rank is doing, in the words of reports, timings and timelines.
public enum RunPhase: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  case starting, loading, forward, backward, averaging, sharing, update, recording, consistency, evaluation, checkpoint
  case ended

  public var name: String { "\(self)" }

  /// Phases in which a rank does little but wait for the others, whatever thread of it talks to MPI.
  var isCollective: Bool { self == .averaging || self == .sharing }
}

/// A clock that only goes forward; each host has its own.
enum MonotonicClock {
  static var nanoseconds: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  static var seconds: Double { Double(nanoseconds) * 1e-9 }
}
