/// A short, wide residual network behind a whitening layer, for quick training on small images.
public struct WhitenedResNetConfiguration: ModelKindConfiguration {
  /// Channels of the three stages.
  public var widths: [Int]
  /// The linear layer's output is multiplied by it.
  public var outputScale: Double
  /// Whether 3×3 convolutions start by passing their inputs on.
  public var startsAsIdentity: Bool
  /// The collisions in the residual of each stage's block.
  public var collision: CollisionConfiguration

  public init(
    widths: [Int] = WhitenedResNet.Shape.defaultWidths, outputScale: Double = WhitenedResNet.Shape.defaultOutputScale,
    startsAsIdentity: Bool = true, collision: CollisionConfiguration = .init(scheme: .none)
  ) {
    self.widths = widths
    self.outputScale = outputScale
    self.startsAsIdentity = startsAsIdentity
    self.collision = collision
  }

  /// - Parameter inputShape: `[height, width, channels]` of the images.
  public func shape(classes: Int, inputShape: [Int]) -> WhitenedResNet.Shape {
    WhitenedResNet.Shape(
      classes: classes, inputShape: inputShape, widths: widths, outputScale: outputScale,
      startsAsIdentity: startsAsIdentity)
  }
}

extension WhitenedResNetConfiguration {
  package static let kind = "whitened-resnet"
  package static let keys = ["kind", "widths", "outputScale", "startsAsIdentity", "collision"]

  package init(_ section: ConfigurationSection) throws {
    let standard = WhitenedResNetConfiguration()
    widths = try section.value("widths", .widths, default: standard.widths)
    outputScale = try section.value("outputScale", .number(.positive), default: standard.outputScale)
    startsAsIdentity = try section.value("startsAsIdentity", .boolean(), default: standard.startsAsIdentity)
    let collisions = try section.section("collision")
    collision = try CollisionConfiguration(collisions, divide: WhitenedResNet.Shape.defaultDivide)
    if let width = collision.particleWidth {
      throw collisions.impossible(
        "particleWidth", "is \(width), but \(Self.kind) has images, not tokens",
        remedy: "Cut their places into particles with 'divide'.")
    }
  }

  package var entries: [(String, ConfigurationNode)] {
    [
      ("widths", .list(widths.map { .integer($0) })), ("outputScale", .number(outputScale)),
      ("startsAsIdentity", .boolean(startsAsIdentity)), ("collision", collision.node),
    ]
  }
}

extension ConfigurationForm where Value == [Int] {
  /// A list of three counts.
  fileprivate static var widths: Self {
    let one = ConfigurationForm<Int>.count
    return Self(valid: "a list of three numbers, each \(one.valid)") { node in
      guard case .list(let items) = node.content else { return .failure(.init()) }
      let numbers = items.compactMap { try? one.read($0).get() }
      guard numbers.count == items.count else { return .failure(.init()) }
      guard numbers.count == 3 else {
        return .failure(.init(hint: "The model has 3 stages, and the list \(numbers.count) numbers."))
      }
      return .success(numbers)
    }
  }
}
