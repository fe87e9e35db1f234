/// A Fourier neural operator in one dimension.
public struct FNO1DConfiguration: ModelKindConfiguration {
  /// Channels of the hidden layers.
  public var width: Int
  /// Fourier modes that a block keeps, counted from the constant one.
  public var modes: Int
  /// Fourier blocks.
  public var blocks: Int
  /// Channels of the layer before the output.
  public var projection: Int
  public var activation: ActivationKind
  /// The collisions in the residual of each block.
  public var collision: CollisionConfiguration

  public init(
    width: Int = 64, modes: Int = 16, blocks: Int = 4, projection: Int = 128,
    activation: ActivationKind = .gelu, collision: CollisionConfiguration = .init(scheme: .none)
  ) {
    self.width = width
    self.modes = modes
    self.blocks = blocks
    self.projection = projection
    self.activation = activation
    self.collision = collision
  }
}

extension FNO1DConfiguration {
  package static let kind = "fno1d"
  package static let keys = ["kind", "width", "modes", "blocks", "projection", "activation", "collision"]

  package init(_ section: ConfigurationSection) throws {
    let standard = FNO1DConfiguration()
    width = try section.value("width", .count, default: standard.width)
    modes = try section.value("modes", .count, default: standard.modes)
    blocks = try section.value("blocks", .count, default: standard.blocks)
    projection = try section.value("projection", .count, default: standard.projection)
    activation = try section.value("activation", .choice, default: standard.activation)
    let collisions = try section.section("collision")
    collision = try CollisionConfiguration(collisions)
    if let width = collision.particleWidth {
      throw collisions.impossible(
        "particleWidth", "is \(width), but fno1d has fields, not tokens",
        remedy: "Cut their places into particles with 'divide'.")
    }
  }

  package var entries: [(String, ConfigurationNode)] {
    [
      ("width", .integer(width)), ("modes", .integer(modes)), ("blocks", .integer(blocks)),
      ("projection", .integer(projection)), ("activation", .text(activation.rawValue)),
      ("collision", collision.node),
    ]
  }
}
