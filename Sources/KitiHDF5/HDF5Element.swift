import CHDF5

/// A number that data sets and attributes can hold. Stored little-endian; `Int` as a 64-bit integer.
///
/// The types below are all there are: the file format knows no others that Swift has too.
public protocol HDF5Element: BitwiseCopyable, Sendable {
  static var elementKind: ElementKind { get }
}

extension Float: HDF5Element { public static var elementKind: ElementKind { .float32 } }
extension Double: HDF5Element { public static var elementKind: ElementKind { .float64 } }
extension Int8: HDF5Element { public static var elementKind: ElementKind { .int8 } }
extension Int16: HDF5Element { public static var elementKind: ElementKind { .int16 } }
extension Int32: HDF5Element { public static var elementKind: ElementKind { .int32 } }
extension Int64: HDF5Element { public static var elementKind: ElementKind { .int64 } }
/// Without it, a literal like `3` would be kept as a `Double`.
extension Int: HDF5Element { public static var elementKind: ElementKind { .int64 } }
extension UInt8: HDF5Element { public static var elementKind: ElementKind { .uint8 } }
extension UInt16: HDF5Element { public static var elementKind: ElementKind { .uint16 } }
extension UInt32: HDF5Element { public static var elementKind: ElementKind { .uint32 } }
extension UInt64: HDF5Element { public static var elementKind: ElementKind { .uint64 } }

/// What the elements of a data set or an attribute are, whatever their byte order in the file.
public enum ElementKind: Sendable, Hashable, CustomStringConvertible {
  case float32, float64
  case int8, int16, int32, int64
  case uint8, uint16, uint32, uint64
  /// UTF-8 text of any length.
  case variableString
  /// Text in fields of so many bytes.
  case fixedString(bytes: Int)
  /// Something this binding does not read: compounds, enumerations (h5py's booleans), half precision, …
  case other(String)

  public var description: String {
    switch self {
    case .float32: "float32"
    case .float64: "float64"
    case .int8: "int8"
    case .int16: "int16"
    case .int32: "int32"
    case .int64: "int64"
    case .uint8: "uint8"
    case .uint16: "uint16"
    case .uint32: "uint32"
    case .uint64: "uint64"
    case .variableString: "variable-length string"
    case .fixedString(let bytes): "string of \(bytes) bytes"
    case .other(let name): name
    }
  }

  var isString: Bool {
    switch self {
    case .variableString, .fixedString: true
    default: false
    }
  }
}

extension ElementKind {
  private static let numbers: [ElementKind] = [
    .float32, .float64, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64,
  ]

  /// The kind of an HDF5 data type.
  init(ofType type: hid_t) {
    let kind = H5Tget_class(type)
    if kind == H5T_STRING {
      self = H5Tis_variable_str(type) > 0 ? .variableString : .fixedString(bytes: H5Tget_size(type))
      return
    }
    for candidate in Self.numbers
    where H5Tequal(type, candidate.littleEndianType) > 0 || H5Tequal(type, candidate.bigEndianType) > 0 {
      self = candidate
      return
    }
    let bits = H5Tget_size(type) * 8
    switch kind {
    case H5T_FLOAT: self = .other("\(bits)-bit floating point of an unusual layout")
    case H5T_INTEGER: self = .other("\(bits)-bit integer of an unusual layout")
    case H5T_ENUM: self = .other("enumeration")
    case H5T_COMPOUND: self = .other("compound")
    case H5T_ARRAY: self = .other("array")
    case H5T_VLEN: self = .other("variable-length sequence")
    case H5T_REFERENCE: self = .other("reference")
    case H5T_OPAQUE: self = .other("opaque")
    case H5T_BITFIELD: self = .other("bit field")
    default: self = .other("unknown type")
    }
  }

  /// The type of the elements in memory. Numbers only.
  var memoryType: hid_t {
    switch self {
    case .float32: chdf5_native_float()
    case .float64: chdf5_native_double()
    case .int8: chdf5_native_int8()
    case .int16: chdf5_native_int16()
    case .int32: chdf5_native_int32()
    case .int64: chdf5_native_int64()
    case .uint8: chdf5_native_uint8()
    case .uint16: chdf5_native_uint16()
    case .uint32: chdf5_native_uint32()
    case .uint64: chdf5_native_uint64()
    case .variableString, .fixedString, .other: preconditionFailure("\(self) has no type of one number in memory")
    }
  }

  /// The type new data sets and attributes get in the file. Numbers only.
  var littleEndianType: hid_t {
    switch self {
    case .float32: chdf5_float32_little()
    case .float64: chdf5_float64_little()
    case .int8: chdf5_int8_little()
    case .int16: chdf5_int16_little()
    case .int32: chdf5_int32_little()
    case .int64: chdf5_int64_little()
    case .uint8: chdf5_uint8_little()
    case .uint16: chdf5_uint16_little()
    case .uint32: chdf5_uint32_little()
    case .uint64: chdf5_uint64_little()
    case .variableString, .fixedString, .other: preconditionFailure("\(self) is not a number")
    }
  }

  private var bigEndianType: hid_t {
    switch self {
    case .float32: chdf5_float32_big()
    case .float64: chdf5_float64_big()
    case .int8: chdf5_int8_big()
    case .int16: chdf5_int16_big()
    case .int32: chdf5_int32_big()
    case .int64: chdf5_int64_big()
    case .uint8: chdf5_uint8_big()
    case .uint16: chdf5_uint16_big()
    case .uint32: chdf5_uint32_big()
    case .uint64: chdf5_uint64_big()
    case .variableString, .fixedString, .other: preconditionFailure("\(self) is not a number")
    }
  }
}
