import Foundation

/// A hook of tests of failures: the environment variable `KITI_TEST_DELAY=RANK:SECONDS` makes a rank sleep in the
/// forward pass of each training step, `KITI_TEST_DELAY=RANK:SECONDS@STEP` in that of one, and before it evaluates a
/// checkpoint of that step; RANK may be `*` for all. Without the variable it costs nothing.
struct TestDelay {
  private var seconds = 0.0
  private var step: Int?

  init(rank: Int) {
    guard let text = ProcessInfo.processInfo.environment["KITI_TEST_DELAY"] else { return }
    let parts = text.split(whereSeparator: { $0 == ":" || $0 == "@" })
    guard parts.count >= 2, parts[0] == "*" || Int(parts[0]) == rank, let seconds = Double(parts[1]) else { return }
    self.seconds = seconds
    step = parts.count > 2 ? Int(parts[2]) : nil
  }

  func apply(step: Int, as phase: RunPhase, in recorder: PhaseRecorder) {
    guard seconds > 0, self.step == nil || self.step == step else { return }
    recorder.enter(phase)
    Thread.sleep(forTimeInterval: seconds)
  }
}
