/// A deep residual network for small images.
public struct ResNetConfiguration: ModelKindConfiguration {
  public typealias Shortcut = ResNet.Shortcut

  /// 18, 34 or 50, or 6n + 2 (20, 32, 44, 56, 110).
  public var depth: Int
  /// Channels of the first stage; nil for the published ones.
  public var width: Int?
  public var shortcut: Shortcut
  /// Probability with which a number before the last layer is dropped in training.
  public var dropout: Double
  /// Whether the last batch norm of each block starts with the scale 0.
  public var startsAsShortcuts: Bool
  /// The collisions in the residual of each block.
  public var collision: CollisionConfiguration

  public init(
    depth: Int, width: Int? = nil, shortcut: Shortcut = .projection, dropout: Double = 0,
    startsAsShortcuts: Bool = false, collision: CollisionConfiguration = .init(scheme: .none)
  ) {
    self.depth = depth
    self.width = width
    self.shortcut = shortcut
    self.dropout = dropout
    self.startsAsShortcuts = startsAsShortcuts
    self.collision = collision
  }

  /// - Parameter inputShape: `[height, width, channels]` of the images.
  public func shape(classes: Int, inputShape: [Int]) -> ResNet.Shape {
    ResNet.Shape(
      depth: depth, classes: classes, inputShape: inputShape, shortcut: shortcut, width: width, dropout: dropout,
      startsAsShortcuts: startsAsShortcuts)
  }
}

extension ResNetConfiguration {
  package static let kind = "resnet"
  package static let keys = ["kind", "depth", "width", "shortcut", "dropout", "startsAsShortcuts", "collision"]

  package init(_ section: ConfigurationSection) throws {
    depth = try section.required("depth", .depth)
    width = try section.optional("width", .count)
    shortcut = try section.value("shortcut", .choice, default: .projection)
    dropout = try section.value("dropout", .number(.zeroToBelowOne), default: 0)
    startsAsShortcuts = try section.value("startsAsShortcuts", .boolean(), default: false)
    let collisions = try section.section("collision")
    collision = try CollisionConfiguration(
      collisions, divide: ResNet.Shape(depth: depth, classes: 1).defaultDivide)
    if let width = collision.particleWidth {
      throw collisions.impossible(
        "particleWidth", "is \(width), but resnet has images, not tokens",
        remedy: "Cut their places into particles with 'divide'.")
    }
  }

  package var entries: [(String, ConfigurationNode)] {
    [
      ("depth", .integer(depth)), ("width", width.map { .integer($0) } ?? .null),
      ("shortcut", .text(shortcut.rawValue)), ("dropout", .number(dropout)),
      ("startsAsShortcuts", .boolean(startsAsShortcuts)), ("collision", collision.node),
    ]
  }
}

extension ConfigurationForm where Value == Int {
  fileprivate static var depth: Self {
    Self(valid: "18, 34, 50, or 6n + 2 such as 20, 32, 44, 56, 110") { node in
      ConfigurationForm<Int>.integer(8...Int(Int16.max)).read(node).flatMap {
        [18, 34, 50].contains($0) || $0 % 6 == 2 ? .success($0) : .failure(.init())
      }
    }
  }
}
