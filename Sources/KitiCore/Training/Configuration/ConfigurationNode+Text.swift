extension ConfigurationNode {
  /// The tree as block YAML, two spaces a level, ending in a line break.
  package var yaml: String {
    var text = ""
    write(to: &text, indentation: "")
    return text
  }

  private func write(to text: inout String, indentation: String) {
    guard case .section(let entries) = content else { return }
    for entry in entries {
      text += "\(indentation)\(entry.key):"
      if case .section = entry.value.content {
        text += "\n"
        entry.value.write(to: &text, indentation: indentation + "  ")
      } else {
        text += " \(entry.value.inlineText)\n"
      }
    }
  }

  private var inlineText: String {
    switch content {
    case .scalar(let text, let isQuoted): isQuoted ? text.quotedForYAML : text
    case .list(let items): "[\(items.map(\.inlineText).joined(separator: ", "))]"
    case .section: ""
    }
  }

  /// Every value with its dotted key, in the order of the tree.
  package func leaves(path: String = "") -> [(key: String, text: String)] {
    guard case .section(let entries) = content else { return [(path, inlineText)] }
    return entries.flatMap { $0.value.leaves(path: path.isEmpty ? $0.key : "\(path).\($0.key)") }
  }
}

extension String {
  /// Whether any reader of YAML takes the bare text for text, and for the same text.
  package var isPlainText: Bool {
    let reserved = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"]
    guard let first, first.isASCII, first.isLetter || first == "/", last != " ",
      !reserved.contains(lowercased())
    else { return false }
    return utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: " "), UInt8(ascii: "_"), UInt8(ascii: "-"),
        UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "+"):
        true
      default: false
      }
    }
  }

  /// The text in double quotes, on one line, with the escapes of YAML where a raw character could be lost.
  fileprivate var quotedForYAML: String {
    var quoted = "\""
    for scalar in unicodeScalars {
      switch scalar.properties.generalCategory {
      case _ where scalar == "\"" || scalar == "\\":
        quoted += "\\"
        quoted.unicodeScalars.append(scalar)
      case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
      default:
        quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
