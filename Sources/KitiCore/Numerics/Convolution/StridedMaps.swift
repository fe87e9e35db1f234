// Linear maps for a stride of 2 in one dimension: four outputs from nine inputs, yᵢ = g₀ oᵢ + g₂ oᵢ₊₁ + g₁ eᵢ with o the
// inputs at even places, the first one among them, and e those between. The sum over o is F(4, 2), with five
// multiplications for eight, at the points ±1, ±½ and ∞; the products with e stay as they are. Results 1 to 4 are the values
// at 1, -1, ½ and -½, up to factors that the kernel's map makes good, result 0 is that at ∞ and result 5 the part of e.
// The gradients are the transposed maps.

/// The kernel to its values.
enum StridedWeightMap: SixPoints {
  @inline(__always)
  static func results(_ pair: Int, of g: some VectorSequence) -> (Vector, Vector) {
    switch pair {
    case 0: return (g[2], g[1])
    case 1:
      let (even, odd) = (g[0] * Vector(repeating: 2 / 3), g[2] * Vector(repeating: 2 / 3))
      return (odd + even, odd - even)
    default:
      let (even, odd) = (g[0] * Vector(repeating: 4 / 3), g[2] * Vector(repeating: -2 / 3))
      return (odd - even, odd + even)
    }
  }
}

/// The gradients of the kernel's values to that of the kernel.
enum StridedWeightGradientMap: KernelPlaces {
  @inline(__always)
  static func results(_ pair: Int, of u: some VectorSequence) -> (Vector, Vector) {
    if pair > 0 { return (u[5], u[5]) }
    let first = ((u[1] - u[2]) * Vector(repeating: 2 / 3)).addingProduct(u[4] - u[3], Vector(repeating: 4 / 3))
    return (first, u[0].addingProduct((u[1] + u[2]) - (u[3] + u[4]), Vector(repeating: 2 / 3)))
  }
}

/// The five inputs at even places to their values at the points.
enum StridedInputMap: FivePoints {
  @inline(__always)
  static func results(_ pair: Int, of o: some VectorSequence) -> (Vector, Vector) {
    let quarter = Vector(repeating: -0.25)
    switch pair {
    case 0:
      let value = o[4].addingProduct(o[2], Vector(repeating: -1.25)).addingProduct(o[0], Vector(repeating: 0.25))
      return (value, value)
    case 1:
      let (even, odd) = (o[2].addingProduct(o[0], quarter), o[3].addingProduct(o[1], quarter))
      return (odd + even, odd - even)
    default:
      let (even, odd) = (o[2] - o[0], o[3] - o[1])
      return (odd.addingProduct(even, Vector(repeating: 0.5)), odd.addingProduct(even, Vector(repeating: -0.5)))
    }
  }
}

/// The gradients of the four outputs to those of the products at the points.
enum StridedOutputGradientMap: FivePoints {
  @inline(__always)
  static func results(_ pair: Int, of g: some VectorSequence) -> (Vector, Vector) {
    switch pair {
    case 0: return (g[3], g[3])
    case 1:
      let (even, odd) = (g[0] + g[2], g[1] + g[3])
      return (even + odd, even - odd)
    default:
      let quarter = Vector(repeating: 0.25)
      let (even, odd) = (g[0].addingProduct(g[2], quarter), g[1].addingProduct(g[3], quarter))
      return (even.addingProduct(odd, Vector(repeating: 0.5)), even.addingProduct(odd, Vector(repeating: -0.5)))
    }
  }
}

/// Products at the points to what they add to the four outputs.
enum StridedOutputMap: FourOutputs {
  @inline(__always)
  static func results(_ pair: Int, of m: some VectorSequence) -> (Vector, Vector) {
    if pair == 0 {
      let (near, far) = (m[1] + m[2], m[3] + m[4])
      return (near + far, near.addingProduct(far, Vector(repeating: 0.25)))
    }
    let (near, far) = (m[1] - m[2], m[3] - m[4])
    return (near.addingProduct(far, Vector(repeating: 0.5)), (m[0] + near).addingProduct(far, Vector(repeating: 0.125)))
  }
}

/// The gradients at the points to those of the five inputs at even places.
enum StridedInputGradientMap: WinogradMap {
  static var pairs: Int { 3 }

  @inline(__always)
  static func places(_ pair: Int) -> (Int, Int?) { pair == 0 ? (0, 2) : pair == 1 ? (1, 3) : (4, nil) }

  @inline(__always)
  static func results(_ pair: Int, of m: some VectorSequence) -> (Vector, Vector) {
    let (quarter, half) = (Vector(repeating: 0.25), Vector(repeating: 0.5))
    switch pair {
    case 0:
      let (near, far) = (m[1] - m[2], m[3] - m[4])
      let inner = near.addingProduct(far, half)
      return (
        ((m[0] - near) * quarter).addingProduct(far, Vector(repeating: -0.5)),
        inner.addingProduct(m[0], Vector(repeating: -1.25))
      )
    case 1:
      let (near, far) = (m[1] + m[2], m[3] + m[4])
      return ((near * Vector(repeating: -0.25)) - far, near + far)
    default: return (m[0], m[0])
    }
  }
}

/// The value at ∞, at ±1 and at ±½.
protocol FivePoints: WinogradMap {}

extension FivePoints {
  static var pairs: Int { 3 }

  @inline(__always)
  static func places(_ pair: Int) -> (Int, Int?) { pair == 0 ? (0, nil) : pair == 1 ? (1, 2) : (3, 4) }
}
