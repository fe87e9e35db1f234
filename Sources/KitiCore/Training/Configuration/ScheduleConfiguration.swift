/// How the learning rate changes during a run.
public struct ScheduleConfiguration: Sendable, Equatable {
  public enum Shape: Sendable, Equatable {
    case constant
    /// Multiplies the learning rate by `factor` after every interval, which does not count time.
    case step(every: Interval, factor: Double)
    /// Half a period of a cosine, down to `minimum` at the end of the run.
    case cosine(minimum: Double)
    /// Falls linearly to 0 at the end of the run.
    case linear
  }

  public var shape: Shape
  /// How long the learning rate rises linearly at the start; not a time.
  public var warmup: Interval?

  public init(shape: Shape = .constant, warmup: Interval? = nil) {
    self.shape = shape
    self.warmup = warmup
  }
}

extension ScheduleConfiguration {
  private enum Kind: String, CaseIterable {
    case constant, step, cosine, linear
  }

  private static let stepKeys = ["every", "factor"]
  private static let cosineKeys = ["minimum"]

  /// A section that is left out or empty means a constant learning rate.
  package init(_ section: ConfigurationSection) throws {
    let kind: Kind = section.isEmpty ? .constant : try section.required("kind", .choice)
    let own =
      switch kind {
      case .constant, .linear: [String]()
      case .step: Self.stepKeys
      case .cosine: Self.cosineKeys
      }
    try section.accept(
      ["kind"] + own + ["warmup"], kind: kind.rawValue,
      others: ["step": Self.stepKeys, "cosine": Self.cosineKeys])
    shape =
      switch kind {
      case .constant: .constant
      case .linear: .linear
      case .step:
        .step(
          every: try section.required("every", .interval(allowsTime: false)),
          factor: try section.value("factor", .number(.aboveZeroToOne), default: 0.5))
      case .cosine:
        .cosine(minimum: try section.value("minimum", .number(.nonNegative), default: 0))
      }
    warmup = try section.optional("warmup", .interval(allowsTime: false))
  }

  package var node: ConfigurationNode {
    let (kind, own): (Kind, [(String, ConfigurationNode)]) =
      switch shape {
      case .constant: (.constant, [])
      case .linear: (.linear, [])
      case .step(let every, let factor): (.step, [("every", .interval(every)), ("factor", .number(factor))])
      case .cosine(let minimum): (.cosine, [("minimum", .number(minimum))])
      }
    return .section(
      [("kind", .text(kind.rawValue))] + own + [("warmup", warmup.map { .interval($0) } ?? .null)])
  }
}
