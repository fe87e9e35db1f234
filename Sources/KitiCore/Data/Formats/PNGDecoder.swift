import CPNG

/// PNG by way of libpng's simplified interface, which returns where the other one jumps.
enum PNGDecoder {
  static func recognizes(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
  }

  static func header(_ bytes: UnsafeRawBufferPointer, _ path: String) throws -> ImageHeader {
    try reading(bytes, path) { image in
      guard image.format & UInt32(PNG_FORMAT_FLAG_ALPHA) == 0 else {
        throw KitiError(
          .badData, "The file \(path) has transparent parts.", remedy: "Put the images on a background first.")
      }
      return ImageHeader(
        height: Int(image.height), width: Int(image.width), isGrey: image.format & UInt32(PNG_FORMAT_FLAG_COLOR) == 0)
    }
  }

  /// - Parameter pixels: `[height, width, 3]` of the header, filled on return.
  static func decode(
    _ bytes: UnsafeRawBufferPointer, into pixels: UnsafeMutableRawBufferPointer, _ path: String
  ) throws {
    try reading(bytes, path) { image in
      // Values as they stand: without a word of the file 16 bits are no less sRGB than 8.
      image.flags |= UInt32(PNG_IMAGE_FLAG_16BIT_sRGB)
      image.format = UInt32(PNG_FORMAT_FLAG_COLOR)
      precondition(pixels.count == 3 * Int(image.width) * Int(image.height), "the buffer fits")
      guard png_image_finish_read(&image, nil, pixels.baseAddress!, 0, nil) != 0 else { throw damaged(image, path) }
    }
  }

  private static func reading<Result>(
    _ bytes: UnsafeRawBufferPointer, _ path: String, _ body: (inout png_image) throws -> Result
  ) throws -> Result {
    var image = png_image()
    image.version = UInt32(PNG_IMAGE_VERSION)
    defer { png_image_free(&image) }
    guard png_image_begin_read_from_memory(&image, bytes.baseAddress!, bytes.count) != 0 else {
      throw damaged(image, path)
    }
    return try body(&image)
  }

  private static func damaged(_ image: png_image, _ path: String) -> KitiError {
    let reason = withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return KitiError(
      .badData, "The file \(path) is damaged or cut short (PNG: \(reason)).",
      remedy: "Fetch it again, or take it out of the folder.")
  }
}
