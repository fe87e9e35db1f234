/// The network to train.
public enum ModelConfiguration: Sendable, Equatable {
  /// A Fourier neural operator in one dimension.
  case fno1d(FNO1DConfiguration)
  /// A deep residual network for small images.
  case resnet(ResNetConfiguration)
  /// A short, wide residual network for quick training on small images.
  case whitenedResNet(WhitenedResNetConfiguration)

  /// The collisions in its residual blocks.
  public var collision: CollisionConfiguration {
    switch self {
    case .fno1d(let values): values.collision
    case .resnet(let values): values.collision
    case .whitenedResNet(let values): values.collision
    }
  }
}

/// One kind of model: its values, how they are decoded, and how they are written.
package protocol ModelKindConfiguration: Sendable, Equatable {
  /// What `model.kind` says.
  static var kind: String { get }
  /// Every key of the section, `kind` among them.
  static var keys: [String] { get }

  init(_ section: ConfigurationSection) throws

  /// Every key but `kind`, in the order in which they are written.
  var entries: [(String, ConfigurationNode)] { get }
}

extension ModelConfiguration {
  /// The registry: a new kind of model is a case above, a line here, and its own file.
  private static let kinds: [Kind] = [
    Kind(FNO1DConfiguration.self, ModelConfiguration.fno1d),
    Kind(ResNetConfiguration.self, ModelConfiguration.resnet),
    Kind(WhitenedResNetConfiguration.self, ModelConfiguration.whitenedResNet),
  ]

  /// What `model.kind` says.
  public var kind: String { type(of: values).kind }

  private var values: any ModelKindConfiguration {
    switch self {
    case .fno1d(let values): values
    case .resnet(let values): values
    case .whitenedResNet(let values): values
    }
  }

  private struct Kind: Sendable {
    let name: String
    let decode: @Sendable (ConfigurationSection) throws -> ModelConfiguration

    init<Values: ModelKindConfiguration>(
      _ type: Values.Type, _ wrap: @escaping @Sendable (Values) -> ModelConfiguration
    ) {
      name = Values.kind
      decode = { section in
        try section.accept(Values.keys)
        return wrap(try Values(section))
      }
    }
  }

  package init(_ section: ConfigurationSection) throws {
    let name = try section.required("kind", .oneOf(Self.kinds.map(\.name)))
    guard let kind = Self.kinds.first(where: { $0.name == name }) else {
      throw section.impossible("kind", "is \(name)", remedy: "Choose another kind.")
    }
    self = try kind.decode(section)
  }

  package var node: ConfigurationNode {
    let values = values
    return .section([("kind", .text(kind))] + values.entries)
  }
}
