import Glibc

/// What an image file says of itself.
struct ImageHeader: Equatable {
  var height: Int
  var width: Int
  /// Whether it has one channel.
  var isGrey: Bool
}

/// The bytes of one PNG or JPEG file and its pixels; used again for the next file.
final class ImageFile {
  /// Bytes of a file and pixels of an image, at most.
  private static let maximumBytes = 64 << 20
  private static let maximumPixels = 1 << 25

  private(set) var header = ImageHeader(height: 0, width: 0, isGrey: true)
  /// `[height, width, 3]`, red, green and blue; three equal values of a grey image.
  private(set) var pixels: [UInt8] = []

  private var bytes: [UInt8] = []
  private let jpeg = JPEGDecoder()

  /// Reads and decodes a file.
  /// - Throws: `KitiError` of kind `.badData` that names the file when it is no PNG or JPEG file, is damaged or cut
  ///   short, too large, or has transparent parts.
  func decode(_ path: String) throws {
    try readHeader(path)
    pixels.removeAll(keepingCapacity: true)
    pixels.append(contentsOf: repeatElement(0, count: 3 * header.height * header.width))
    try bytes.withUnsafeBytes { bytes in
      try pixels.withUnsafeMutableBytes { pixels in
        if PNGDecoder.recognizes(bytes) {
          try PNGDecoder.decode(bytes, into: pixels, path)
        } else {
          try jpeg.decode(bytes, header, into: pixels, path)
        }
      }
    }
  }

  /// Reads a file and what it says of itself.
  func readHeader(_ path: String) throws {
    try read(path)
    header = try bytes.withUnsafeBytes { bytes in
      if PNGDecoder.recognizes(bytes) { return try PNGDecoder.header(bytes, path) }
      if JPEGDecoder.recognizes(bytes) { return try jpeg.header(bytes, path) }
      throw KitiError(
        .badData, "The file \(path) is neither PNG nor JPEG.", remedy: "Convert it, or take it out of the folder.")
    }
    let (pixels, overflow) = header.height.multipliedReportingOverflow(by: header.width)
    guard header.height > 0, header.width > 0, !overflow, pixels <= Self.maximumPixels else {
      throw KitiError(
        .badData, "The file \(path) declares \(header.height) x \(header.width) pixels.",
        remedy: "Images have at most \(Self.maximumPixels) pixels.")
    }
  }

  private func read(_ path: String) throws {
    // Neither a link is followed nor a pipe waited for.
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw unreadable(path, String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw unreadable(path, "it is no plain file")
    }
    guard status.st_size <= Self.maximumBytes else {
      throw unreadable(path, "it has more than \(Self.maximumBytes >> 20) MiB")
    }
    let count = Int(status.st_size)
    bytes.removeAll(keepingCapacity: true)
    bytes.append(contentsOf: repeatElement(0, count: count))
    var filled = 0
    while filled < count {
      let part = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + filled, count - filled) }
      guard part > 0 else { throw unreadable(path, part == 0 ? "it was cut" : String(cString: strerror(errno))) }
      filled += part
    }
  }

  private func unreadable(_ path: String, _ reason: String) -> KitiError {
    KitiError(.badData, "The file \(path) cannot be read: \(reason).", remedy: "Take it out of the folder.")
  }
}
