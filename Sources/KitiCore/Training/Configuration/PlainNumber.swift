/// Numbers as the core schema of YAML 1.2 writes them (YAML 1.2.2, section 10.3.2).
package enum PlainNumber {
  /// Whether the text is a whole number in decimal, `0x` or `0o` digits, however large.
  package static func isInteger(_ text: String) -> Bool {
    let (digits, radix) = digits(of: text)
    return !digits.isEmpty && digits.allSatisfy { $0.isASCII && Int(String($0), radix: radix) != nil }
  }

  /// The whole number, or `nil` if the text is none or it does not fit.
  package static func integer<Value: FixedWidthInteger>(_ text: String, as type: Value.Type) -> Value? {
    guard isInteger(text) else { return nil }
    let (digits, radix) = digits(of: text)
    return Value((text.hasPrefix("-") ? "-" : "") + digits, radix: radix)
  }

  /// The number, which may be infinite or NaN, or `nil` if the text is none.
  package static func number(_ text: String) -> Double? {
    if isInteger(text), digits(of: text).radix != 10 { return integer(text, as: Int.self).map(Double.init) }
    var rest = Substring(text)
    if let sign = rest.first, sign == "-" || sign == "+" { rest.removeFirst() }
    if [".inf", ".Inf", ".INF"].contains(rest) { return text.hasPrefix("-") ? -.infinity : .infinity }
    if [".nan", ".NaN", ".NAN"].contains(text) { return .nan }
    let whole = takeDigits(&rest)
    var fraction = 0
    if rest.first == "." {
      rest.removeFirst()
      fraction = takeDigits(&rest)
    }
    guard whole + fraction > 0 else { return nil }
    if rest.first == "e" || rest.first == "E" {
      rest.removeFirst()
      if let sign = rest.first, sign == "-" || sign == "+" { rest.removeFirst() }
      guard takeDigits(&rest) > 0 else { return nil }
    }
    return rest.isEmpty ? Double(text) : nil
  }

  private static func digits(of text: String) -> (digits: Substring, radix: Int) {
    if text.hasPrefix("0x") { return (text.dropFirst(2), 16) }
    if text.hasPrefix("0o") { return (text.dropFirst(2), 8) }
    return (text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text[...], 10)
  }

  private static func takeDigits(_ rest: inout Substring) -> Int {
    let digits = rest.prefix { $0.isASCII && $0.isWholeNumber }
    rest.removeFirst(digits.count)
    return digits.count
  }
}
