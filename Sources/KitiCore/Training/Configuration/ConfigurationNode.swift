/// Where a configuration value comes from: every error about the value starts with it.
package enum ConfigurationOrigin: Sendable, Equatable, CustomStringConvertible {
  /// A line of a file, counted from 1.
  case line(Int, file: String)
  /// `--set` on the command line, with the text that followed it.
  case override(String)
  /// A tree that was made from a decoded configuration.
  case encoded

  package var description: String {
    switch self {
    case .line(let line, let file): "\(file), line \(line)"
    case .override(let text): "--set \(text.excerpt)"
    case .encoded: "the configuration"
    }
  }

  package func error(_ problem: String, remedy: String) -> KitiError {
    KitiError(.usage, "\(self): \(problem)", remedy: remedy)
  }
}

/// A configuration as a tree, before its values have types.
///
/// Files and overrides are read into it, and decoded configurations are printed and compared through it.
package struct ConfigurationNode: Sendable {
  package enum Content: Sendable {
    /// The text of a value. A quoted one is text whatever it looks like.
    case scalar(String, isQuoted: Bool)
    case list([ConfigurationNode])
    case section([Entry])
  }

  package struct Entry: Sendable {
    package var key: String
    package var origin: ConfigurationOrigin
    package var value: ConfigurationNode

    /// Whether an override took the key away. The entry stays, so that a misspelt key is still noticed.
    package var isRemoved: Bool {
      if case .override = value.origin { return value.isNull }
      return false
    }
  }

  package var content: Content
  package var origin: ConfigurationOrigin

  package init(_ content: Content, origin: ConfigurationOrigin) {
    self.content = content
    self.origin = origin
  }

  package var isNull: Bool {
    guard case .scalar(let text, isQuoted: false) = content else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(text)
  }

  /// What stands there, in words that follow "is" in an error.
  package var found: String {
    switch content {
    case .scalar where isNull: "empty"
    case .scalar(let text, isQuoted: false): text.excerpt
    case .scalar(let text, isQuoted: true): "the text \"\(text.excerpt)\""
    case .list: "a list"
    case .section: "a section"
    }
  }
}

extension ConfigurationNode {
  package static func section(_ entries: KeyValuePairs<String, ConfigurationNode>) -> Self {
    section(entries.map { ($0.key, $0.value) })
  }

  package static func section(_ entries: [(String, ConfigurationNode)]) -> Self {
    let entries = entries.map { Entry(key: $0.0, origin: .encoded, value: $0.1) }
    return Self(.section(entries), origin: .encoded)
  }

  package static func list(_ items: [ConfigurationNode]) -> Self { Self(.list(items), origin: .encoded) }
  package static func text(_ text: String) -> Self { .encoded(text, isQuoted: !text.isPlainText) }
  package static func integer(_ value: some BinaryInteger) -> Self { .encoded("\(value)") }
  package static func boolean(_ value: Bool) -> Self { .encoded("\(value)") }
  package static func interval(_ value: Interval) -> Self { .encoded("\(value)") }
  package static var null: Self { .encoded("null") }

  /// The shortest text that reads back to the same value.
  package static func number(_ value: Double) -> Self {
    let text = "\(value)"
    // Readers of YAML 1.1 take a number with an exponent but no point for text.
    guard let exponent = text.firstIndex(of: "e"), !text.contains(".") else { return .encoded(text) }
    return .encoded("\(text[..<exponent]).0\(text[exponent...])")
  }

  private static func encoded(_ text: String, isQuoted: Bool = false) -> Self {
    Self(.scalar(text, isQuoted: isQuoted), origin: .encoded)
  }
}

extension String {
  /// The text as an error shows it: on one line, cut when long.
  package var excerpt: String {
    let line = String(String.UnicodeScalarView(prefix(81).unicodeScalars.map { $0.breaksLine ? " " : $0 }))
    return line.count > 80 ? line.prefix(77) + "..." : line
  }
}

extension Unicode.Scalar {
  /// Whether the scalar is a control character or ends a line.
  package var breaksLine: Bool {
    switch properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }
}
