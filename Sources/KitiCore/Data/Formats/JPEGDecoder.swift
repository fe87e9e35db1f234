import CTurboJPEG

/// JPEG by way of TurboJPEG's handles, which return where libjpeg jumps or ends the program.
final class JPEGDecoder {
  private let handle: tjhandle

  init() {
    guard let handle = tjInitDecompress() else { fatalError("out of memory for a JPEG decoder") }
    self.handle = handle
  }

  deinit { tjDestroy(handle) }

  static func recognizes(_ bytes: UnsafeRawBufferPointer) -> Bool { bytes.starts(with: [0xFF, 0xD8, 0xFF]) }

  func header(_ bytes: UnsafeRawBufferPointer, _ path: String) throws -> ImageHeader {
    var (width, height, subsampling, colors): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
    let status = tjDecompressHeader3(
      handle, bytes.bindMemory(to: UInt8.self).baseAddress!, UInt(bytes.count), &width, &height, &subsampling, &colors)
    guard status == 0 else { throw damaged(path) }
    // A file that ends before its image has no error of its own.
    guard width > 0, height > 0 else { throw damaged(path, "there is no image in it") }
    guard colors != Int32(TJCS_CMYK.rawValue), colors != Int32(TJCS_YCCK.rawValue) else {
      throw KitiError(.badData, "The file \(path) has the colors of print (CMYK).", remedy: "Convert it to RGB.")
    }
    return ImageHeader(height: Int(height), width: Int(width), isGrey: colors == Int32(TJCS_GRAY.rawValue))
  }

  /// - Parameter pixels: `[height, width, 3]` of the header, filled on return.
  func decode(
    _ bytes: UnsafeRawBufferPointer, _ header: ImageHeader, into pixels: UnsafeMutableRawBufferPointer, _ path: String
  ) throws {
    precondition(pixels.count == 3 * header.width * header.height, "the buffer fits")
    // What is missing would be painted grey after a warning; and a small file could ask for scans for hours.
    let flags = TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS
    let status = tjDecompress2(
      handle, bytes.bindMemory(to: UInt8.self).baseAddress!, UInt(bytes.count),
      pixels.bindMemory(to: UInt8.self).baseAddress!, Int32(header.width), 0, Int32(header.height),
      Int32(TJPF_RGB.rawValue), flags)
    guard status == 0 else { throw damaged(path) }
  }

  private func damaged(_ path: String, _ reason: String? = nil) -> KitiError {
    KitiError(
      .badData,
      "The file \(path) is damaged or cut short (JPEG: \(reason ?? String(cString: tjGetErrorStr2(handle)))).",
      remedy: "Fetch it again, or take it out of the folder.")
  }
}
