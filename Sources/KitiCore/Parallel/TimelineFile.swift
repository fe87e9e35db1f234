import Foundation

/// The timeline of one rank, `timeline-rank0.json` …, written while the run goes on: some 700 bytes a step, and no
/// more memory however long the run.
///
/// A run that is killed leaves a file that lacks its last second and its closing bracket.
package final class TimelineFile {
  private let path: String
  private let text: TimelineText
  private let spans: SpanRing
  private var handle: FileHandle?
  private var isEmpty = true
  private var written: Int
  private var lastFlush = MonotonicClock.seconds

  static let prefix = "timeline-rank"
  package static func name(rank: Int) -> String { "\(prefix)\(rank).json" }

  /// Removes what an earlier start of the run, on more ranks perhaps, has left.
  static func removeAll(in folder: String) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    where name.hasPrefix(prefix) && name.hasSuffix(".json") { unlink("\(folder)/\(name)") }
  }

  /// Starts the file anew; spans from now on go into it.
  ///
  /// - Throws: `KitiError` if it cannot be made.
  package init(folder: String, spans: SpanRing, text: TimelineText) throws {
    path = "\(folder)/\(Self.name(rank: text.rank))"
    self.text = text
    self.spans = spans
    written = spans.count
    do {
      try Data(TimelineText.opening.utf8).write(to: URL(fileURLWithPath: path))
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      try handle.seekToEnd()
      self.handle = handle
    } catch {
      throw KitiError(
        .failed, "\(path) could not be written: \((error as NSError).localizedDescription)",
        remedy: "Check free space and permissions of its folder, or train without --timeline.")
    }
    write(text.header)
  }

  /// To be called once a step: writes once a second, or when the memory of spans is half full.
  ///
  /// - Returns: in words what went wrong, once: the file ends there, and the run goes on.
  package func stepEnds() -> String? {
    let pending = spans.count - written
    guard pending >= spans.capacity / 2 || MonotonicClock.seconds - lastFlush > 1 else { return nil }
    return flush()
  }

  /// Writes what is left and the closing bracket.
  package func close() -> String? {
    let problem = flush()
    guard let handle else { return problem }
    self.handle = nil
    do {
      try handle.write(contentsOf: Data(TimelineText.closing.utf8))
      try handle.close()
      return nil
    } catch { return Self.problem(path, error) }
  }

  private func flush() -> String? {
    lastFlush = MonotonicClock.seconds
    let new = spans.spans(from: written)
    written = spans.count
    return write(new.flatMap(text.events))
  }

  @discardableResult
  private func write(_ lines: [String]) -> String? {
    guard let handle, !lines.isEmpty else { return nil }
    let contents = (isEmpty ? "" : TimelineText.separator) + lines.joined(separator: TimelineText.separator)
    isEmpty = false
    do {
      try handle.write(contentsOf: Data(contents.utf8))
      return nil
    } catch {
      self.handle = nil
      return Self.problem(path, error)
    }
  }

  private static func problem(_ path: String, _ error: any Error) -> String {
    "\(path) could not be written and ends here: \((error as NSError).localizedDescription)"
  }
}
