import KitiMPI

/// When something that recurs is due: every so many steps or epochs, which all ranks know alike, or after a time, which
/// one rank decides for all.
struct IntervalTimer {
  private let everySteps: Int?
  private let everySeconds: Double?
  private var last = MPI.wallTime

  init(_ interval: Interval, stepsPerEpoch: Int) {
    switch interval {
    case .epochs(let count): (everySteps, everySeconds) = (count * stepsPerEpoch, nil)
    case .steps(let count): (everySteps, everySeconds) = (count, nil)
    case .minutes(let length): (everySteps, everySeconds) = (nil, length * 60)
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
