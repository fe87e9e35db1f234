/// How often something happens in a run, or how long it lasts.
public enum Interval: Sendable, Equatable, CustomStringConvertible {
  /// Passes over the training samples.
  case epochs(Int)
  /// Optimizer steps.
  case steps(Int)
  /// Per cent of the whole run's steps, up to 100.
  case percent(Double)
  /// Minutes of wall-clock time.
  case minutes(Double)

  /// Reads `10 epochs`, `500 steps`, `20 %` of the run, `15 minutes` (also seconds and hours; one or many), or a bare
  /// number of epochs.
  ///
  /// - Returns: `nil` if the text is no interval, or its length is not above 0 or more than the run.
  public init?(_ text: String) {
    let words = text.replacing("%", with: " %").split(separator: " ")
    guard let length = words.first.map(String.init), words.count <= 2 else { return nil }
    let count = PlainNumber.integer(length, as: Int32.self).flatMap { $0 > 0 ? Int($0) : nil }
    let number = PlainNumber.number(length)
    switch words.count == 2 ? words[1] : "epochs" {
    case "epoch", "epochs":
      guard let count else { return nil }
      self = .epochs(count)
    case "step", "steps":
      guard let count else { return nil }
      self = .steps(count)
    case "%":
      guard let number, number > 0, number <= 100 else { return nil }
      self = .percent(number)
    case "second", "seconds":
      guard let number else { return nil }
      self.init(minutes: number / 60)
    case "minute", "minutes":
      guard let number else { return nil }
      self.init(minutes: number)
    case "hour", "hours":
      guard let number else { return nil }
      self.init(minutes: number * 60)
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
    case .percent(let share): "\(Self.text(share)) %"
    case .minutes(let length): length == 1 ? "1 minute" : "\(Self.text(length)) minutes"
    }
  }

  /// Whole numbers without a decimal point.
  private static func text(_ number: Double) -> String { Int(exactly: number).map(String.init) ?? "\(number)" }

  /// Optimizer steps of an interval that does not count time, in a run of so many.
  func steps(perEpoch stepsPerEpoch: Int, total: Int) -> Int {
    switch self {
    case .epochs(let count): count * stepsPerEpoch
    case .steps(let count): count
    case .percent(let share): max(1, Int((share / 100 * Double(total)).rounded()))
    case .minutes: fatalError("a schedule does not count time: the configuration refuses it")
    }
  }
}
