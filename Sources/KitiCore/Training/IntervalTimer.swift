import KitiMPI

/// When something that recurs is due: every so many steps, which all ranks know alike, or after a time, which
/// one rank decides for all.
struct IntervalTimer {
  private let everySteps: Int?
  private let everySeconds: Double?
  private var last = MPI.wallTime

  init(_ interval: Interval, stepsPerEpoch: Int, totalSteps: Int) {
    if case .minutes(let length) = interval {
      (everySteps, everySeconds) = (nil, length * 60)
    } else {
      (everySteps, everySeconds) = (interval.steps(perEpoch: stepsPerEpoch, total: totalSteps), nil)
    }
  }

  func isDue(step: Int) -> Bool { everySteps.map { step % $0 == 0 } ?? false }

  /// True once each time the interval has passed.
  var isTimeUp: Bool {
    mutating get {
      guard let everySeconds, MPI.wallTime - last >= everySeconds else { return false }
      last = MPI.wallTime
      return true
    }
  }
}

/// Training time, over all starts of a run.
struct RunClock {
  private let before: Double
  private let start = MPI.wallTime

  init(elapsed: Double) { before = elapsed }

  var elapsed: Double { before + MPI.wallTime - start }
}
