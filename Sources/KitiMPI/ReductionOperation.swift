import CMPI

/// How the values of all ranks become one, element by element.
///
/// It carries its element type, so that an operation MPI does not define for that type does not compile.
public struct ReductionOperation<Element: MPIElement> {
  /// The raw `MPI_Op`.
  public let handle: OpaquePointer

  init(handle: OpaquePointer) { self.handle = handle }

  public static var sum: Self { Self(handle: kiti_op_sum()) }
  public static var product: Self { Self(handle: kiti_op_product()) }
  public static var minimum: Self { Self(handle: kiti_op_minimum()) }
  public static var maximum: Self { Self(handle: kiti_op_maximum()) }
}

extension ReductionOperation where Element: FixedWidthInteger {
  /// Non-zero where every rank's value is non-zero, else 0.
  ///
  /// Several ranks get 1 for non-zero; a single rank has nothing to combine and keeps its own value.
  public static var logicalAnd: Self { Self(handle: kiti_op_logical_and()) }
}

// The handle is a constant of the library.
extension ReductionOperation: @unchecked Sendable {}
