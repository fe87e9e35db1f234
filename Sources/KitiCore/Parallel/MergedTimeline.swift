import Foundation

/// The timelines of a run's ranks in one file: a viewer shows a process for each rank.
///
/// Their times are on one clock already. Lines are copied as they come, so that memory does not grow with the run; of
/// a file that was cut off, by a kill say, all whole lines are taken.
public struct MergedTimeline: Sendable {
  public var ranks: [Int]
  public var events: Int
  /// Ranks whose files end before their run did.
  public var cutOff: [Int]
  /// The last steps; nil if they are not on all ranks.
  public var excerpt: TimelineExcerpt?

  /// - Returns: nil, and nothing is written, if the folder holds no timelines.
  /// - Throws: `KitiError` of kind `.badData` if one is none.
  public static func write(run folder: String, to output: String) throws -> MergedTimeline? {
    let ranks = ranks(in: folder)
    guard !ranks.isEmpty else { return nil }
    var result = MergedTimeline(ranks: ranks, events: 0, cutOff: [])
    var tails: [(rank: Int, lines: [String])] = []
    try FileManager.default.makeParent(of: output)
    guard let file = fopen(output, "w") else { throw failure(output) }
    defer { fclose(file) }
    fputs(TimelineText.opening, file)
    for rank in ranks {
      let path = "\(folder)/\(TimelineFile.name(rank: rank))"
      let keepsTail = tails.count < TimelineExcerpt.mostRanks
      var tail: [String] = []
      let isWhole = try copy(path) { line in
        fputs((result.events == 0 ? "" : TimelineText.separator) + line, file)
        result.events += 1
        guard keepsTail else { return }
        tail.append(String(line))
        if tail.count == 2 * TimelineExcerpt.mostLines { tail.removeFirst(TimelineExcerpt.mostLines) }
      }
      if !isWhole { result.cutOff.append(rank) }
      if keepsTail { tails.append((rank, tail)) }
    }
    result.excerpt = TimelineExcerpt(tails: tails)
    fputs(TimelineText.closing, file)
    guard fflush(file) == 0, ferror(file) == 0 else { throw failure(output) }
    return result
  }

  private static func failure(_ output: String) -> KitiError {
    KitiError(
      .failed, "\(output) could not be written: \(String(cString: strerror(errno)))",
      remedy: "Check free space and permissions of its folder.")
  }

  private static func ranks(in folder: String) -> [Int] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.compactMap { name in
      name.hasPrefix(TimelineFile.prefix) ? Int(name.dropFirst(TimelineFile.prefix.count).dropLast(".json".count)) : nil
    }.sorted()
  }

  /// Hands over the text of each event.
  ///
  /// - Returns: whether the file ends as it should.
  private static func copy(_ path: String, _ body: (Substring) -> Void) throws -> Bool {
    guard let file = fopen(path, "r") else {
      throw KitiError(.failed, "\(path) could not be read: \(String(cString: strerror(errno)))", remedy: "")
    }
    defer { fclose(file) }
    var buffer: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(buffer) }
    func nextLine() -> String? { getline(&buffer, &capacity, file) > 0 ? buffer.map { String(cString: $0) } : nil }
    guard nextLine() == TimelineText.opening else {
      throw KitiError(
        .badData, "\(path) does not begin as a timeline does.", remedy: "Remove it, or train again with --timeline.")
    }
    while let line = nextLine() {
      if line == "]\n" { return true }
      let event = line.hasSuffix("\n") ? line.dropLast() : line[...]
      let isWhole = line.hasSuffix("\n") || (try? JSONSerialization.jsonObject(with: Data(event.utf8))) != nil
      if isWhole { body(event.hasSuffix(",") ? event.dropLast() : event) }
    }
    return false
  }
}
