/// How often something happens in a run, or how long it lasts.
public enum Interval: Sendable, Equatable, CustomStringConvertible {
  /// Passes over the training samples.
  case epochs(Int)
  /// Optimizer steps.
  case steps(Int)
  /// Minutes of wall-clock time.
  case minutes(Double)

  /// Reads `10 epochs`, `500 steps`, `15 minutes` (also seconds and hours; one or many), or a bare number of
  /// epochs.
  ///
  /// - Returns: `nil` if the text is no interval or its length is not above 0.
  public init?(_ text: String) {
    let words = text.split(separator: " ")
    guard let length = words.first.map(String.init), words.count <= 2 else { return nil }
    let count = PlainNumber.integer(length, as: Int32.self).flatMap { $0 > 0 ? Int($0) : nil }
    let time = PlainNumber.number(length)
    switch words.count == 2 ? words[1] : "epochs" {
    case "epoch", "epochs":
      guard let count else { return nil }
      self = .epochs(count)
    case "step", "steps":
      guard let count else { return nil }
      self = .steps(count)
    case "second", "seconds":
      guard let time else { return nil }
      self.init(minutes: time / 60)
    case "minute", "minutes":
      guard let time else { return nil }
      self.init(minutes: time)
    case "hour", "hours":
      guard let time else { return nil }
      self.init(minutes: time * 60)
    default:
      return nil
    }
  }

  private init?(minutes: Double) {
    guard minutes.isFinite, minutes > 0 else { return nil }
    self = .minutes(minutes)
  }

  /// The text that reads back to the same interval.
  public var description: String {
    switch self {
    case .epochs(let count): count == 1 ? "1 epoch" : "\(count) epochs"
    case .steps(let count): count == 1 ? "1 step" : "\(count) steps"
    case .minutes(let length):
      length == 1 ? "1 minute" : "\(Int(exactly: length).map(String.init) ?? "\(length)") minutes"
    }
  }
}
