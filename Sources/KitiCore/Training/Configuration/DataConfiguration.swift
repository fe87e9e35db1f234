/// The data sets that a run can train on.
public enum DataKind: String, Sendable, CaseIterable {
  /// Solutions of Burgers' equation in one dimension: initial state to final state.
  case burgers
  case cifar10, cifar100
  case fashionMNIST = "fashion-mnist"
  case mnist
  /// Images with classes from files in folders.
  case images

  /// Whether the samples are images with classes.
  public var isImages: Bool { ImageKind(rawValue: rawValue) != nil }
}

/// What to train on.
public struct DataConfiguration: Sendable, Equatable {
  public var kind: DataKind
  /// The data set's file, relative to the directory the run starts in.
  public var path: String
  /// How training looks at images; means nothing for fields.
  public var augmentation: ImageAugmentation

  public init(kind: DataKind, path: String, augmentation: ImageAugmentation = .none) {
    self.kind = kind
    self.path = path
    self.augmentation = augmentation
  }
}

extension DataConfiguration {
  package init(_ section: ConfigurationSection) throws {
    kind = try section.required("kind", .choice)
    let own = kind.isImages ? ["augmentation"] : []
    try section.accept(
      ["kind", "path"] + own, kind: kind.rawValue, others: [Self.kindsOfImages: ["augmentation"]])
    path = try section.required("path", .text("the path of a file"))
    augmentation = kind.isImages ? try ImageAugmentation(section.section("augmentation")) : .none
  }

  private static var kindsOfImages: String {
    DataKind.allCases.filter(\.isImages).map(\.rawValue).joined(separator: ", ")
  }

  package var node: ConfigurationNode {
    .section(
      [("kind", .text(kind.rawValue)), ("path", .text(path))]
        + (kind.isImages ? [("augmentation", augmentation.node)] : []))
  }
}

extension ImageAugmentation {
  package init(_ section: ConfigurationSection) throws {
    try section.accept(["crop", "padding", "flip", "cutout"])
    let standard = ImageAugmentation.none
    crop = try section.value("crop", .integer(0...1 << 16), default: standard.crop)
    padding = try section.value("padding", .choice, default: standard.padding)
    flip = try section.value("flip", .choice, default: standard.flip)
    cutout = try section.value("cutout", .integer(0...1 << 16), default: standard.cutout)
  }

  package var node: ConfigurationNode {
    .section([
      "crop": .integer(crop), "padding": .text(padding.rawValue), "flip": .text(flip.rawValue),
      "cutout": .integer(cutout),
    ])
  }
}
