/// Hears from gradient averaging of each part of the gradient that has travelled.
public protocol CommunicationObserver: AnyObject {
  /// - Parameters:
  ///   - start, end: on the monotonic clock, in nanoseconds.
  ///   - bytes: of the part.
  func communicationEnded(start: Int64, end: Int64, bytes: Int)
}

/// Seconds of a rank's time by what it did with them.
public struct PhaseSeconds: Sendable, Equatable {
  public static let names = ["loading", "compute", "communication", "update", "other"]

  /// Waiting for the next batch.
  public var loading = 0.0
  /// Forward and backward passes, with the communication that hides behind them.
  public var compute = 0.0
  /// Exposed: waiting for gradients and for what ranks share.
  public var communication = 0.0
  public var update = 0.0
  public var other = 0.0

  /// In the order of `names`.
  public var values: [Double] { [loading, compute, communication, update, other] }

  public init() {}

  /// - Parameter values: in the order of `names`.
  public init(_ values: some Collection<Double>) {
    let values = Array(values)
    (loading, compute, communication, update, other) = (values[0], values[1], values[2], values[3], values[4])
  }

  mutating func add(_ seconds: Double, of phase: RunPhase) {
    switch phase {
    case .loading: loading += seconds
    case .forward, .backward: compute += seconds
    case .averaging, .sharing: communication += seconds
    case .update: update += seconds
    case .recording, .consistency, .evaluation, .checkpoint: other += seconds
    case .starting, .ended: break
    }
  }
}

/// Follows a rank's main thread through the phases of its work: times, spans for timelines, the status for a watchdog.
///
/// A change of phase reads the clock once and writes a few words: about 100 ns, some eight times a step. Nothing is
/// allocated. For the main thread only.
public final class PhaseRecorder {
  let status = RankStatus()
  package let spans = SpanRing()
  private var phase = RunPhase.starting
  private var since = MonotonicClock.nanoseconds
  private var seconds = PhaseSeconds()
  private var stepsTimed = 0

  private var communications = 0

  public init() {}

  /// - Parameter step: 1 for the first of the run.
  public func begin(step: Int) {
    enter(.loading)
    status.set(step: step)
    stepsTimed += 1
  }

  /// The work from now on belongs to a phase.
  public func enter(_ next: RunPhase) {
    guard next != phase else { return }
    let now = MonotonicClock.nanoseconds
    seconds.add(Double(now - since) * 1e-9, of: phase)
    spans.add(Span(start: since, end: now, step: status.step, kind: .phase, phase: phase))
    phase = next
    since = now
    status.set(phase: next)
  }

  /// Times since the last call, and the number of steps that they are of.
  public func takeSeconds() -> (seconds: PhaseSeconds, steps: Int) {
    defer {
      seconds = PhaseSeconds()
      stepsTimed = 0
    }
    return (seconds, stepsTimed)
  }
}

extension PhaseRecorder: CommunicationObserver {
  public func communicationEnded(start: Int64, end: Int64, bytes: Int) {
    spans.add(
      Span(
        start: start, end: end, step: status.step, kind: .communication, phase: phase, number: communications,
        bytes: bytes))
    communications += 1
  }
}
