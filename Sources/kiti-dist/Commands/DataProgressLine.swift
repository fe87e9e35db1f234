import Foundation

/// One line on standard error that says how far a long command is; only shown on a terminal.
final class ProgressLine {
  private let isShown: Bool
  private let total: Int
  private let unit: String
  private let started = Date()
  private var lastDrawn: Date?

  init(isShown: Bool, total: Int, unit: String) {
    self.isShown = isShown && isatty(STDERR_FILENO) == 1
    self.total = total
    self.unit = unit
  }

  func show(_ done: Int) {
    let isDue = done == total || lastDrawn.map { Date().timeIntervalSince($0) > 0.1 } ?? true
    guard isShown, done > 0, isDue else { return }
    lastDrawn = Date()
    let remaining = Date().timeIntervalSince(started) / Double(done) * Double(total - done)
    Console.write("\r\u{1B}[K\(done) of \(total) \(unit)  \(100 * done / total) %  \(Console.duration(remaining)) left")
  }

  func clear() {
    if lastDrawn != nil { Console.write("\r\u{1B}[K") }
    lastDrawn = nil
  }
}
