import ArgumentParser
import Foundation
import KitiCore

/// How a run is shown as it goes on.
enum ProgressStyle: String, CaseIterable, ExpressibleByArgument {
  /// `live` on a terminal, else `lines`. Under mpirun a rank never sees the terminal: ask for `live` there.
  case auto
  /// One line that is rewritten, and one for each evaluation.
  case live
  /// One line for each evaluation.
  case lines
}

final class TrainingDisplay: TrainingObserver {
  private let isLive: Bool
  private var lastDrawn = 0.0
  private var firstStep = 0
  private var started = Date()
  private var lastStep: StepReport?

  init(_ style: ProgressStyle) {
    isLive = style == .live || style == .auto && isatty(STDERR_FILENO) == 1
  }

  func runBegins(_ run: RunDescription) {
    started = Date()
    firstStep = run.firstStep
    let ranks = run.ranks == 1 ? "1 rank" : "\(run.ranks) ranks"
    Console.notice(
      "\(run.name): \(run.parameterCount) parameters, \(run.trainingSamples) training and \(run.testSamples) test samples, "
        + "\(ranks), global batch \(run.globalBatch), \(run.totalSteps) steps"
        + (run.firstStep > 0 ? ", going on after step \(run.firstStep)" : ""))
  }

  func stepEnds(_ report: StepReport) {
    lastStep = report
    guard isLive else { return }
    let now = Date().timeIntervalSinceReferenceDate
    guard now - lastDrawn > 0.1 || report.step == report.totalSteps else { return }
    lastDrawn = now
    let pace = Date().timeIntervalSince(started) / Double(max(1, report.step - firstStep))
    let remaining = Console.duration(pace * Double(report.totalSteps - report.step))
    Console.write("\r\u{1B}[K\(line(report))  \(remaining) left")
  }

  func evaluationEnds(_ report: EvaluationReport) {
    let step = lastStep.map { line($0) } ?? ""
    clear()
    Console.notice(
      "\(step)  \(Console.sentence(report))\(report.isBest ? " (best)" : "")")
  }

  func checkpointIsWritten(path: String, seconds: Double) {
    clear()
    Console.notice("checkpoint \(path) (\(String(format: "%.2f", seconds)) s)")
  }

  func notice(_ text: String) {
    clear()
    Console.notice(text)
  }

  private func clear() {
    if isLive { Console.write("\r\u{1B}[K") }
  }

  private func line(_ report: StepReport) -> String {
    var parts = [
      "epoch \(report.epoch + 1)", "step \(report.step)/\(report.totalSteps)", "loss \(Console.number(report.loss))",
      "learning rate \(Console.number(report.learningRate))", "\(Int(report.samplesPerSecond)) samples/s",
    ]
    if let rate = report.collisionRate { parts.append(String(format: "collisions %.1f %%", rate * 100)) }
    if let communication = report.communication {
      parts.append(String(format: "waiting %.1f %%", communication.exposedSeconds / report.seconds * 100))
    }
    return parts.joined(separator: "  ")
  }
}
