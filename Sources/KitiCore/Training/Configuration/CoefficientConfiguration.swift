/// The collision coefficient, which may change during a run.
public enum CoefficientConfiguration: Sendable, Equatable, ExpressibleByFloatLiteral {
  /// How the way from one value to another is taken.
  public enum Shape: String, Sendable, CaseIterable {
    case linear
    /// Half a period of a cosine: slow at both ends.
    case cosine
  }

  case constant(Double)
  /// From one value to another over an interval, which does not count time (nil: the whole run), then constant.
  case changing(Shape, from: Double, to: Double, over: Interval?)

  public init(floatLiteral value: Double) { self = .constant(value) }

  /// The largest value that the coefficient takes.
  public var largest: Double {
    switch self {
    case .constant(let value): value
    case .changing(_, let from, let to, _): max(from, to)
    }
  }
}

extension CoefficientConfiguration {
  private enum Kind: String, CaseIterable {
    case constant, linear, cosine
  }

  private static let keys = ["from", "to", "over"]

  /// A number, or a section `{kind, from, to, over}`; `{kind: constant, to}` says the same as a number.
  package static func decode(_ section: ConfigurationSection, _ key: String, default standard: Self) throws -> Self {
    guard case .section? = section.entry(key)?.value.content else {
      let number = ConfigurationForm<Double>.number(.zeroToOne)
      let valid = "\(number.valid), or a section with kind, from, to, over"
      let form = ConfigurationForm<Self>(valid: valid) { node in
        switch number.read(node) {
        case .success(let value): .success(.constant(value))
        case .failure(let mismatch): .failure(.init(hint: mismatch.hint))
        }
      }
      return try section.value(key, form, default: standard)
    }
    let own = try section.section(key)
    let kind: Kind = try own.required("kind", .choice)
    try own.accept(
      ["kind"] + (kind == .constant ? ["to"] : keys), kind: kind.rawValue, others: ["linear": keys, "cosine": keys])
    let to = try own.required("to", .number(.zeroToOne))
    guard let shape = Shape(rawValue: kind.rawValue) else { return .constant(to) }
    return .changing(
      shape, from: try own.value("from", .number(.zeroToOne), default: 0), to: to,
      over: try own.optional("over", .interval(allowsTime: false)))
  }

  package var node: ConfigurationNode {
    switch self {
    case .constant(let value): .number(value)
    case .changing(let shape, let from, let to, let over):
      .section([
        "kind": .text(shape.rawValue), "from": .number(from), "to": .number(to),
        "over": over.map { .interval($0) } ?? .null,
      ])
    }
  }
}
