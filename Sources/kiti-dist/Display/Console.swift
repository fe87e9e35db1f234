import Foundation
import KitiCore

/// Text for people: results on standard output, everything else on standard error.
enum Console {
  static func error(_ text: String) { write("kiti-dist: error: \(text)\n") }
  static func notice(_ text: String) { write("kiti-dist: \(text)\n") }

  static func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

  /// `1:02:03`, `2:03`.
  static func duration(_ seconds: Double) -> String {
    let whole = Int(seconds.rounded())
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60)
    return hours > 0
      ? String(format: "%d:%02d:%02d", hours, minutes, rest) : String(format: "%d:%02d", minutes, rest)
  }

  /// `1.2 GiB`, `34.5 MiB`, `6 KiB`.
  static func bytes(_ count: Int) -> String {
    let value = Double(count)
    if value >= 1_073_741_824 { return String(format: "%.1f GiB", value / 1_073_741_824) }
    if value >= 1_048_576 { return String(format: "%.1f MiB", value / 1_048_576) }
    return String(format: "%.0f KiB", value / 1024)
  }

  /// `91.25 %` of a share, four significant digits of any other number.
  static func value(_ metric: MetricValue) -> String {
    metric.metric.isShare ? "\(number(metric.value * 100)) %" : number(metric.value)
  }

  /// `test accuracy 91.25 %, loss 0.31 (averaged weights)`.
  static func sentence(_ evaluation: EvaluationReport) -> String {
    let remarks = evaluation.remarks.isEmpty ? "" : " (\(evaluation.remarks.joined(separator: ", ")))"
    return "test " + evaluation.metrics.map { "\($0.metric.name) \(value($0))" }.joined(separator: ", ") + remarks
  }

  /// Four significant digits.
  static func number(_ value: Double) -> String { String(format: "%.4g", value) }
}
