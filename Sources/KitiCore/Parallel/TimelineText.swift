import Foundation

/// Spans as text in the Chrome trace format (Trace Event Format, JSON array), times in microseconds of rank 0's clock.
///
/// One event a line: a file that was cut off can be read up to its last whole line. Chrome and Perfetto read it as it
/// is, since they forgive a missing bracket at the end.
package struct TimelineText: Sendable {
  let rank: Int
  private let host: String
  private let clock: ClockAlignment

  package init(rank: Int, host: String, clock: ClockAlignment) {
    self.rank = rank
    self.host = host
    self.clock = clock
  }

  static let opening = "[\n"
  static let separator = ",\n"
  static let closing = "\n]\n"

  /// What a viewer calls the rank.
  var header: [String] {
    let accuracy = String(
      format: "clock %+.1f µs against rank 0, ± %.1f µs", Double(clock.offset) * 1e-3, Double(clock.uncertainty) * 1e-3)
    let safeHost = host.filter { $0 != "\"" && $0 != "\\" && !$0.isNewline }
    return [
      metadata("process_name", #""name":"rank \#(rank) on \#(safeHost)""#),
      metadata("process_labels", #""labels":"\#(accuracy)""#),
      metadata("process_sort_index", #""sort_index":\#(rank)"#),
    ]
  }

  private func metadata(_ name: String, _ arguments: String) -> String {
    #"{"name":"\#(name)","ph":"M","pid":\#(rank),"tid":0,"args":{\#(arguments)}}"#
  }

  /// A phase is one complete event; a communication two, since several may be under way at the same time.
  func events(_ span: Span) -> [String] {
    switch span.kind {
    case .phase:
      let duration = Double(span.end - span.start) * 1e-3
      return [
        #"{"name":"\#(span.phase.name)","ph":"X","ts":\#(time(span.start)),"dur":\#(Self.number(duration)),"#
          + #""pid":\#(rank),"tid":0,"args":{"step":\#(span.step)}}"#
      ]
    case .communication:
      let place = #""cat":"communication","id":"\#(rank).\#(span.number)","pid":\#(rank),"tid":0"#
      return [
        #"{"name":"allreduce","ph":"b","ts":\#(time(span.start)),\#(place),"#
          + #""args":{"step":\#(span.step),"bytes":\#(span.bytes)}}"#,
        #"{"name":"allreduce","ph":"e","ts":\#(time(span.end)),\#(place)}"#,
      ]
    }
  }

  private func time(_ nanoseconds: Int64) -> String { Self.number(clock.microseconds(nanoseconds)) }

  /// Nanoseconds are enough digits, and more than clocks are worth.
  private static func number(_ microseconds: Double) -> String {
    let nanoseconds = Int64((microseconds * 1e3).rounded())
    let (whole, fraction) = nanoseconds.magnitude.quotientAndRemainder(dividingBy: 1000)
    return "\(nanoseconds < 0 ? "-" : "")\(whole).\(String(1000 + fraction).dropFirst())"
  }
}

/// What a watchdog leaves of a rank's last moments.
enum TimelineTail {
  static func name(rank: Int?) -> String { "timeline-tail-rank\(rank.map(String.init) ?? "*").json" }

  /// Writes the spans that are in memory, and the phase that was under way as one that ended now. Failures are passed
  /// over: the job is ending.
  static func write(_ spans: [Span], status: RankStatus, text: TimelineText, folder: String) {
    guard FileManager.default.fileExists(atPath: folder) else { return }
    let now = MonotonicClock.nanoseconds
    let last = spans.last { $0.kind == .phase }
    let current = Span(start: last?.end ?? now, end: now, step: status.step, kind: .phase, phase: status.phase)
    let lines = text.header + (spans + [current]).flatMap(text.events)
    let contents = TimelineText.opening + lines.joined(separator: TimelineText.separator) + TimelineText.closing
    try? Data(contents.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name(rank: text.rank))"))
  }
}
