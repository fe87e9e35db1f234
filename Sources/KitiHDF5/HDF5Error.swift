import CHDF5

/// What went wrong in a file, where in it, and what HDF5 itself said about it.
public struct HDF5Error: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Code: Sendable, Equatable {
    /// There is no file, or no folder to create it in.
    case missingFile
    /// The file exists but may not be opened: permissions, or it is a folder.
    case inaccessibleFile
    /// Exclusive creation met an existing file.
    case fileExists
    /// Another process holds the file's lock.
    case locked
    /// The file holds something that is not HDF5.
    case notHDF5
    /// The file is shorter than its own header says.
    case truncated
    /// The file's contents contradict themselves.
    case damaged
    /// No object or attribute has this name.
    case notFound
    /// An object or attribute of this name is there already.
    case alreadyExists
    /// The object is of another kind than asked for: a group, say, and not a data set.
    case wrongObject
    /// The elements are of another type than asked for.
    case wrongElement
    /// The rank, the shape or the number of elements differs from what was asked for.
    case wrongShape
    /// A selection reaches beyond the data set.
    case outOfBounds
    /// HDF5 or this binding cannot do it.
    case unsupported
    /// The call makes no sense, whatever the file holds.
    case invalidArgument
    /// The file was closed before.
    case closed
    /// The file was opened for reading only.
    case readOnly
    /// Any other failure of the library: see `libraryMessages`.
    case library
  }

  public var code: Code
  /// The file's path as it was given.
  public var file: String
  /// The path of the group, data set or attribute inside the file, where one is concerned.
  public var object: String?
  /// What was wanted, what is there, and what to do.
  public var message: String
  /// HDF5's own error stack, outermost call first; empty when the library was not asked.
  public var libraryMessages: [String]

  public init(
    _ code: Code, file: String, object: String? = nil, _ message: String, libraryMessages: [String] = []
  ) {
    self.code = code
    self.file = file
    self.object = object
    self.message = message
    self.libraryMessages = libraryMessages
  }

  /// One paragraph: file, object, message and the innermost line of HDF5's stack, its root cause.
  public var description: String {
    var text = file
    if let object { text += ": \(object)" }
    text += ": \(message)"
    if let cause = libraryMessages.last { text += " (HDF5: \(cause))" }
    return text
  }
}

/// HDF5's error stack of the last failed call on this thread of control.
struct LibraryStack {
  var messages: [String] = []
  var minorCodes: [hid_t] = []

  /// Must be called at once after the failed call, since the next one clears the stack.
  static func capture() -> LibraryStack {
    var stack = LibraryStack()
    withUnsafeMutablePointer(to: &stack) { pointer in
      _ = H5Ewalk2(
        chdf5_error_stack(), H5E_WALK_DOWNWARD,
        { _, entry, context in
          guard let entry, let stack = context?.assumingMemoryBound(to: LibraryStack.self) else { return 0 }
          let function = entry.pointee.func_name.map { String(cString: $0) } ?? "?"
          let text = entry.pointee.desc.map { String(cString: $0) } ?? ""
          stack.pointee.messages.append("\(function): \(text)")
          stack.pointee.minorCodes.append(entry.pointee.min_num)
          return 0
        }, UnsafeMutableRawPointer(pointer))
    }
    return stack
  }
}

extension HDF5Error {
  /// An error of the library call that has just failed, with its stack.
  static func ofLibrary(_ file: String, _ object: String?, _ message: String) -> HDF5Error {
    HDF5Error(.library, file: file, object: object, message, libraryMessages: LibraryStack.capture().messages)
  }
}
