/// Collisions between the particles of a residual block.
///
/// With the scheme `none` the other values mean nothing; they are kept, so that a run with and one without
/// collisions differ in one key.
public struct CollisionConfiguration: Sendable, Equatable {
  public typealias Scheme = CollisionOptions.Scheme
  public typealias LengthScale = CollisionOptions.LengthScale
  public typealias Streams = CollisionOptions.Streams

  public var scheme: Scheme
  /// The largest chance of a collision, from 0 to 1.
  public var coefficient: Double
  public var lengthScale: LengthScale
  /// How many places a particle gathers; must divide the places of a sample.
  public var divide: Int
  /// The time a particle moves with its velocity in one block.
  public var timeStep: Double
  public var streams: Streams

  public init(
    scheme: Scheme = .ntc, coefficient: Double = 0.5, lengthScale: LengthScale = .rms, divide: Int = 4,
    timeStep: Double = 1, streams: Streams = .rank
  ) {
    self.scheme = scheme
    self.coefficient = coefficient
    self.lengthScale = lengthScale
    self.divide = divide
    self.timeStep = timeStep
    self.streams = streams
  }

  /// What the collision residual is given; `divide` shapes its particles.
  public var options: CollisionOptions {
    CollisionOptions(
      scheme: scheme, coefficient: coefficient, lengthScale: lengthScale, timeStep: timeStep, streams: streams)
  }
}

extension CollisionConfiguration {
  /// A section that is left out or empty means no collisions; one with any key in it means `ntc`, unless it
  /// names another scheme.
  package init(_ section: ConfigurationSection) throws {
    try section.accept(["scheme", "coefficient", "lengthScale", "divide", "timeStep", "streams"])
    let standard = CollisionConfiguration(scheme: section.isEmpty ? .none : .ntc)
    scheme = try section.value("scheme", .choice, default: standard.scheme)
    coefficient = try section.value("coefficient", .number(.zeroToOne), default: standard.coefficient)
    lengthScale = try section.value("lengthScale", .lengthScale, default: standard.lengthScale)
    divide = try section.value("divide", .count, default: standard.divide)
    timeStep = try section.value("timeStep", .number(.finite), default: standard.timeStep)
    streams = try section.value("streams", .choice, default: standard.streams)
  }

  package var node: ConfigurationNode {
    .section([
      "scheme": .text(scheme.rawValue), "coefficient": .number(coefficient), "lengthScale": lengthScale.node,
      "divide": .integer(divide), "timeStep": .number(timeStep), "streams": .text(streams.rawValue),
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
