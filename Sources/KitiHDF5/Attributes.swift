import CHDF5

/// The named values that belong to a file, a group or a data set. Small: up to 64 KiB of numbers each.
///
/// Changing them is collective in parallel files: every rank gives the same values.
public struct Attributes: Sendable {
  let file: HDF5File
  let path: String

  public func exists(_ name: String) throws(HDF5Error) -> Bool {
    try HDF5Library.locked { () throws(HDF5Error) in
      try file.requireOpen(object(name))
      return try lookUp(name)
    }
  }

  /// The names, sorted (by bytes).
  public func names() throws(HDF5Error) -> [String] {
    try HDF5Library.locked { () throws(HDF5Error) in
      try file.requireOpen(path)
      var names: [String] = []
      let status = withUnsafeMutablePointer(to: &names) { names in
        var position: hsize_t = 0
        return H5Aiterate_by_name(
          file.id, path, H5_INDEX_NAME, H5_ITER_INC, &position,
          { _, name, _, context in
            guard let name, let names = context?.assumingMemoryBound(to: [String].self) else { return -1 }
            names.pointee.append(String(cString: name))
            return 0
          }, UnsafeMutableRawPointer(names), chdf5_default())
      }
      guard status >= 0 else { throw .ofLibrary(file.path, path, "the attributes could not be listed.") }
      return names
    }
  }

  /// What an attribute holds. Its shape is empty for a single value.
  public func description(of name: String) throws(HDF5Error) -> (kind: ElementKind, shape: [Int]) {
    try withAttribute(name) { (_, type, space) throws(HDF5Error) in
      (ElementKind(ofType: type), try DataSpace.shape(of: space, file: file.path, object: object(name)))
    }
  }

  /// The value of an attribute that holds one number of this type.
  public func read<Element: HDF5Element>(
    _ name: String, as type: Element.Type = Element.self
  ) throws(HDF5Error) -> Element {
    let values = try readArray(name, as: type)
    guard values.count == 1 else { throw notSingle(name, values.count) }
    return values[0]
  }

  /// The numbers of an attribute, in row-major order.
  public func readArray<Element: HDF5Element>(
    _ name: String, as type: Element.Type = Element.self
  ) throws(HDF5Error) -> [Element] {
    try withAttribute(name) { (id, type, space) throws(HDF5Error) in
      let kind = ElementKind(ofType: type)
      guard kind == Element.elementKind else {
        throw HDF5Error(
          .wrongElement, file: file.path, object: object(name),
          "a value of type \(Element.elementKind) was asked for, and it holds \(kind).")
      }
      let count = try DataSpace.shape(of: space, file: file.path, object: object(name)).reduce(1, *)
      var status: herr_t = 0
      let values = [Element](unsafeUninitializedCapacity: max(1, count)) { memory, initialized in
        if count > 0 { status = H5Aread(id, kind.memoryType, memory.baseAddress!) }
        initialized = status < 0 ? 0 : count
      }
      guard status >= 0 else { throw .ofLibrary(file.path, object(name), "the attribute could not be read.") }
      return values
    }
  }

  /// The value of an attribute that holds one text.
  public func readString(_ name: String) throws(HDF5Error) -> String {
    let values = try readStrings(name)
    guard values.count == 1 else { throw notSingle(name, values.count) }
    return values[0]
  }

  /// The texts of an attribute, in row-major order.
  public func readStrings(_ name: String) throws(HDF5Error) -> [String] {
    try withAttribute(name) { (id, type, space) throws(HDF5Error) in
      let count = try DataSpace.shape(of: space, file: file.path, object: object(name)).reduce(1, *)
      let codec = StringCodec(file: file.path, object: object(name))
      return try codec.read(count, type: type, space: space) { count > 0 ? H5Aread(id, $0, $1) : 0 }
    }
  }

  /// Sets an attribute to one number, replacing what it held.
  public func set<Element: HDF5Element>(_ name: String, to value: Element) throws(HDF5Error) {
    try set(name, [value], shape: [])
  }

  /// Sets an attribute to a one-dimensional array of numbers, replacing what it held.
  public func set<Element: HDF5Element>(_ name: String, to values: [Element]) throws(HDF5Error) {
    try set(name, values, shape: [values.count])
  }

  /// Sets an attribute to one text, replacing what it held.
  /// - Parameter storage: `.variable` unless told; in parallel files a field as long as the text.
  public func set(_ name: String, to value: String, storage: StringStorage? = nil) throws(HDF5Error) {
    try set(name, [value], shape: [], storage)
  }

  /// Sets an attribute to a one-dimensional array of texts, replacing what it held.
  /// - Parameter storage: `.variable` unless told; in parallel files fields as long as the longest text.
  public func set(_ name: String, to values: [String], storage: StringStorage? = nil) throws(HDF5Error) {
    try set(name, values, shape: [values.count], storage)
  }

  /// Removes an attribute. It is an error if there is none of this name.
  public func remove(_ name: String) throws(HDF5Error) {
    try HDF5Library.locked { () throws(HDF5Error) in
      try file.requireWritable(object(name))
      guard try lookUp(name) else { throw missing(name) }
      try delete(name)
    }
  }

  private func set<Element: HDF5Element>(_ name: String, _ values: [Element], shape: [Int]) throws(HDF5Error) {
    try HDF5Library.locked { () throws(HDF5Error) in
      let kind = Element.elementKind
      try replace(name, type: kind.littleEndianType, shape: shape) { (id) throws(HDF5Error) in
        let status = values.isEmpty ? 0 : values.withUnsafeBytes { H5Awrite(id, kind.memoryType, $0.baseAddress!) }
        guard status >= 0 else { throw .ofLibrary(file.path, object(name), "the attribute could not be written.") }
      }
    }
  }

  private func set(_ name: String, _ values: [String], shape: [Int], _ storage: StringStorage?) throws(HDF5Error) {
    try HDF5Library.locked { () throws(HDF5Error) in
      let codec = StringCodec(file: file.path, object: object(name))
      let storage = try codec.storage(storage, for: values, isParallel: file.isParallel)
      let type = try codec.makeType(storage)
      defer { H5Tclose(type) }
      try replace(name, type: type, shape: shape) { (id) throws(HDF5Error) in
        guard !values.isEmpty else { return }
        try codec.write(values, storage) { H5Awrite(id, type, $0) }
      }
    }
  }

  private func replace(
    _ name: String, type: hid_t, shape: [Int], _ write: (hid_t) throws(HDF5Error) -> Void
  ) throws(HDF5Error) {
    try file.requireWritable(object(name))
    let space = try DataSpace.make(shape, file: file.path, object: object(name))
    defer { H5Sclose(space) }
    if try lookUp(name) { try delete(name) }
    let id = H5Acreate_by_name(
      file.id, path, name, type, space, HDF5Library.constants.attributeCreation, chdf5_default(), chdf5_default())
    guard id >= 0 else {
      throw .ofLibrary(
        file.path, object(name),
        "the attribute could not be made; more than 64 KiB belong into a data set.")
    }
    defer { H5Aclose(id) }
    try write(id)
  }

  private func delete(_ name: String) throws(HDF5Error) {
    guard H5Adelete_by_name(file.id, path, name, chdf5_default()) >= 0 else {
      throw .ofLibrary(file.path, object(name), "the attribute could not be removed.")
    }
  }

  private func withAttribute<Result>(
    _ name: String, _ body: (_ id: hid_t, _ type: hid_t, _ space: hid_t) throws(HDF5Error) -> Result
  ) throws(HDF5Error) -> Result {
    try HDF5Library.locked { () throws(HDF5Error) in
      try file.requireOpen(object(name))
      guard try lookUp(name) else { throw missing(name) }
      let id = H5Aopen_by_name(file.id, path, name, chdf5_default(), chdf5_default())
      guard id >= 0 else { throw .ofLibrary(file.path, object(name), "the attribute could not be opened.") }
      defer { H5Aclose(id) }
      let type = H5Aget_type(id)
      guard type >= 0 else { throw .ofLibrary(file.path, object(name), "the attribute's type could not be read.") }
      defer { H5Tclose(type) }
      let space = H5Aget_space(id)
      guard space >= 0 else { throw .ofLibrary(file.path, object(name), "the attribute's shape could not be read.") }
      defer { H5Sclose(space) }
      return try body(id, type, space)
    }
  }

  private func lookUp(_ name: String) throws(HDF5Error) -> Bool {
    guard !name.isEmpty, !name.utf8.contains(0) else {
      throw HDF5Error(
        .invalidArgument, file: file.path, object: path, "an attribute's name is not empty and holds no zero byte.")
    }
    let found = H5Aexists_by_name(file.id, path, name, chdf5_default())
    guard found >= 0 else { throw .ofLibrary(file.path, object(name), "the attribute could not be looked up.") }
    return found > 0
  }

  private func object(_ name: String) -> String { "\(path), attribute \(name)" }

  private func missing(_ name: String) -> HDF5Error {
    HDF5Error(.notFound, file: file.path, object: object(name), "there is no such attribute.")
  }

  private func notSingle(_ name: String, _ count: Int) -> HDF5Error {
    HDF5Error(
      .wrongShape, file: file.path, object: object(name), "one value was asked for, and it holds \(count).")
  }
}
