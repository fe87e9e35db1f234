/// A section that is being decoded: it knows its dotted key and place, and refuses what it does not know.
///
/// Decoding a section starts with `accept`, then takes the values. There is no way to skip a key silently:
/// a key that `accept` is not told of is an error.
package struct ConfigurationSection {
  /// The dotted key, empty for the whole configuration.
  package let path: String
  package let origin: ConfigurationOrigin
  private let entries: [ConfigurationNode.Entry]

  /// - Parameter origin: The place of the key that holds the section.
  package init(_ node: ConfigurationNode, path: String, origin: ConfigurationOrigin) throws {
    self.path = path
    self.origin = origin
    switch node.content {
    case .section(let entries):
      self.entries = entries
    case .scalar where node.isNull:
      entries = []
    default:
      let subject = path.isEmpty ? "the configuration" : "'\(path)'"
      throw node.origin.error(
        "\(subject) is \(node.found).", remedy: "Valid: a section of keys and values (key: value).")
    }
  }

  /// Whether no key is given.
  package var isEmpty: Bool { entries.allSatisfy(\.isRemoved) }

  package func dotted(_ key: String) -> String {
    path.isEmpty ? key.excerpt : "\(path).\(key.excerpt)"
  }

  /// The value of a key, if it is given.
  package func entry(_ key: String) -> ConfigurationNode.Entry? {
    entries.first { $0.key == key && !$0.isRemoved }
  }

  /// Refuses keys other than `keys` and keys given twice.
  ///
  /// - Parameters:
  ///   - keys: The keys that are valid here.
  ///   - kind: What the section's key `kind` says, where it decides which keys are valid.
  ///   - others: The keys of the other kinds, so that the error can say where such a key belongs.
  package func accept(
    _ keys: [String], kind: String? = nil, others: KeyValuePairs<String, [String]> = [:]
  ) throws {
    let valid = "Valid keys here: \(keys.joined(separator: ", "))."
    var seen: Set<String> = []
    for entry in entries {
      guard seen.insert(entry.key).inserted else {
        throw entry.origin.error("the key '\(dotted(entry.key))' is given twice.", remedy: "Keep one of the two.")
      }
      if keys.contains(entry.key) { continue }
      let homes = others.filter { $0.value.contains(entry.key) }.map(\.key)
      if let kind, let last = homes.last {
        if entry.isRemoved { continue }
        let others = homes.dropLast().joined(separator: ", ")
        throw entry.origin.error(
          "'\(dotted(entry.key))' belongs to kind \(others.isEmpty ? last : "\(others) and \(last)"), "
            + "but '\(dotted("kind"))' is \(kind).",
          remedy: "Remove the key or change the kind. \(valid)")
      }
      let guess = Spelling.nearest(to: entry.key, in: keys).map { "Did you mean '\($0)'? " } ?? ""
      throw entry.origin.error("unknown key '\(dotted(entry.key))'.", remedy: guess + valid)
    }
  }

  /// The section under `key`; an empty one if it is left out.
  package func section(_ key: String) throws -> ConfigurationSection {
    let entry = entry(key)
    let place = entry?.origin ?? origin
    let node = entry?.value ?? ConfigurationNode(.section([]), origin: place)
    return try ConfigurationSection(node, path: dotted(key), origin: place)
  }

  /// The section under `key`, which must be given.
  package func requiredSection(_ key: String) throws -> ConfigurationSection {
    guard entry(key) != nil else { throw missing(key, valid: "a section of keys and values") }
    return try section(key)
  }

  /// The value of `key`, which must be given.
  package func required<Value>(_ key: String, _ form: ConfigurationForm<Value>) throws -> Value {
    guard let value = try given(key, form) else { throw missing(key, valid: form.valid) }
    return value
  }

  /// The value of `key`, or `fallback` if the key is left out.
  package func value<Value>(
    _ key: String, _ form: ConfigurationForm<Value>, default fallback: Value
  ) throws -> Value {
    try given(key, form) ?? fallback
  }

  /// The value of `key`, or `nil` if it is left out or `null`.
  package func optional<Value>(_ key: String, _ form: ConfigurationForm<Value>) throws -> Value? {
    if entry(key)?.value.isNull == true { return nil }
    return try given(key, form.orNull)
  }

  /// The error for a value that has the right form and still cannot be.
  ///
  /// It points at `key`, or at the section if the key is left out.
  package func impossible(_ key: String, _ problem: String, remedy: String) -> KitiError {
    (entry(key)?.origin ?? origin).error("'\(dotted(key))' \(problem).", remedy: remedy)
  }

  /// The error for a key that must be given.
  package func missing(_ key: String, valid: String) -> KitiError {
    let unread = entries.filter { !$0.isRemoved }.map(\.key)
    let guess = Spelling.nearest(to: key, in: unread).map { "Is '\(dotted($0))' a misspelling of it? " } ?? ""
    return origin.error("the required key '\(dotted(key))' is missing.", remedy: "\(guess)Valid: \(valid).")
  }

  private func given<Value>(_ key: String, _ form: ConfigurationForm<Value>) throws -> Value? {
    guard let entry = entry(key) else { return nil }
    switch form.read(entry.value) {
    case .success(let value):
      return value
    case .failure(let mismatch):
      let hint = mismatch.hint.isEmpty ? "" : "\(mismatch.hint) "
      throw entry.value.origin.error(
        "'\(dotted(key))' is \(entry.value.found).", remedy: "\(hint)Valid: \(form.valid).")
    }
  }
}
