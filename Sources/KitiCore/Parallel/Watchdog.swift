import Foundation
import KitiMPI
import Synchronization

/// Ends a job that hangs, and says where it hangs.
///
/// A thread of each rank looks at its main thread: when that stays in one operation that needs other ranks (or a
/// file) for longer than the limit, the job will not get on by itself. Ranks that compute, however long, are left
/// alone until another waits for them. Ranks tell ranks 0 and 1 of themselves several times within the limit, so that
/// rank 0 can report of all; if it does not, since it is itself the one that is stopped, rank 1 does a little later,
/// and after that each rank for itself. All are ended through `MPI_Abort`, with status 1.
public final class Watchdog {
  private let thread: WatchdogThread

  private init(_ thread: WatchdogThread) { self.thread = thread }

  deinit { thread.stop() }

  /// Starts watching. Collective.
  ///
  /// - Parameters:
  ///   - limit: in seconds; 0 for no watchdog.
  ///   - clock: of this rank, for the tail of its timeline.
  ///   - folder: where the tails go when the job is ended, if it exists then; nil for none.
  ///   - advice: how to go on after such an end, for the report.
  /// - Returns: nil without a limit or without other ranks.
  public static func start(
    limit: Double, recorder: PhaseRecorder, clock: ClockAlignment, folder: String?, advice: String,
    communicator: Communicator
  ) throws -> Watchdog? {
    guard limit > 0, communicator.size > 1 else { return nil }
    let channel = try WatchdogChannel(communicator: communicator)
    let text = TimelineText(rank: channel.rank, host: channel.hosts[channel.rank], clock: clock)
    let thread = WatchdogThread(
      limit: limit, channel: channel, status: recorder.status, spans: recorder.spans, text: text,
      folder: folder, advice: advice)
    thread.start()
    return Watchdog(thread)
  }

  /// Ends watching: this rank may wait as long as it likes from now on.
  public func stop() { thread.stop() }
}

/// What runs beside the main thread. Its own state is used by that thread alone.
private final class WatchdogThread: @unchecked Sendable {
  private let limit: Double
  private let channel: WatchdogChannel
  private let status: RankStatus
  private let spans: SpanRing
  private let text: TimelineText
  private let folder: String?
  private let advice: String
  private let isStopped = Atomic<Bool>(false)
  private let ended = DispatchSemaphore(value: 0)

  /// Of each rank: what it said last, and when.
  private var heard: [(report: RankReport?, at: Double)]
  /// The numbers of the main thread's last change, and when it was seen.
  private var lastChange: (phase: UInt64, call: UInt64, at: Double)
  private var lastTick: Double
  private var alarmedAt: Double?

  /// A rank reports several times within the limit, and often enough to be seen to be alive.
  private var interval: Double { min(1, max(0.02, limit / 20)) }
  /// How long a rank that runs can be silent: some intervals, and what a busy host makes of them.
  private var longestSilence: Double { 4 * interval + 0.5 }
  /// How much later than the rank before it in the line a rank gives up.
  private var grace: Double { min(10, max(2, limit / 4)) }
  /// Ranks that hear of all others: the first reports, the second if the first does not.
  private static let monitors = 0..<2

  init(
    limit: Double, channel: WatchdogChannel, status: RankStatus, spans: SpanRing, text: TimelineText, folder: String?,
    advice: String
  ) {
    self.limit = limit
    self.channel = channel
    self.status = status
    self.spans = spans
    self.text = text
    self.folder = folder
    self.advice = advice
    let now = MonotonicClock.seconds
    heard = Array(repeating: (nil, now), count: channel.size)
    lastChange = (0, 0, now)
    lastTick = now
  }

  func start() {
    let thread = Thread { [self] in
      run()
      ended.signal()
    }
    thread.name = "kiti-watchdog"
    thread.start()
  }

  /// Returns when the thread has ended; further calls do nothing.
  func stop() {
    guard !isStopped.exchange(true, ordering: .sequentiallyConsistent) else { return }
    channel.send(.wake, to: channel.rank)
    ended.wait()
    channel.close()
  }

  private func run() {
    var next = MonotonicClock.seconds
    while !isStopped.load(ordering: .relaxed) {
      let messages = channel.receive(timeout: max(0, next - MonotonicClock.seconds))
      let now = MonotonicClock.seconds
      for (rank, message) in messages { take(message, from: rank, now) }
      guard now >= next else { continue }
      next = now + interval
      tick(now)
    }
  }

  private func take(_ message: WatchdogChannel.Message, from rank: Int, _ now: Double) {
    switch message {
    case .status(let report): heard[rank] = (report, now)
    case .alarm where alarmedAt == nil:
      alarmedAt = now
      writeTail()
    case .alarm, .wake: break
    }
  }

  private func tick(_ now: Double) {
    forgetWhileStopped(now)
    let own = ownReport(now)
    heard[channel.rank] = (own, now)
    for monitor in Self.monitors where monitor != channel.rank { channel.send(.status(own), to: monitor) }
    if let alarmedAt {
      // Another rank reports and aborts; should it fail to, this one ends at least itself.
      if now - alarmedAt > grace { abort() }
      return
    }
    let place = min(channel.rank, Self.monitors.upperBound)
    let ranks = watched(now)
    let known = Self.monitors.contains(channel.rank) ? ranks : [ranks[channel.rank]]
    if StallReport.longestWait(known) > limit + Double(place) * grace { raiseAlarm(known) }
  }

  /// A whole job may be stopped for a while, by a batch system say: time in which this thread did not run proves
  /// nothing.
  private func forgetWhileStopped(_ now: Double) {
    defer { lastTick = now }
    guard now - lastTick > max(limit / 4, 4 * interval) else { return }
    lastChange.at = now
    for rank in heard.indices { heard[rank] = (nil, now) }
  }

  private func ownReport(_ now: Double) -> RankReport {
    let activity = Activity.reading
    let phaseChanges = status.changes
    if lastChange.phase != phaseChanges || lastChange.call != activity.changes {
      lastChange = (phaseChanges, activity.changes, now)
    }
    return RankReport(
      step: status.step, phase: status.phase, kind: activity.kind, operation: activity.operation,
      unchangedSeconds: now - lastChange.at)
  }

  private func watched(_ now: Double) -> [WatchedRank] {
    heard.enumerated().map { rank, last in
      WatchedRank(
        rank: rank, host: channel.hosts[rank], report: last.report, silentSeconds: now - last.at,
        isSilent: last.report == nil || now - last.at > longestSilence)
    }
  }

  // MARK: - The end

  private func raiseAlarm(_ ranks: [WatchedRank]) -> Never {
    for peer in 0..<channel.size where peer != channel.rank { channel.send(.alarm, to: peer) }
    writeTail()
    let report = StallReport(ranks: ranks, limit: limit)
    let tails = folder.map {
      "The last moments of each rank are in \($0)/\(TimelineTail.name(rank: nil)) (Chrome trace format). "
    }
    let text = """
      kiti-dist: error: watchdog on rank \(channel.rank): \(report.text)
        \(tails ?? "")All ranks are ended; \(advice)

      """
    FileHandle.standardError.write(Data(text.utf8))
    // Time for the others to write their tails.
    Thread.sleep(forTimeInterval: 0.5)
    abort()
  }

  private func writeTail() {
    if let folder { TimelineTail.write(spans.spans(), status: status, text: text, folder: folder) }
  }

  private func abort() -> Never {
    // Across a cut link the library may wait for an answer to its own abort.
    let last = Thread {
      Thread.sleep(forTimeInterval: 5)
      _exit(1)
    }
    last.start()
    MPI.abort(status: 1)
  }
}
