import Foundation

/// The coefficients of one fourth-order exponential time-differencing Runge–Kutta step, for one mode.
///
/// For `dc/dt = λ c + n(c)` and a step h (Cox & Matthews, *J. Comput. Phys.* 176 (2002), 430, eqs. 26–29),
///
///     a  = half c + stage n(c)
///     b  = half c + stage n(a)
///     d  = half a + stage (2 n(b) − n(c))
///     c' = full c + first n(c) + 2 middle (n(a) + n(b)) + last n(d)
///
/// with `half = exp(λh/2)` and `full = exp(λh)`.
package struct ExponentialStep {
  package var half: Double
  package var full: Double
  package var stage: Double
  package var first: Double
  package var middle: Double
  package var last: Double

  /// The coefficients for a real rate `λ` (1/time) and a step `h` (time).
  ///
  /// The closed forms lose all digits near λh = 0; here they are means over a circle of radius 1 around λh
  /// (Kassam & Trefethen, *SIAM J. Sci. Comput.* 26 (2005), 1214, §2). The mean of the upper half suffices,
  /// for λh is real.
  package init(rate: Double, step: Double) {
    let center = rate * step
    var sums = (stage: 0.0, first: 0.0, middle: 0.0, last: 0.0)
    for point in 0..<Self.contourPoints {
      let angle = Double.pi * (Double(point) + 0.5) / Double(Self.contourPoints)
      let z = Complex(center + cos(angle), sin(angle))
      let exponential = z.exponential
      let square = z * z
      let cube = square * z
      sums.stage += ((z.scaled(by: 0.5).exponential - 1) / z).real
      sums.first += ((exponential * (4 - z.scaled(by: 3) + square) - z - 4) / cube).real
      sums.middle += ((exponential * (z - 2) + z + 2) / cube).real
      sums.last += ((exponential * (4 - z) - square - z.scaled(by: 3) - 4) / cube).real
    }
    let weight = step / Double(Self.contourPoints)
    half = exp(0.5 * center)
    full = exp(center)
    stage = sums.stage * weight
    first = sums.first * weight
    middle = sums.middle * weight
    last = sums.last * weight
  }

  /// Points on the upper half circle; the mean converges geometrically and is exact to rounding well before.
  private static let contourPoints = 32
}

/// The little complex arithmetic that the contour means need.
private struct Complex {
  var real: Double
  var imaginary: Double

  init(_ real: Double, _ imaginary: Double) {
    self.real = real
    self.imaginary = imaginary
  }

  var exponential: Complex {
    let size = exp(real)
    return Complex(size * cos(imaginary), size * sin(imaginary))
  }

  func scaled(by factor: Double) -> Complex { Complex(factor * real, factor * imaginary) }

  static func + (a: Complex, b: Complex) -> Complex {
    Complex(a.real + b.real, a.imaginary + b.imaginary)
  }
  static func - (a: Complex, b: Complex) -> Complex {
    Complex(a.real - b.real, a.imaginary - b.imaginary)
  }
  static func * (a: Complex, b: Complex) -> Complex {
    Complex(a.real * b.real - a.imaginary * b.imaginary, a.real * b.imaginary + a.imaginary * b.real)
  }
  static func / (a: Complex, b: Complex) -> Complex {
    let inverse = 1 / (b.real * b.real + b.imaginary * b.imaginary)
    return Complex(
      (a.real * b.real + a.imaginary * b.imaginary) * inverse,
      (a.imaginary * b.real - a.real * b.imaginary) * inverse)
  }
  static func + (a: Complex, b: Double) -> Complex { Complex(a.real + b, a.imaginary) }
  static func - (a: Complex, b: Double) -> Complex { Complex(a.real - b, a.imaginary) }
  static func - (a: Double, b: Complex) -> Complex { Complex(a - b.real, -b.imaginary) }
}
