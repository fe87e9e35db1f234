import Foundation

/// Text for HTML and for SVG within it.
enum Markup {
  /// Any text as contents of an element or of a quoted attribute.
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      // No page may hold these, not even as references.
      case _ where scalar.value < 0x20 && scalar != "\n" && scalar != "\t": result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// A coordinate: a tenth of a pixel is enough.
  static func coordinate(_ value: Double) -> String { String(format: "%.1f", value) }

  /// `12,345`.
  static func grouped(_ number: Int) -> String {
    var digits = Array(String(number.magnitude).reversed())
    for place in stride(from: 3, to: digits.count + (digits.count - 1) / 3, by: 4) where place < digits.count {
      digits.insert(",", at: place)
    }
    return (number < 0 ? "−" : "") + String(digits.reversed())
  }

  /// `12,345`, `0.25`, `1.5e-05`.
  static func number(_ value: Double) -> String {
    if value == value.rounded(), abs(value) >= 1_000, abs(value) < 1e15 { return grouped(Int(value)) }
    return Console.number(value)
  }
}
