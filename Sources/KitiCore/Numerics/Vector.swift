#if KITI_AVX512
  /// As many numbers as one register of the processor holds.
  typealias Vector = SIMD16<Float>
  typealias VectorInt = SIMD16<Int32>
  typealias VectorWord = SIMD16<UInt32>
  typealias VectorLong = SIMD8<UInt64>
#else
  /// As many numbers as one register of the processor holds.
  typealias Vector = SIMD8<Float>
  typealias VectorInt = SIMD8<Int32>
  typealias VectorWord = SIMD8<UInt32>
  typealias VectorLong = SIMD4<UInt64>
#endif

/// Numbers in a `Vector`.
@inline(__always)
var width: Int { Vector.scalarCount }

/// What the kernels of this build need of the processor, for the check at start: `AVX2` or `AVX-512`.
public enum InstructionSet {
  #if KITI_AVX512
    public static let name = "AVX-512"
    /// As `/proc/cpuinfo` names them.
    public static let flags = ["avx2", "fma", "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]
  #else
    public static let name = "AVX2"
    /// As `/proc/cpuinfo` names them.
    public static let flags = ["avx2", "fma"]
  #endif
}

@inline(__always)
func load(_ pointer: UnsafePointer<Float>) -> Vector {
  UnsafeRawPointer(pointer).loadUnaligned(as: Vector.self)
}

@inline(__always)
func load(_ pointer: UnsafeMutablePointer<Float>) -> Vector {
  UnsafeRawPointer(pointer).loadUnaligned(as: Vector.self)
}

@inline(__always)
func store(_ value: Vector, _ pointer: UnsafeMutablePointer<Float>) {
  UnsafeMutableRawPointer(pointer).storeBytes(of: value, as: Vector.self)
}

/// The first numbers of a vector; the others are zero.
@inline(__always)
func load(_ pointer: UnsafePointer<Float>, lanes: Int) -> Vector {
  if lanes == width { return load(pointer) }
  var value = Vector(repeating: 0)
  for lane in 0..<lanes { value[lane] = pointer[lane] }
  return value
}

@inline(__always)
func store(_ value: Vector, _ pointer: UnsafeMutablePointer<Float>, lanes: Int) {
  if lanes == width { return store(value, pointer) }
  for lane in 0..<lanes { pointer[lane] = value[lane] }
}
