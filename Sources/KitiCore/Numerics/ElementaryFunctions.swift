// Elementary functions of a vector of numbers at once, for the kernels. Coefficients are minimax fits; the stated
// errors are relative to the exact result and include rounding.

/// eʳ for |r| ≤ ½ ln 2.
@_transparent
func exponentialPolynomial(_ r: Vector) -> Vector {
  var p = Vector(repeating: 0.001_383_683_58)
  p = Vector(repeating: 0.008_374_822_08).addingProduct(p, r)
  p = Vector(repeating: 0.041_668_226_1).addingProduct(p, r)
  p = Vector(repeating: 0.166_664_201).addingProduct(p, r)
  p = Vector(repeating: 0.499_999_921).addingProduct(p, r)
  p = Vector(repeating: 1.000_000_04).addingProduct(p, r)
  return Vector(repeating: 1).addingProduct(p, r)
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
  let p = exponentialPolynomial(r)
  // Half of the power at a time: 2ⁿ alone overflows at the upper end.
  let bits = unsafeBitCast(shifted, to: VectorInt.self) &- 0x4B40_0000
  let half = bits &>> 1
  let first = unsafeBitCast((half &+ 127) &<< 23, to: Vector.self)
  let second = unsafeBitCast((bits &- half &+ 127) &<< 23, to: Vector.self)
  return (p * first * second).replacing(with: 0, where: x .< -87)
}

/// ln x for finite x > 0 that are not denormal, error 2e-7.
@inline(__always)
func logarithm(_ x: Vector) -> Vector {
  let bits = unsafeBitCast(x, to: VectorInt.self)
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

/// √x for x ≥ 0, error 1e-7; NaN for infinity, and only roughly right below 1e-37.
///
/// The standard library's root of a vector calls the C library lane by lane. Here 1/√x starts from the exponent (halved and
/// negated in the integer form of x), two Newton steps bring it to 5e-6 and one on √x itself to rounding.
@_transparent
func squareRoot(_ x: Vector) -> Vector {
  let bits = VectorInt(repeating: 0x5F37_5A86) &- (unsafeBitCast(x, to: VectorInt.self) &>> 1)
  var y = unsafeBitCast(bits, to: Vector.self)
  let half = x * -0.5
  y *= Vector(repeating: 1.5).addingProduct(half * y, y)
  y *= Vector(repeating: 1.5).addingProduct(half * y, y)
  let root = x * y
  return root.addingProduct(x.addingProduct(root, -root), y * 0.5)
}

/// (sin 2πt, cos 2πt) for t in [−½, ½], absolute errors 3e-7 and 8e-7: half the angle by polynomials, then doubled.
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

/// eˣ for x ≤ 0, error 2e-7; e⁻⁸⁷ (1.6e-38) below −87. NaN gives e⁻⁸⁷.
@_transparent
func exponentialOfNegative(_ x: Vector) -> Vector {
  let magic = Vector(repeating: 12_582_912)
  let clamped = Vector(repeating: -87).replacing(with: x, where: x .> Vector(repeating: -87))
  let shifted = magic.addingProduct(clamped, Vector(repeating: 1.442_695_04))
  let n = shifted - magic
  let r = clamped.addingProduct(n, Vector(repeating: -0.693_359_375))
    .addingProduct(n, Vector(repeating: 2.121_944_4e-4))
  let p = exponentialPolynomial(r)
  // p is in [0.7, 1.42): its exponent has room for n, which the shift moves there.
  let power = unsafeBitCast(shifted, to: VectorInt.self) &<< 23
  return unsafeBitCast(unsafeBitCast(p, to: VectorInt.self) &+ power, to: Vector.self)
}

/// The distribution function Φ(x) and the density φ(x) of the standard normal: relative error of Φ below 1e-6 for
/// x > −5 and 7e-6 for x > −12, absolute error 2e-7 everywhere; relative error of φ 1e-6 for |x| < 5.
///
/// erfc(z) = t·P(t)·exp(−z²) with t = 1/(1 + 0.42 z), z = |x|/√2, so that one exponential serves both.
@_transparent
func normalDistribution(_ x: Vector) -> (distribution: Vector, density: Vector) {
  let magnitude = unsafeBitCast(unsafeBitCast(x, to: VectorWord.self) & 0x7FFF_FFFF, to: Vector.self)
  let e = exponentialOfNegative(x * x * -0.5)
  let t = 1 / Vector(repeating: 1).addingProduct(magnitude, Vector(repeating: 0.296_984_848))
  // The coefficients carry the ½ of Φ = ½ erfc.
  var p = Vector(repeating: 0.038_002_126)
  p = Vector(repeating: -0.172_525_846).addingProduct(p, t)
  p = Vector(repeating: 0.242_480_191).addingProduct(p, t)
  p = Vector(repeating: -0.086_533_748).addingProduct(p, t)
  p = Vector(repeating: 0.146_210_674).addingProduct(p, t)
  p = Vector(repeating: 0.093_552_395).addingProduct(p, t)
  p = Vector(repeating: 0.120_448_585).addingProduct(p, t)
  p = Vector(repeating: 0.118_365_633).addingProduct(p, t)
  let tail = p * t * e
  return (tail.replacing(with: 1 - tail, where: x .>= 0), e * 0.398_942_28)
}
