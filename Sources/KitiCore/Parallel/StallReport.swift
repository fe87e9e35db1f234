import Foundation
import KitiMPI

/// One rank as a watchdog sees it.
package struct WatchedRank: Sendable {
  package var rank: Int
  package var host: String
  /// The last that was heard; nil if nothing ever was.
  package var report: RankReport?
  /// Since something was heard.
  package var silentSeconds: Double
  /// Whether that is longer than a rank that runs can be silent.
  package var isSilent: Bool

  package init(rank: Int, host: String, report: RankReport?, silentSeconds: Double, isSilent: Bool) {
    self.rank = rank
    self.host = host
    self.report = report
    self.silentSeconds = silentSeconds
    self.isSilent = isSilent
  }
}

/// Whether a job hangs, and in words where.
package struct StallReport {
  private let ranks: [WatchedRank]
  private let limit: Double

  /// - Parameter limit: that was passed, in seconds.
  package init(ranks: [WatchedRank], limit: Double) {
    self.ranks = ranks
    self.limit = limit
  }

  /// How long the longest has been in an operation, by what ranks say that are heard.
  package static func longestWait(_ ranks: [WatchedRank]) -> Double {
    ranks.reduce(0) { longest, rank in
      guard !rank.isSilent, let report = rank.report, report.isInOperation else { return longest }
      return max(longest, report.unchangedSeconds)
    }
  }

  /// Ranks that have not reached what others wait in. If none waits in MPI, as in a parallel file, those that are not
  /// heard.
  package var missing: [WatchedRank] {
    let late = ranks.filter { $0.isSilent || !($0.report?.isWaiting ?? false) }
    return late.count < ranks.count ? late : ranks.filter(\.isSilent)
  }

  private static let rowsShown = 24

  package var text: String {
    ([headline] + missing.prefix(Self.rowsShown).map(explanation) + table).joined(separator: "\n")
  }

  private var headline: String {
    let seconds = Self.seconds(Self.longestWait(ranks))
    let names = missing.prefix(Self.rowsShown).map { "\($0.rank)" }.joined(separator: ", ")
    let more = missing.count > Self.rowsShown ? " and \(missing.count - Self.rowsShown) more" : ""
    if ranks.count == 1, let own = ranks.first {
      return "rank \(own.rank) on \(own.host) has waited for \(seconds) (parallel.watchdogSeconds: "
        + "\(Self.number(limit))), and ranks 0 and 1, which watch over all, have not ended the job: "
        + "their hosts or the links to them are down."
    }
    if missing.isEmpty {
      return "no rank gets on: an operation has not completed for \(seconds) (parallel.watchdogSeconds: "
        + "\(Self.number(limit))). A lost link between hosts or a disk that hangs looks like this."
    }
    let ranksWord = missing.count == 1 ? "rank \(names) has" : "ranks \(names)\(more) have"
    return "\(ranksWord) not reached an operation in which other ranks have waited for \(seconds) "
      + "(parallel.watchdogSeconds: \(Self.number(limit)))."
  }

  private func explanation(_ rank: WatchedRank) -> String {
    let name = "  rank \(rank.rank) on \(rank.host): "
    guard let report = rank.report else {
      return name + "was never heard of: its process is stopped, or its host or the link to it is down."
    }
    if rank.isSilent {
      return name + "not heard of for \(Self.seconds(rank.silentSeconds)): its process is stopped, or its host or the "
        + "link to it is down. It was last in step \(report.step), \(report.phase.name)."
    }
    let place = report.kind == .file ? "in \(Self.operation(report))" : "at work or stuck"
    return name + "alive, \(place) in step \(report.step), \(report.phase.name), for "
      + "\(Self.seconds(report.unchangedSeconds))."
  }

  /// Missing ranks first, then those that have waited longest.
  private var table: [String] {
    let missing = Set(missing.map(\.rank))
    let sorted = ranks.sorted {
      let (left, right) = (missing.contains($0.rank), missing.contains($1.rank))
      return left == right ? $0.rank < $1.rank : left
    }
    let rows = sorted.prefix(Self.rowsShown).map { rank -> [String] in
      guard let report = rank.report else { return ["\(rank.rank)", rank.host, "?", "?", "?", "?", "never"] }
      let heard = rank.isSilent ? "\(Self.seconds(rank.silentSeconds)) ago" : "now"
      let operation = report.kind == .none && !report.operation.isEmpty ? "after " : ""
      return [
        "\(rank.rank)", rank.host, "\(report.step)", report.phase.name, operation + Self.operation(report),
        Self.seconds(report.unchangedSeconds), heard,
      ]
    }
    let all = [["rank", "host", "step", "phase", "operation", "for", "heard"]] + rows
    let widths = all[0].indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    let lines = all.map { row in
      let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
      let line = "  " + cells.joined(separator: "  ")
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
    return lines + (ranks.count > Self.rowsShown ? ["  … and \(ranks.count - Self.rowsShown) more"] : [])
  }

  private static func operation(_ report: RankReport) -> String {
    guard !report.operation.isEmpty else { return "none" }
    return report.operation.hasPrefix("MPI_") ? report.operation : "HDF5 \(report.operation.prefix { $0 != "(" })"
  }

  private static func seconds(_ value: Double) -> String { String(format: "%.1f s", value) }
  private static func number(_ value: Double) -> String { String(format: "%g", value) }
}
