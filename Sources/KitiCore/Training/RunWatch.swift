import Foundation
import KitiMPI

/// What goes along with a training on each rank: its watchdog, the times of its phases, its timeline.
final class RunWatch {
  let recorder = PhaseRecorder()
  /// In the order of ranks.
  let hosts: [String]

  private let folder: RunFolder
  private let communicator: Communicator
  private let watchdog: Watchdog?
  private let delay: TestDelay
  private let timelineText: TimelineText?
  private var timeline: TimelineFile?
  private var noticedRank: Int?

  /// Starts the watchdog. Collective.
  ///
  /// - Parameter timeline: whether `openTimeline` is to open one.
  init(
    _ configuration: ParallelConfiguration, folder: RunFolder, timeline: Bool, communicator: Communicator
  ) throws {
    self.folder = folder
    self.communicator = communicator
    hosts = try communicator.allgather(MPI.processorName)
    let clock = try ClockAlignment.measure(over: communicator)
    timelineText = timeline ? TimelineText(rank: communicator.rank, host: MPI.processorName, clock: clock) : nil
    delay = TestDelay(rank: communicator.rank)
    watchdog = try Watchdog.start(
      limit: configuration.watchdogSeconds, recorder: recorder, clock: clock, folder: folder.path,
      advice: "go on from the last checkpoint with --resume.", communicator: communicator)
  }

  /// Starts the timeline, if one is wanted, in the run's folder. Collective.
  func openTimeline() throws {
    guard let timelineText else { return }
    try communicator.onFirstRank { TimelineFile.removeAll(in: folder.path) }
    timeline = try communicator.agreeing {
      try TimelineFile(folder: folder.path, spans: recorder.spans, text: timelineText)
    }
  }

  /// - Parameter step: 1 for the first of the run.
  func begin(step: Int) {
    recorder.begin(step: step)
    delay.apply(step: step, as: .forward, in: recorder)
  }

  func stepEnds() {
    if let problem = timeline?.stepEnds() { say(problem) }
  }

  /// What ranks did with their time since the last call; nil on other ranks than the first. Collective.
  func timings(step: Int) throws -> PhaseTimings? {
    try PhaseTimings.gather(recorder, step: step, hosts: hosts, over: communicator)
  }

  /// In words that a rank stands out, unless that was said of it the last time.
  func notice(of timings: PhaseTimings) -> String? {
    guard let notice = timings.notice, timings.slowest?.rank != noticedRank else { return nil }
    noticedRank = timings.slowest?.rank
    return notice
  }

  /// Ranks may wait for each other from now on as long as they like.
  func end() {
    recorder.enter(.ended)
    watchdog?.stop()
    if let problem = timeline?.close() { say(problem) }
  }

  /// A timeline that ends early, on any rank, is no reason to end the run.
  private func say(_ problem: String) {
    FileHandle.standardError.write(Data("kiti-dist: rank \(communicator.rank): \(problem)\n".utf8))
  }
}
