/// Collisions between the particles of a residual block.
///
/// With the scheme `none` the other values mean nothing; they are kept, so that a run with and one without
/// collisions differ in one key.
public struct CollisionConfiguration: Sendable, Equatable {
  public typealias Scheme = CollisionOptions.Scheme
  public typealias Acceptance = CollisionOptions.Acceptance
  public typealias Decision = CollisionOptions.Decision
  public typealias Weights = CollisionOptions.Weights
  public typealias LengthScale = CollisionOptions.LengthScale
  public typealias Streams = CollisionOptions.Streams

  public var scheme: Scheme
  public var acceptance: Acceptance
  public var decision: Decision
  public var weights: Weights
  /// The largest chance of a collision, from 0 to 1.
  public var coefficient: CoefficientConfiguration
  public var lengthScale: LengthScale
  /// The share of candidate pairs that is to collide; the length scale follows it. Nil lets the length scale be.
  public var targetRate: Double?
  /// How many places a particle gathers, one number for each stage of the model; must divide the places of a sample. 0 leaves
  /// a stage without collisions.
  public var divide: [Int]
  /// How many features of a token a particle takes, in models of tokens.
  public var particleWidth: Int?
  /// The time a particle moves with its velocity in one block.
  public var timeStep: Double
  public var midpoint: Bool
  public var carry: Bool
  public var streams: Streams

  public init(
    scheme: Scheme = .ntc, acceptance: Acceptance = .kinetic, decision: Decision = .bernoulli, weights: Weights = .pair,
    coefficient: CoefficientConfiguration = 0.5, lengthScale: LengthScale = .rms, targetRate: Double? = nil,
    divide: [Int] = [4], particleWidth: Int? = nil, timeStep: Double = 1, midpoint: Bool = false, carry: Bool = false,
    streams: Streams = .rank
  ) {
    self.scheme = scheme
    self.acceptance = acceptance
    self.decision = decision
    self.weights = weights
    self.coefficient = coefficient
    self.lengthScale = lengthScale
    self.targetRate = targetRate
    self.divide = divide
    self.particleWidth = particleWidth
    self.timeStep = timeStep
    self.midpoint = midpoint
    self.carry = carry
    self.streams = streams
  }

  /// What the collision residual is given; `divide` and `particleWidth` shape its particles, `CollisionControl` changes its
  /// coefficient and length from step to step.
  public var options: CollisionOptions {
    CollisionOptions(
      scheme: scheme, acceptance: acceptance, decision: decision, weights: weights, coefficient: coefficient.largest,
      lengthScale: lengthScale, timeStep: timeStep, midpoint: midpoint, carry: carry, streams: streams)
  }
}

extension CollisionConfiguration {
  /// A section that is left out or empty means no collisions; one with any key in it means `ntc`, unless it
  /// names another scheme.
  ///
  /// - Parameter divide: the model's default, of as many numbers as it has stages.
  package init(_ section: ConfigurationSection, divide standardDivide: [Int] = [4]) throws {
    try section.accept([
      "scheme", "acceptance", "decision", "weights", "coefficient", "lengthScale", "targetRate", "divide",
      "particleWidth", "timeStep", "midpoint", "carry", "streams",
    ])
    let standard = CollisionConfiguration(scheme: section.isEmpty ? .none : .ntc)
    scheme = try section.value("scheme", .choice, default: standard.scheme)
    acceptance = try section.value("acceptance", .choice, default: standard.acceptance)
    decision = try section.value("decision", .choice, default: standard.decision)
    weights = try section.value("weights", .choice, default: standard.weights)
    coefficient = try CoefficientConfiguration.decode(section, "coefficient", default: standard.coefficient)
    lengthScale = try section.value("lengthScale", .lengthScale, default: standard.lengthScale)
    targetRate = try section.optional("targetRate", .number(.aboveZeroToOne))
    divide = try section.value("divide", .perStage(count: standardDivide.count), default: standardDivide)
    particleWidth = try section.optional("particleWidth", .count)
    timeStep = try section.value("timeStep", .number(.finite), default: standard.timeStep)
    midpoint = try section.value("midpoint", .boolean(), default: standard.midpoint)
    carry = try section.value("carry", .boolean(), default: standard.carry)
    streams = try section.value("streams", .choice, default: standard.streams)
    guard let targetRate, scheme != .none else { return }
    if acceptance == .constant {
      throw section.impossible(
        "targetRate", "is \(targetRate), but with constant acceptance the rate is the coefficient",
        remedy: "Set the coefficient instead, or make the acceptance kinetic.")
    }
    if decision == .bernoulli, targetRate > coefficient.largest {
      throw section.impossible(
        "targetRate", "is \(targetRate), but no pair collides with more than the coefficient, \(coefficient.largest)",
        remedy: "Raise the coefficient or lower the rate.")
    }
  }

  package var node: ConfigurationNode {
    .section([
      "scheme": .text(scheme.rawValue), "acceptance": .text(acceptance.rawValue), "decision": .text(decision.rawValue),
      "weights": .text(weights.rawValue), "coefficient": coefficient.node, "lengthScale": lengthScale.node,
      "targetRate": targetRate.map { .number($0) } ?? .null, "divide": divide.count == 1 ? .integer(divide[0]) : .list(divide.map { .integer($0) }),
      "particleWidth": particleWidth.map { .integer($0) } ?? .null, "timeStep": .number(timeStep),
      "midpoint": .boolean(midpoint), "carry": .boolean(carry), "streams": .text(streams.rawValue),
    ])
  }
}

extension CollisionConfiguration.LengthScale {
  fileprivate var node: ConfigurationNode {
    switch self {
    case .rms: .text("rms")
    case .unit: .text("unit")
    case .value(let length): .number(length)
    }
  }
}

extension ConfigurationForm where Value == [Int] {
  /// One number for all stages of a model, or a list of one for each, in which 0 leaves a stage out.
  fileprivate static func perStage(count: Int) -> Self {
    let one = ConfigurationForm<Int>.count
    guard count > 1 else { return Self(valid: one.valid) { node in one.read(node).map { [$0] }.mapError { Mismatch(hint: $0.hint) } } }
    return Self(valid: "\(one.valid), or a list of \(count) such numbers or zeros, one for each stage") { node in
      guard case .list(let items) = node.content else {
        return one.read(node).map { Array(repeating: $0, count: count) }.mapError { Mismatch(hint: $0.hint) }
      }
      let each = ConfigurationForm<Int>.integer(0...Int(Int32.max))
      let numbers = items.compactMap { try? each.read($0).get() }
      guard numbers.count == items.count else { return .failure(.init()) }
      guard numbers.count == count else {
        return .failure(.init(hint: "The model has \(count) stages, and the list \(numbers.count) numbers."))
      }
      return .success(numbers)
    }
  }
}

extension ConfigurationForm where Value == CollisionConfiguration.LengthScale {
  fileprivate static var lengthScale: Self {
    let words = ConfigurationForm<String>.oneOf(["rms", "unit"])
    let number = ConfigurationForm<Double>.number(.positive)
    return Self(valid: "\(words.valid), \(number.valid)") { node in
      if case .success(let length) = number.read(node) { return .success(.value(length)) }
      return switch words.read(node) {
      case .success(let word): .success(word == "rms" ? .rms : .unit)
      case .failure(let mismatch): .failure(.init(hint: mismatch.hint))
      }
    }
  }
}
