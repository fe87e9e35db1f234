// Elementary functions of eight numbers at once, for the kernels. Coefficients are minimax fits; the stated
// errors are relative to the exact result and include rounding.

typealias Vector = SIMD8<Float>

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

/// eˣ, error 2e-7; 0 below −87 and infinite above 88.7. NaN stays NaN.
@inline(__always)
func exponential(_ x: Vector) -> Vector {
  let magic = Vector(repeating: 12_582_912)  // 1.5 · 2²³: adding it rounds to an integer kept in the low bits
  let clamped = x.replacing(with: 89, where: x .> 89).replacing(with: -88, where: x .< -88)
  let shifted = magic.addingProduct(clamped, Vector(repeating: 1.442_695_04))
  let n = shifted - magic
  let r = clamped.addingProduct(n, Vector(repeating: -0.693_359_375))
    .addingProduct(n, Vector(repeating: 2.121_944_4e-4))
  var p = Vector(repeating: 0.001_383_683_5)
  p = Vector(repeating: 0.008_374_815).addingProduct(p, r)
  p = Vector(repeating: 0.041_668_225).addingProduct(p, r)
  p = Vector(repeating: 0.166_664_2).addingProduct(p, r)
  p = Vector(repeating: 0.499_999_92).addingProduct(p, r)
  p = Vector(repeating: 1.000_000_04).addingProduct(p, r)
  p = Vector(repeating: 1).addingProduct(p, r)
  // Half of the power at a time: 2ⁿ alone overflows at the upper end.
  let bits = unsafeBitCast(shifted, to: SIMD8<Int32>.self) &- 0x4B40_0000
  let half = bits &>> 1
  let first = unsafeBitCast((half &+ 127) &<< 23, to: Vector.self)
  let second = unsafeBitCast((bits &- half &+ 127) &<< 23, to: Vector.self)
  return (p * first * second).replacing(with: 0, where: x .< -87)
}

/// ln x for finite x > 0 that are not denormal, error 2e-7.
@inline(__always)
func logarithm(_ x: Vector) -> Vector {
  let bits = unsafeBitCast(x, to: SIMD8<Int32>.self)
  // Splits x into 2ᵉ · m with m in [√½, √2): 0x3F3504F3 is √½.
  let exponent = (bits &- 0x3F35_04F3) &>> 23
  let r = unsafeBitCast(bits &- (exponent &<< 23), to: Vector.self) - 1
  let e = unsafeBitCast(exponent &+ 0x4B40_0000, to: Vector.self) - 12_582_912
  var p = Vector(repeating: -0.076_344_61)
  p = Vector(repeating: 0.127_615_63).addingProduct(p, r)
  p = Vector(repeating: -0.131_601_89).addingProduct(p, r)
  p = Vector(repeating: 0.142_017_6).addingProduct(p, r)
  p = Vector(repeating: -0.166_233_57).addingProduct(p, r)
  p = Vector(repeating: 0.200_012_27).addingProduct(p, r)
  p = Vector(repeating: -0.250_008_21).addingProduct(p, r)
  p = Vector(repeating: 0.333_333_32).addingProduct(p, r)
  let square = r * r
  let tail = (square * r) * p + Vector(repeating: -2.121_944_4e-4) * e
  return (r + (tail - square * 0.5)).addingProduct(e, Vector(repeating: 0.693_359_375))
}

/// (sin 2πt, cos 2πt) for t in [−½, ½], absolute error 3e-7: half the angle by polynomials, then doubled.
@inline(__always)
func sineCosine(turns t: Vector) -> (Vector, Vector) {
  let u = t * t
  var s = Vector(repeating: -0.007_028_467)
  s = Vector(repeating: 0.082_050_45).addingProduct(s, u)
  s = Vector(repeating: -0.599_252_2).addingProduct(s, u)
  s = Vector(repeating: 2.550_163_3).addingProduct(s, u)
  s = Vector(repeating: -5.167_712_7).addingProduct(s, u)
  s = Vector(repeating: 3.141_592_65).addingProduct(s, u)
  s *= t
  var c = Vector(repeating: -0.024_396_72)
  c = Vector(repeating: 0.234_937_56).addingProduct(c, u)
  c = Vector(repeating: -1.335_212_06).addingProduct(c, u)
  c = Vector(repeating: 4.058_709_2).addingProduct(c, u)
  c = Vector(repeating: -4.934_802_1).addingProduct(c, u)
  c = Vector(repeating: 1).addingProduct(c, u)
  return ((s + s) * c, 1 - (s + s) * s)
}

/// The distribution function Φ(x) and the density φ(x) of the standard normal: relative error of Φ 3e-7 where it
/// is not denormal, of φ 1e-6.
///
/// erfc(z) = t·P(t)·exp(−z²) with t = 1/(1 + 0.42 z), z = |x|/√2, so that one exponential serves both.
@inline(__always)
func normalDistribution(_ x: Vector) -> (distribution: Vector, density: Vector) {
  let negative = x .< 0
  let z = (x * 0.707_106_781).replacing(with: x * -0.707_106_781, where: negative)
  let e = exponential(x * x * -0.5)
  let t = 1 / (1 + z * 0.42)
  var p = Vector(repeating: 0.076_004_252)
  p = Vector(repeating: -0.345_051_69).addingProduct(p, t)
  p = Vector(repeating: 0.484_960_38).addingProduct(p, t)
  p = Vector(repeating: -0.173_067_5).addingProduct(p, t)
  p = Vector(repeating: 0.292_421_35).addingProduct(p, t)
  p = Vector(repeating: 0.187_104_79).addingProduct(p, t)
  p = Vector(repeating: 0.240_897_17).addingProduct(p, t)
  p = Vector(repeating: 0.236_731_26).addingProduct(p, t)
  let tail = p * t * e * 0.5
  return ((1 - tail).replacing(with: tail, where: negative), e * 0.398_942_28)
}
