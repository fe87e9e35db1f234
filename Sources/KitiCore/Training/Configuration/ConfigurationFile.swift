import Foundation

/// Reads the bytes of a configuration file, with one clear error for each way that can go wrong.
package enum ConfigurationFile {
  /// Far more than any configuration needs, and little enough to parse in no time whatever it holds.
  package static let maximumSize = 64 * 1024

  package static func text(path: String) throws -> String {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw KitiError(
        .usage, "\(path): there is no such file.",
        remedy: "Give the path of a configuration file; experiments/ holds ready ones.")
    }
    guard !isDirectory.boolValue else {
      throw KitiError(
        .usage, "\(path): this is a directory.", remedy: "Give the path of a configuration file in it.")
    }
    return try text(of: try bytes(path: path), name: path)
  }

  private static func bytes(path: String) throws -> Data {
    // Read with a limit instead of asking for the size: a device or a pipe has none.
    let bytes: Data
    do {
      let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      defer { try? file.close() }
      bytes = try file.read(upToCount: maximumSize + 1) ?? Data()
    } catch {
      throw KitiError(
        .usage, "\(path): the file cannot be read.", remedy: "Check that you have permission to read it.")
    }
    guard bytes.count <= maximumSize else {
      throw KitiError(
        .usage, "\(path): the file is larger than \(maximumSize) bytes, which no configuration is.",
        remedy: "Check that the path is the one you mean.")
    }
    return bytes
  }

  /// - Parameter name: What errors call the bytes.
  package static func text(of bytes: Data, name: String) throws -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ConfigurationOrigin.line(lineOfFirstError(in: bytes), file: name).error(
        "the text is not UTF-8.", remedy: "Save the file with the encoding UTF-8.")
    }
    return text
  }

  private static func lineOfFirstError(in bytes: Data) -> Int {
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    var line = 1
    while case .scalarValue(let scalar) = decoder.decode(&iterator) {
      if scalar == "\n" { line += 1 }
    }
    return line
  }
}
