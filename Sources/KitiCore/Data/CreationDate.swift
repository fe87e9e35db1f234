import Foundation

/// The date that a new file says it was made at.
enum CreationDate {
  /// The present time in ISO 8601 (UTC), or what the environment variable `SOURCE_DATE_EPOCH` says, in seconds
  /// since 1970: with it, equal contents give equal files.
  /// - Throws: `KitiError` of kind `.usage` if the variable holds anything else.
  static func now() throws -> String {
    var date = Date()
    if let text = ProcessInfo.processInfo.environment["SOURCE_DATE_EPOCH"] {
      guard let seconds = Int(text), (0...253_402_300_799).contains(seconds) else {
        throw KitiError(
          .usage, "The environment variable SOURCE_DATE_EPOCH is '\(text)'.",
          remedy: "Set it to a number of seconds since 1970, or unset it.")
      }
      date = Date(timeIntervalSince1970: Double(seconds))
    }
    return date.formatted(.iso8601)
  }
}
