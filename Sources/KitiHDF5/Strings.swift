import CHDF5
import Foundation

/// How texts are kept in a file.
public enum StringStorage: Sendable, Equatable {
  /// Each at its own length, as h5py writes `str`. Not in parallel files.
  case variable
  /// In fields of so many bytes of UTF-8, filled up with zeros; a longer text is an error. h5py shows them as
  /// bytes, to be decoded as UTF-8.
  case fixed(bytes: Int)
}

/// Moves texts between Swift and the library. Inside the lock.
struct StringCodec {
  let file: String
  let object: String

  /// The storage of new texts: what was asked for, or what the file allows.
  func storage(_ asked: StringStorage?, for values: [String], isParallel: Bool) throws(HDF5Error) -> StringStorage {
    if let value = values.first(where: { $0.utf8.contains(0) }) {
      throw HDF5Error(.invalidArgument, file: file, object: object, "the text \(value.debugDescription) holds a zero byte.")
    }
    let longest = values.lazy.map(\.utf8.count).max() ?? 0
    switch asked ?? (isParallel ? .fixed(bytes: max(1, longest)) : .variable) {
    case .variable where isParallel:
      throw HDF5Error(
        .unsupported, file: file, object: object,
        "variable-length texts cannot be written to a parallel file; use fixed-length ones.")
    case .fixed(let bytes) where bytes < max(1, longest):
      throw HDF5Error(
        .invalidArgument, file: file, object: object,
        "a text has \(longest) bytes, and the field \(bytes); a field takes at least one byte.")
    case let storage:
      return storage
    }
  }

  /// The type of new texts, in the file and in memory. The caller closes it.
  func makeType(_ storage: StringStorage) throws(HDF5Error) -> hid_t {
    switch storage {
    case .variable:
      return try makeType(size: chdf5_variable_length(), H5T_CSET_UTF8, H5T_STR_NULLTERM)
    case .fixed(let bytes):
      return try makeType(size: bytes, H5T_CSET_UTF8, H5T_STR_NULLPAD)
    }
  }

  private func makeType(size: Int, _ characters: H5T_cset_t, _ padding: H5T_str_t) throws(HDF5Error) -> hid_t {
    let type = H5Tcopy(chdf5_c_string())
    guard H5Tset_size(type, size) >= 0, H5Tset_cset(type, characters) >= 0, H5Tset_strpad(type, padding) >= 0 else {
      let error = HDF5Error.ofLibrary(file, object, "the text's type was refused.")
      H5Tclose(type)
      throw error
    }
    return type
  }

  /// Calls `write` with texts in the library's form.
  func write(_ values: [String], _ storage: StringStorage, _ write: (UnsafeRawPointer) -> herr_t) throws(HDF5Error) {
    let status: herr_t
    switch storage {
    case .variable:
      let texts = values.map { strdup($0) }
      defer { texts.forEach { free($0) } }
      status = texts.withUnsafeBytes { write($0.baseAddress!) }
    case .fixed(let bytes):
      var fields = [UInt8](repeating: 0, count: max(1, values.count * bytes))
      for (index, value) in values.enumerated() {
        fields.replaceSubrange(index * bytes..<index * bytes + value.utf8.count, with: value.utf8)
      }
      status = fields.withUnsafeBytes { write($0.baseAddress!) }
    }
    guard status >= 0 else { throw .ofLibrary(file, object, "writing the texts failed.") }
  }

  /// The texts that `read` puts into memory as the given type, of which there are `count`.
  /// - Parameter type: The type in the file: what lies there decides what is read.
  func read(
    _ count: Int, type fileType: hid_t, space: hid_t, _ read: (_ memoryType: hid_t, UnsafeMutableRawPointer) -> herr_t
  ) throws(HDF5Error) -> [String] {
    switch ElementKind(ofType: fileType) {
    case .variableString:
      let type = try makeType(size: chdf5_variable_length(), H5Tget_cset(fileType), H5T_STR_NULLTERM)
      defer { H5Tclose(type) }
      let texts = UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: max(1, count))
      defer { texts.deallocate() }
      texts.initialize(repeating: nil)
      guard read(type, texts.baseAddress!) >= 0 else { throw .ofLibrary(file, object, "reading the texts failed.") }
      defer { H5Dvlen_reclaim(type, space, chdf5_default(), texts.baseAddress!) }
      return try decode(texts.prefix(count).map { text in
        UnsafeRawBufferPointer(start: text, count: text.map { strlen($0) } ?? 0)
      })
    case .fixedString(let bytes):
      let padding: UInt8 = H5Tget_strpad(fileType) == H5T_STR_SPACEPAD ? 0x20 : 0
      let endsAtZero = H5Tget_strpad(fileType) == H5T_STR_NULLTERM
      let fields = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, count * bytes), alignment: 1)
      defer { fields.deallocate() }
      guard read(fileType, fields.baseAddress!) >= 0 else { throw .ofLibrary(file, object, "reading the texts failed.") }
      return try decode((0..<count).map { index in
        let field = fields[index * bytes..<(index + 1) * bytes]
        let end = endsAtZero
          ? field.firstIndex(of: 0) : field.lastIndex(where: { $0 != padding }).map { $0 + 1 } ?? field.startIndex
        return UnsafeRawBufferPointer(rebasing: field[..<(end ?? field.endIndex)])
      })
    case let kind:
      throw HDF5Error(.wrongElement, file: file, object: object, "text was asked for, and it holds \(kind).")
    }
  }

  private func decode(_ texts: [UnsafeRawBufferPointer]) throws(HDF5Error) -> [String] {
    var values: [String] = []
    values.reserveCapacity(texts.count)
    for text in texts {
      guard let value = String(validating: text, as: UTF8.self) else {
        throw HDF5Error(.damaged, file: file, object: object, "text number \(values.count) is not UTF-8.")
      }
      values.append(value)
    }
    return values
  }
}

extension Group {
  /// Makes a one-dimensional data set of texts and writes it.
  ///
  /// Collective in parallel files: every rank gives the same texts.
  /// - Parameter storage: `.variable` unless told; in parallel files, where variable lengths cannot be written,
  ///   fields as long as the longest text.
  @discardableResult
  public func createDataSet(
    _ path: String, strings: [String], storage: StringStorage? = nil
  ) throws(HDF5Error) -> DataSet {
    let path = try absolute(path)
    return try HDF5Library.locked { () throws(HDF5Error) in
      let codec = StringCodec(file: file.path, object: path)
      let storage = try codec.storage(storage, for: strings, isParallel: file.isParallel)
      let type = try codec.makeType(storage)
      defer { H5Tclose(type) }
      let dataSet = try makeDataSet(path, type: type, shape: [strings.count], chunks: nil)
      guard !strings.isEmpty else { return dataSet }
      // In parallel files all ranks write the same bytes to the same place, which is harmless.
      let properties = file.isParallel ? HDF5Library.constants.collectiveTransfer : chdf5_default()
      try codec.write(strings, storage) { H5Dwrite(dataSet.id, type, chdf5_all(), chdf5_all(), properties, $0) }
      return dataSet
    }
  }
}

extension DataSet {
  /// All texts of a data set of texts of any length or in fields, in row-major order.
  public func readStrings() throws(HDF5Error) -> [String] {
    try HDF5Library.locked { () throws(HDF5Error) in
      try file.requireOpen(path)
      let count = elementCount
      let type = H5Dget_type(id)
      let space = H5Dget_space(id)
      defer {
        H5Tclose(type)
        H5Sclose(space)
      }
      return try StringCodec(file: file.path, object: path).read(count, type: type, space: space) {
        count > 0 ? H5Dread(id, $0, chdf5_all(), chdf5_all(), chdf5_default(), $1) : 0
      }
    }
  }
}
