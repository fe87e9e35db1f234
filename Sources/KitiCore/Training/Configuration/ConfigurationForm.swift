/// How a value must look: the words for it in errors, and how it is read.
package struct ConfigurationForm<Value> {
  /// Why a value was not taken, if more can be said than that it has another form.
  package struct Mismatch: Error {
    package var hint: String

    package init(hint: String = "") {
      self.hint = hint
    }
  }

  /// What is valid, as it follows "Valid: " in an error.
  package let valid: String
  package let read: (ConfigurationNode) -> Result<Value, Mismatch>

  package init(valid: String, read: @escaping (ConfigurationNode) -> Result<Value, Mismatch>) {
    self.valid = valid
    self.read = read
  }

  /// The same form in a place where `null` is valid too.
  package var orNull: Self { Self(valid: "\(valid); null for none", read: read) }
}

extension ConfigurationForm where Value == String {
  /// Text of one line with at least one character. Bare words and numbers are text as they stand.
  package static func text(_ meaning: String) -> Self {
    Self(valid: meaning) { node in
      guard !node.isNull, case .scalar(let text, _) = node.content, !text.isEmpty,
        !text.unicodeScalars.contains(where: \.breaksLine)
      else { return .failure(.init()) }
      return .success(text)
    }
  }

  /// One of the words of a registry.
  package static func oneOf(_ words: [String]) -> Self {
    Self(valid: words.joined(separator: ", ")) { node in
      guard case .scalar(let text, _) = node.content else { return .failure(.init()) }
      if words.contains(text) { return .success(text) }
      let guess = Spelling.nearest(to: text, in: words).map { "Did you mean '\($0)'?" }
      return .failure(.init(hint: guess ?? ""))
    }
  }
}

extension ConfigurationForm where Value: RawRepresentable<String> & CaseIterable {
  /// One of the cases of an enumeration, by its raw value.
  package static var choice: Self {
    let words = ConfigurationForm<String>.oneOf(Value.allCases.map(\.rawValue))
    return Self(valid: words.valid) { node in
      switch words.read(node) {
      case .success(let word): Value(rawValue: word).map { .success($0) } ?? .failure(.init())
      case .failure(let mismatch): .failure(.init(hint: mismatch.hint))
      }
    }
  }
}

extension ConfigurationForm where Value == Bool {
  /// `true` or `false`.
  ///
  /// - Parameter allowed: The values this version has code for.
  package static func boolean(_ allowed: [Bool] = [true, false]) -> Self {
    Self(valid: allowed.map(String.init).joined(separator: ", ")) { node in
      guard case .scalar(let text, isQuoted: false) = node.content else { return .failure(.init()) }
      let value: Bool
      switch text {
      case "true", "True", "TRUE": value = true
      case "false", "False", "FALSE": value = false
      default: return .failure(.init())
      }
      return allowed.contains(value) ? .success(value) : .failure(.init())
    }
  }
}

extension ConfigurationForm where Value: FixedWidthInteger {
  /// A whole number. Sizes end where the 32-bit counts of MPI end, unless `range` says otherwise.
  package static func integer(_ range: ClosedRange<Value>) -> Self {
    Self(valid: "a whole number from \(range.lowerBound) to \(range.upperBound)") { node in
      guard case .scalar(let text, let isQuoted) = node.content else { return .failure(.init()) }
      if let value = PlainNumber.integer(text, as: Value.self), range.contains(value) {
        return isQuoted ? .failure(.init(hint: "Remove the quotes.")) : .success(value)
      }
      if !PlainNumber.isInteger(text), let number = PlainNumber.number(text), let value = Value(exactly: number),
        range.contains(value)
      {
        return .failure(.init(hint: "Write \(value)."))
      }
      return .failure(.init())
    }
  }
}

extension ConfigurationForm where Value == Int {
  /// A whole number, 1 or more.
  package static var count: Self { .integer(1...Int(Int32.max)) }
}

/// A range of finite numbers with its name.
package struct NumberRange: Sendable {
  package let name: String
  package let contains: @Sendable (Double) -> Bool

  package static let finite = Self(name: "a finite number") { _ in true }
  package static let positive = Self(name: "a number above 0") { $0 > 0 }
  package static let nonNegative = Self(name: "a number, 0 or more") { $0 >= 0 }
  package static let zeroToOne = Self(name: "a number from 0 to 1") { $0 >= 0 && $0 <= 1 }
  package static let zeroToBelowOne = Self(name: "a number from 0 to below 1") { $0 >= 0 && $0 < 1 }
  package static let betweenZeroAndOne = Self(name: "a number above 0 and below 1") { $0 > 0 && $0 < 1 }
  package static let aboveZeroToOne = Self(name: "a number above 0, at most 1") { $0 > 0 && $0 <= 1 }
}

extension ConfigurationForm where Value == Double {
  /// A finite number; whole ones need no decimal point.
  package static func number(_ range: NumberRange) -> Self {
    Self(valid: range.name) { node in
      guard case .scalar(let text, let isQuoted) = node.content,
        let value = PlainNumber.number(text), value.isFinite, range.contains(value)
      else { return .failure(.init()) }
      return isQuoted ? .failure(.init(hint: "Remove the quotes.")) : .success(value)
    }
  }
}

extension ConfigurationForm where Value == Interval {
  /// An interval. A bare number counts epochs.
  ///
  /// - Parameter allowsTime: Whether minutes are valid: not where a run must be the same every time.
  package static func interval(allowsTime: Bool) -> Self {
    let words =
      ["a number of epochs", #""10 epochs""#, #""500 steps""#, #""20 %" of the run"#]
      + (allowsTime ? [#""15 minutes""#] : [])
    return Self(valid: words.joined(separator: ", ")) { node in
      guard case .scalar(let text, _) = node.content else { return .failure(.init()) }
      if let interval = Interval(text) {
        if case .minutes = interval, !allowsTime {
          return .failure(.init(hint: "This cannot depend on the clock."))
        }
        return .success(interval)
      }
      if let value = PlainNumber.number(text), let epochs = Int32(exactly: value), epochs > 0 {
        return .failure(.init(hint: "Write \(epochs)."))
      }
      return .failure(.init())
    }
  }
}
