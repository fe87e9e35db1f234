/// The data sets that a run can train on.
public enum DataKind: String, Sendable, CaseIterable {
  /// Solutions of Burgers' equation in one dimension: initial state to final state.
  case burgers
}

/// What to train on.
public struct DataConfiguration: Sendable, Equatable {
  public var kind: DataKind
  /// The data set's file, relative to the directory the run starts in.
  public var path: String

  public init(kind: DataKind, path: String) {
    self.kind = kind
    self.path = path
  }
}

extension DataConfiguration {
  package init(_ section: ConfigurationSection) throws {
    try section.accept(["kind", "path"])
    kind = try section.required("kind", .choice)
    path = try section.required("path", .text("the path of a file"))
  }

  package var node: ConfigurationNode {
    .section(["kind": .text(kind.rawValue), "path": .text(path)])
  }
}
