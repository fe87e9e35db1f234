import CHDF5

/// What a name in a group stands for.
public enum ObjectKind: Sendable, Equatable, CustomStringConvertible {
  case group, dataSet
  /// A named data type, or a link that leads nowhere.
  case other

  public var description: String {
    switch self {
    case .group: "group"
    case .dataSet: "data set"
    case .other: "object of another kind"
    }
  }
}

/// A group of a file: a folder of groups and data sets.
///
/// Paths are relative to the group, or absolute when they begin with a slash. Making things is collective in
/// parallel files; missing groups on the way are made too.
public struct Group: Sendable {
  public struct Child: Sendable, Equatable {
    public var name: String
    public var kind: ObjectKind
  }

  public let file: HDF5File
  /// The group's absolute path in the file.
  public let path: String

  init(file: HDF5File, path: String) {
    self.file = file
    self.path = path
  }

  public var attributes: Attributes { Attributes(file: file, path: path) }

  /// Makes a group. It is an error if something has its name already.
  @discardableResult
  public func createGroup(_ path: String) throws(HDF5Error) -> Group {
    let path = try absolute(path)
    return try HDF5Library.locked { () throws(HDF5Error) in
      try file.requireFree(path)
      let constants = HDF5Library.constants
      let id = H5Gcreate2(file.id, path, constants.linkCreation, constants.groupCreation, chdf5_default())
      guard id >= 0 else { throw .ofLibrary(file.path, path, "the group could not be made.") }
      H5Gclose(id)
      return Group(file: file, path: path)
    }
  }

  /// An existing group.
  public func group(_ path: String) throws(HDF5Error) -> Group {
    let path = try absolute(path)
    return try HDF5Library.locked { () throws(HDF5Error) in
      try file.require(.group, at: path)
      return Group(file: file, path: path)
    }
  }

  /// What lies at a path; `nil` when nothing does.
  public func kind(of path: String) throws(HDF5Error) -> ObjectKind? {
    let path = try absolute(path)
    return try HDF5Library.locked { () throws(HDF5Error) in
      try file.requireOpen(path)
      return try file.kind(at: path)
    }
  }

  /// Whether a group, a data set or anything else lies at a path.
  public func exists(_ path: String) throws(HDF5Error) -> Bool {
    try kind(of: path) != nil
  }

  /// Everything directly in the group, sorted by name (by bytes).
  public func children() throws(HDF5Error) -> [Child] {
    try HDF5Library.locked { () throws(HDF5Error) in
      try file.require(.group, at: path)
      let id = H5Gopen2(file.id, path, chdf5_default())
      guard id >= 0 else { throw .ofLibrary(file.path, path, "the group could not be opened.") }
      defer { H5Gclose(id) }
      var names: [String] = []
      let status = withUnsafeMutablePointer(to: &names) { names in
        chdf5_iterate_links(
          id, H5_INDEX_NAME, H5_ITER_INC,
          { _, name, _, context in
            guard let name, let names = context?.assumingMemoryBound(to: [String].self) else { return -1 }
            names.pointee.append(String(cString: name))
            return 0
          }, UnsafeMutableRawPointer(names))
      }
      guard status >= 0 else { throw .ofLibrary(file.path, path, "the group could not be listed.") }
      return names.map { Child(name: $0, kind: file.objectKind(at: childPath($0)) ?? .other) }
    }
  }

  /// The absolute form of a path that was given relative to this group.
  func absolute(_ path: String) throws(HDF5Error) -> String {
    let parts = path.split(separator: "/").filter { $0 != "." }
    guard !path.utf8.contains(0) else {
      throw HDF5Error(.invalidArgument, file: file.path, object: self.path, "a name cannot hold a zero byte.")
    }
    guard !path.isEmpty else {
      throw HDF5Error(.invalidArgument, file: file.path, object: self.path, "a name cannot be empty.")
    }
    guard !parts.isEmpty else { return path.hasPrefix("/") ? "/" : self.path }
    let joined = parts.joined(separator: "/")
    return path.hasPrefix("/") ? "/" + joined : childPath(joined)
  }

  private func childPath(_ name: String) -> String {
    path == "/" ? "/" + name : path + "/" + name
  }
}

extension HDF5File {
  /// What lies at an absolute path; `nil` when nothing does.
  func kind(at path: String) throws(HDF5Error) -> ObjectKind? {
    guard path != "/" else { return .group }
    // The library fails when a group on the way is missing, so each step is asked for.
    var prefix = ""
    var kind = ObjectKind.group
    for part in path.split(separator: "/") {
      guard kind == .group else { return nil }
      prefix += "/" + part
      let found = H5Lexists(id, prefix, chdf5_default())
      guard found >= 0 else { throw .ofLibrary(self.path, prefix, "the name could not be looked up.") }
      guard found > 0, let next = objectKind(at: prefix) else { return nil }
      kind = next
    }
    return kind
  }

  /// What an existing link leads to; `nil` when it leads nowhere.
  func objectKind(at path: String) -> ObjectKind? {
    let object = H5Oopen(id, path, chdf5_default())
    guard object >= 0 else { return nil }
    defer { H5Oclose(object) }
    switch H5Iget_type(object) {
    case H5I_GROUP: return .group
    case H5I_DATASET: return .dataSet
    default: return .other
    }
  }

  /// Checks that the file is open and that an object of this kind lies at an absolute path.
  func require(_ wanted: ObjectKind, at path: String) throws(HDF5Error) {
    try requireOpen(path)
    guard let kind = try kind(at: path) else {
      throw HDF5Error(.notFound, file: self.path, object: path, "there is no such \(wanted) in the file.")
    }
    guard kind == wanted else {
      throw HDF5Error(.wrongObject, file: self.path, object: path, "this is a \(kind), not a \(wanted).")
    }
  }

  /// Checks that the file can be written and that something new may be made at an absolute path.
  func requireFree(_ path: String) throws(HDF5Error) {
    try requireWritable(path)
    if let kind = try kind(at: path) {
      throw HDF5Error(.alreadyExists, file: self.path, object: path, "there is a \(kind) of this name already.")
    }
    var prefix = ""
    for part in path.split(separator: "/").dropLast() {
      prefix += "/" + part
      guard let kind = try kind(at: prefix) else { return }
      guard kind == .group else {
        throw HDF5Error(
          .wrongObject, file: self.path, object: path, "\(prefix) is a \(kind) and cannot hold anything.")
      }
    }
  }
}
