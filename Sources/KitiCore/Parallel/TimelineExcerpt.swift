import Foundation

/// The last few steps of a run's timelines, on the first ranks: enough to draw.
public struct TimelineExcerpt: Sendable {
  /// A phase of a rank, or a part of the gradient on its way.
  public struct Event: Sendable {
    public var name: String
    public var isCommunication: Bool
    public var step: Int
    /// On rank 0's clock, in microseconds.
    public var start: Double
    public var end: Double
  }

  /// In the order of ranks: what each did in `steps`.
  public let ranks: [(rank: Int, events: [Event])]
  public let steps: ClosedRange<Int>

  /// How many ranks and steps are shown, and how many lines of a file may belong to these steps.
  static let (mostRanks, stepsShown, mostLines) = (16, 3, 4_096)
  /// What a step consists of; evaluations and checkpoints would hide it.
  private static let phases: Set<RunPhase> = [
    .loading, .forward, .backward, .averaging, .sharing, .update, .recording, .consistency,
  ]

  /// - Parameter tails: the last lines of each rank's timeline.
  /// - Returns: nil if no step is there on all of these ranks.
  init?(tails: [(rank: Int, lines: [String])]) {
    let all = tails.map { (rank: $0.rank, events: Self.events($0.lines)) }
    let names = Set(Self.phases.map(\.name))
    let steps = all.map { rank in rank.events.filter { names.contains($0.name) && $0.step > 0 }.map(\.step) }
    guard !all.isEmpty, let last = steps.compactMap({ $0.max() }).min(), steps.allSatisfy({ !$0.isEmpty }) else {
      return nil
    }
    // The first step of a tail may have lost its beginning.
    let first = max(last - Self.stepsShown + 1, (steps.compactMap { $0.min() }.max() ?? last) + 1)
    guard first <= last else { return nil }
    self.steps = first...last
    ranks = all.map { rank, events in
      (rank, events.filter { (first...last).contains($0.step) && ($0.isCommunication || names.contains($0.name)) })
    }
  }

  /// A line of `TimelineText`.
  private struct Line: Decodable {
    struct Arguments: Decodable { var step: Int? }
    var name, ph: String
    var ts, dur: Double?
    var id: String?
    var args: Arguments?
  }

  private static func events(_ lines: [String]) -> [Event] {
    let decoder = JSONDecoder()
    var open: [String: (start: Double, step: Int)] = [:]
    var events: [Event] = []
    for text in lines {
      guard let line = try? decoder.decode(Line.self, from: Data(text.utf8)), let time = line.ts else { continue }
      switch line.ph {
      case "X":
        events.append(
          Event(
            name: line.name, isCommunication: false, step: line.args?.step ?? 0, start: time,
            end: time + (line.dur ?? 0)))
      case "b": open[line.id ?? ""] = (time, line.args?.step ?? 0)
      case "e":
        guard let begun = open.removeValue(forKey: line.id ?? "") else { continue }
        events.append(
          Event(name: line.name, isCommunication: true, step: begun.step, start: begun.start, end: time))
      default: break
      }
    }
    return events
  }
}
