import CMPI

/// A number that MPI can move and reduce: the fixed-width integers, `Int`, `UInt`, `Float` and `Double`.
///
/// Other types should not conform: reductions work on MPI's predefined datatypes only.
public protocol MPIElement: BitwiseCopyable, Sendable {
  /// The raw `MPI_Datatype` of one element.
  static var mpiDatatype: OpaquePointer { get }
}

extension Float: MPIElement {
  public static var mpiDatatype: OpaquePointer { kiti_type_float() }
}
extension Double: MPIElement {
  public static var mpiDatatype: OpaquePointer { kiti_type_double() }
}
extension Int8: MPIElement {
  public static var mpiDatatype: OpaquePointer { kiti_type_int8() }
}
extension Int16: MPIElement {
  public static var mpiDatatype: OpaquePointer { kiti_type_int16() }
}
extension Int32: MPIElement {
  public static var mpiDatatype: OpaquePointer { kiti_type_int32() }
}
extension Int64: MPIElement {
  public static var mpiDatatype: OpaquePointer { kiti_type_int64() }
}
extension Int: MPIElement {
  public static var mpiDatatype: OpaquePointer { kiti_type_int64() }
}
extension UInt8: MPIElement {
  public static var mpiDatatype: OpaquePointer { kiti_type_uint8() }
}
extension UInt16: MPIElement {
  public static var mpiDatatype: OpaquePointer { kiti_type_uint16() }
}
extension UInt32: MPIElement {
  public static var mpiDatatype: OpaquePointer { kiti_type_uint32() }
}
extension UInt64: MPIElement {
  public static var mpiDatatype: OpaquePointer { kiti_type_uint64() }
}
extension UInt: MPIElement {
  public static var mpiDatatype: OpaquePointer { kiti_type_uint64() }
}

/// What the type-erased operations need to know of an element type.
///
/// The public generic functions only make one of these and forward, so that calls from other modules cost
/// no generic dispatch and no allocation.
@usableFromInline
struct ElementKind {
  let datatype: OpaquePointer
  let stride: Int

  @usableFromInline
  init(datatype: OpaquePointer, stride: Int) {
    self.datatype = datatype
    self.stride = stride
  }

  @inlinable
  init<T: MPIElement>(_: T.Type) {
    self.init(datatype: T.mpiDatatype, stride: MemoryLayout<T>.stride)
  }
}
