/// One `--set KEY=VALUE`: a dotted key and the value that replaces, adds or (with `null`) removes it.
package struct ConfigurationOverride: Sendable {
  package let path: [String]
  package let value: ConfigurationNode

  private let origin: ConfigurationOrigin

  /// - Parameter text: `KEY=VALUE`; the value is YAML on one line: a word, a number, `{…}`, `[…]` or `null`.
  package init(_ text: String) throws {
    let origin = ConfigurationOrigin.override(text)
    let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let path = sides[0].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard sides.count == 2, !path.contains("") else {
      throw origin.error(
        "this is not KEY=VALUE.", remedy: "Write a dotted key and a value, as in --set model.width=64.")
    }
    guard path.count <= 16 else {
      throw origin.error("the key has too many parts.", remedy: "No key of a configuration is that deep.")
    }
    guard let value = try ConfigurationNode.parse(yaml: String(sides[1]), origin: { _ in origin }),
      !value.isNull || !sides[1].allSatisfy(\.isWhitespace)
    else {
      // An unset shell variable must not remove a key.
      throw origin.error(
        "the value is empty.", remedy: "Write a value, or null to take the key away.")
    }
    self.path = path
    self.value = value
    self.origin = origin
  }

  /// Puts the value into `root`, making the sections on the way.
  package func apply(to root: inout ConfigurationNode) throws {
    try apply(to: &root, depth: 0)
  }

  private func apply(to node: inout ConfigurationNode, depth: Int) throws {
    if node.isNull { node.content = .section([]) }
    guard case .section(var entries) = node.content else {
      throw origin.error(
        "'\(path[..<depth].joined(separator: "."))' is \(node.found), it has no keys.",
        remedy: "Set the key itself.")
    }
    let key = path[depth]
    var index = entries.firstIndex { $0.key == key }
    if index == nil || entries[index!].isRemoved {
      index.map { _ = entries.remove(at: $0) }
      index = entries.count
      entries.append(
        .init(key: key, origin: origin, value: ConfigurationNode(.section([]), origin: origin)))
    }
    if depth == path.count - 1 {
      entries[index!].value = value
      entries[index!].origin = origin
    } else {
      try apply(to: &entries[index!].value, depth: depth + 1)
    }
    node.content = .section(entries)
  }
}
