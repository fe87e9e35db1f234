import CVector

#if KITI_AVX512
  /// As many numbers as one register of the processor holds.
  typealias Vector = SIMD16<Float>
  typealias VectorInt = SIMD16<Int32>
  typealias VectorWord = SIMD16<UInt32>
#else
  /// As many numbers as one register of the processor holds.
  typealias Vector = SIMD8<Float>
  typealias VectorInt = SIMD8<Int32>
  typealias VectorWord = SIMD8<UInt32>
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

/// Transposes a square of as many rows and columns as a vector has numbers: separates the even from the odd places of
/// pairs of rows as often as the side can be halved.
@inline(__always)
func transposeSquare(
  _ input: UnsafePointer<Float>, rowStride: Int, into output: UnsafeMutablePointer<Float>, rowStride outputStride: Int
) {
  #if KITI_AVX512
    var rows = InlineArray<16, Vector>(repeating: Vector(repeating: 0))
  #else
    var rows = InlineArray<8, Vector>(repeating: Vector(repeating: 0))
  #endif
  for i in 0..<width { rows[unchecked: i] = load(input + i &* rowStride) }
  var side = width
  while side > 1 {
    let old = rows
    for i in 0..<width / 2 {
      let (first, second) = (old[unchecked: 2 &* i], old[unchecked: 2 &* i &+ 1])
      rows[unchecked: i] = Vector(lowHalf: first.evenHalf, highHalf: second.evenHalf)
      rows[unchecked: i &+ width / 2] = Vector(lowHalf: first.oddHalf, highHalf: second.oddHalf)
    }
    side /= 2
  }
  for i in 0..<width { store(rows[unchecked: i], output + i &* outputStride) }
}

// Found before the standard library's, which are loops over lanes that do not always become one instruction.
extension Vector {
  /// self + x · y, rounded once.
  @inline(__always)
  func addingProduct(_ x: Vector, _ y: Vector) -> Vector {
    #if KITI_AVX512
      kiti_fma16(x, y, self)
    #else
      kiti_fma8(x, y, self)
    #endif
  }

  /// max(0, self), where NaN stays NaN.
  @inline(__always)
  var rectified: Vector {
    #if KITI_AVX512
      replacing(with: 0, where: self .<= 0)
    #else
      kiti_rectify8(self)
    #endif
  }

  @inline(__always)
  mutating func addProduct(_ x: Vector, _ y: Vector) { self = addingProduct(x, y) }
}

/// The 64-bit products of the lower halves of 64-bit lanes.
@inline(__always)
func wideningProduct(_ x: SIMD8<UInt64>, _ y: SIMD8<UInt64>) -> SIMD8<UInt64> {
  kiti_widening_product8(x, y)
}

/// The lanes where x < y, one bit each.
@inline(__always)
func lanesLess(_ x: Vector, _ y: Vector) -> UInt32 {
  #if KITI_AVX512
    kiti_less16(x, y)
  #else
    kiti_less8(x, y)
  #endif
}
