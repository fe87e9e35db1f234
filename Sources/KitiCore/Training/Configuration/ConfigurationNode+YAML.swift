import Yams

extension ConfigurationNode {
  /// Reads YAML text into a tree.
  ///
  /// - Parameters:
  ///   - yaml: The text, at most `ConfigurationFile.maximumSize` bytes.
  ///   - origin: Where a given line of the text (from 1) comes from.
  /// - Returns: `nil` if the text holds nothing but comments.
  package static func parse(
    yaml: String, origin: (_ line: Int) -> ConfigurationOrigin
  ) throws -> ConfigurationNode? {
    guard yaml.utf8.count <= ConfigurationFile.maximumSize else {
      throw origin(1).error(
        "the text has \(yaml.utf8.count) bytes.",
        remedy: "A configuration has at most \(ConfigurationFile.maximumSize) bytes.")
    }
    guard expansionOfAliases(yaml) <= 100 else {
      throw origin(1).error(
        "the aliases (*name) of this text could expand without bound.",
        remedy: "Write the values out instead.")
    }
    // Editors on Windows put a byte order mark first, which the parser takes for content.
    let yaml = yaml.unicodeScalars.first == "\u{feff}" ? String(yaml.unicodeScalars.dropFirst()) : yaml
    do {
      let parser = try Parser(yaml: yaml, resolver: .basic, encoding: .utf8)
      guard let root = try parser.singleRoot() else { return nil }
      var budget = 100_000
      return try Self(root, line: 1, budget: &budget, origin: origin)
    } catch let error as YamlError {
      throw syntaxError(error, yaml: yaml, origin: origin)
    }
  }

  /// How many times larger than the text its tree can be, at most.
  ///
  /// With k anchors and m aliases the tree has at most `Π(1 + mᵢ)` copies of a part, where the mᵢ add up to m
  /// over the k anchored parts and the document: at most `(1 + m/(k + 1))^(k + 1)`. The parser hashes keys
  /// however large they are, so this must be known before it runs. Characters that only look like anchors or
  /// aliases count too, which errs on the safe side.
  private static func expansionOfAliases(_ yaml: String) -> Double {
    var anchors = 0.0
    var aliases = 0.0
    var previous = UInt8(ascii: "\n")
    var mark: UInt8?
    for byte in yaml.utf8 {
      if let mark, byte.isNameOfAnchor {
        if mark == UInt8(ascii: "&") { anchors += 1 } else { aliases += 1 }
      }
      let isMark = byte == UInt8(ascii: "&") || byte == UInt8(ascii: "*")
      mark = isMark && previous.precedesAnchor ? byte : nil
      previous = byte
    }
    return power(1 + aliases / (anchors + 1), anchors + 1, limit: 1000)
  }

  private static func power(_ base: Double, _ exponent: Double, limit: Double) -> Double {
    var result = 1.0
    var factors = 0.0
    while base > 1, factors < exponent, result < limit {
      result *= base
      factors += 1
    }
    return result
  }

  /// - Parameter line: The line of the enclosing part, for nodes that have none of their own.
  private init(
    _ node: Node, line: Int, budget: inout Int, origin: (Int) -> ConfigurationOrigin
  ) throws {
    let line = node.mark?.line ?? line
    let here = origin(line)
    budget -= 1
    guard budget > 0 else {
      throw here.error("the configuration has too many values.", remedy: "Write it without aliases (*name).")
    }
    let tag = node.tag.description
    let standard = ["str", "seq", "map"].map { "tag:yaml.org,2002:\($0)" }
    guard (["", "!"] + standard).contains(tag) else {
      throw here.error("the tag \(tag.excerpt) has no meaning in a configuration.", remedy: "Remove the tag.")
    }
    switch node {
    case .scalar(let scalar):
      self.init(.scalar(scalar.string, isQuoted: ![.plain, .any].contains(scalar.style)), origin: here)
    case .sequence(let items):
      self.init(
        .list(try items.map { try Self($0, line: line, budget: &budget, origin: origin) }), origin: here)
    case .mapping(let mapping):
      self.init(
        .section(try Self.entries(of: mapping, line: line, budget: &budget, origin: origin)), origin: here)
    case .alias:
      throw here.error("this alias (*name) cannot be followed.", remedy: "Write the value out instead.")
    }
  }

  private static func entries(
    of mapping: Node.Mapping, line: Int, budget: inout Int, origin: (Int) -> ConfigurationOrigin
  ) throws -> [Entry] {
    var entries: [Entry] = []
    for (key, value) in mapping {
      let keyLine = key.mark?.line ?? line
      guard let name = key.scalar?.string else {
        throw origin(keyLine).error("a key here is a list or a section.", remedy: "Keys are plain words.")
      }
      entries.append(
        Entry(
          key: name, origin: origin(keyLine),
          value: try Self(value, line: keyLine, budget: &budget, origin: origin)))
    }
    return entries
  }
}

extension UInt8 {
  /// Whether a mark for an anchor or an alias may follow this byte: a space, an indicator, or the last byte of
  /// a line break outside ASCII.
  fileprivate var precedesAnchor: Bool {
    self <= UInt8(ascii: " ") || self >= 0x80 || "[]{},:?-\"'".utf8.contains(self)
  }

  fileprivate var isNameOfAnchor: Bool {
    switch self {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}

/// What the parser found wrong, in the words of a configuration error.
private func syntaxError(
  _ error: YamlError, yaml: String, origin: (Int) -> ConfigurationOrigin
) -> KitiError {
  func invalid(_ problem: String, line: Int, context: YamlError.Context? = nil) -> KitiError {
    var text = "not valid YAML: \(problem)"
    if let context {
      text += " \(context.text)"
      if context.mark.line != line { text += " (line \(context.mark.line))" }
    }
    return origin(line).error("\(text).", remedy: "Check indentation, brackets and quotes up to this line.")
  }
  switch error {
  case .scanner(_, let problem, let mark, _) where problem.hasPrefix("Maximum nesting"),
    .parser(_, let problem, let mark, _) where problem.hasPrefix("Maximum nesting"):
    return origin(mark.line).error(
      "sections or lists are nested too deeply.", remedy: "A configuration has few levels.")
  case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _):
    return invalid(problem, line: mark.line, context: context)
  case .composer(_, "but found another document", let mark, _):
    return origin(mark.line).error(
      "a second document starts here.", remedy: "A configuration is one document: remove the line '---'.")
  case .composer(_, let problem, let mark, _):
    return invalid(problem, line: mark.line)
  case .reader(let problem, let offset, _, _):
    let line = 1 + yaml.prefix(offset ?? 0).count(where: \.isNewline)
    return invalid(problem, line: line)
  case .duplicatedKeysInMapping(let keys, let context):
    return duplicateKeyError(keys.first ?? "", mark: context.mark, yaml: yaml, origin: origin)
  default:
    return invalid("\(error)".excerpt, line: 1)
  }
}

/// The parser names only the first place of a key that is given twice. Parsing again with that place renamed
/// gives the tree, and with it the section and the second place.
private func duplicateKeyError(
  _ key: String, mark: Mark, yaml: String, origin: (Int) -> ConfigurationOrigin
) -> KitiError {
  let remedy = "Keep one of the two."
  let unnamed = origin(mark.line).error("the key '\(key.excerpt)' is given twice in one section.", remedy: remedy)
  var lines = yaml.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  guard lines.indices.contains(mark.line - 1) else { return unnamed }
  let placeholder = "renamed-"
  var scalars = Array(lines[mark.line - 1].unicodeScalars)
  guard scalars.indices.contains(mark.column - 1), scalars[(mark.column - 1)...].starts(with: key.unicodeScalars)
  else { return unnamed }
  scalars.insert(contentsOf: placeholder.unicodeScalars, at: mark.column - 1)
  lines[mark.line - 1] = String(String.UnicodeScalarView(scalars))
  let parser = try? Parser(yaml: lines.joined(separator: "\n"), resolver: .basic, encoding: .utf8)
  guard let root = try? parser?.singleRoot() else { return unnamed }

  func find(in node: Node, path: String) -> KitiError? {
    guard let mapping = node.mapping else { return nil }
    for (name, value) in mapping {
      if name.mark?.line == mark.line, name.mark?.column == mark.column,
        let again = mapping.keys.first(where: { $0.scalar?.string == key }) {
        let line = again.mark?.line ?? mark.line
        let first = line == mark.line ? "" : ", first in line \(mark.line)"
        return origin(line).error("the key '\(path)\(key.excerpt)' is given twice\(first).", remedy: remedy)
      }
      let inner = name.scalar.map { "\(path)\($0.string.excerpt)." } ?? path
      if let found = find(in: value, path: inner) { return found }
    }
    return nil
  }
  return find(in: root, path: "") ?? unnamed
}
