import KitiCore

/// The numbers of one convolution with all that is folded into it, and plain loops in double precision over them. Each
/// result comes with the sum of the magnitudes of what was added, which bounds the rounding of any order of additions.
struct ConvolutionTrial {
  typealias Bounded = (value: Double, magnitude: Double)

  var shape: ConvolutionShape
  var samples: Int
  var x: [Float]
  var weight: [Float]
  var sourceNumbers: (scale: [Float], shift: [Float])?
  var g: [Float]
  var z: [Float]
  var gradientNumbers: (gradientScale: [Float], outputScale: [Float], shift: [Float])?
  var other: [Float]?
  var masked: [Float]
  var maskNumbers: (scale: [Float], shift: [Float])
  var factor: [Float]

  /// Leaves of `other` only every `stride`-th place in both directions, and returns these.
  mutating func sampleOther(stride: Int) -> [Float] {
    guard let full = other else { return [] }
    var sampled: [Float] = []
    for place in 0..<full.count / shape.inputs {
      let (row, column) = (place / shape.width % shape.height, place % shape.width)
      let channels = place * shape.inputs..<(place + 1) * shape.inputs
      if row % stride == 0 && column % stride == 0 {
        sampled += full[channels]
      } else {
        for index in channels { other![index] = 0 }
      }
    }
    return sampled
  }

  func output() -> [Bounded] {
    let source = source
    var result = [Bounded](repeating: (0, 0), count: samples * shape.outputSize)
    forEachProduct { output, input, weight in
      Self.add(source[input], Double(self.weight[weight]), to: &result[output])
    }
    return result
  }

  func weightGradient() -> [Bounded] {
    let (source, gradient) = (source, gradient)
    var result = [Bounded](repeating: (0, 0), count: shape.weightCount)
    forEachProduct { output, input, weight in Self.add(source[input], gradient[output], to: &result[weight]) }
    return result
  }

  /// - Parameter mask: 0: none, 1: where `masked` is above 0, 2: where it is after `maskNumbers`.
  func inputGradient(mask: Int) -> [Bounded] {
    let gradient = gradient
    var result = [Bounded](repeating: (0, 0), count: samples * shape.inputSize)
    forEachProduct { output, input, weight in
      Self.add(gradient[output], Double(self.weight[weight]), to: &result[input])
    }
    for index in result.indices {
      if let other { Self.add(Double(other[index]), 1, to: &result[index]) }
      let channel = index % shape.inputs
      let passes =
        switch mask {
        case 1: masked[index] > 0
        case 2: maskNumbers.shift[channel].addingProduct(masked[index], maskNumbers.scale[channel]) > 0
        default: true
        }
      if !passes { result[index] = (0, 0) }
    }
    return result
  }

  /// What the convolution reads, after the folded batch norm and rectifier.
  private var source: [Double] {
    x.indices.map { index in
      guard let sourceNumbers else { return Double(x[index]) }
      let channel = index % shape.inputs
      return max(0, Double(x[index]) * Double(sourceNumbers.scale[channel]) + Double(sourceNumbers.shift[channel]))
    }
  }

  private var gradient: [Double] {
    g.indices.map { index in
      guard let gradientNumbers else { return Double(g[index]) }
      let channel = index % shape.outputs
      return Double(g[index]) * Double(gradientNumbers.gradientScale[channel])
        + Double(z[index]) * Double(gradientNumbers.outputScale[channel]) + Double(gradientNumbers.shift[channel])
    }
  }

  private static func add(_ a: Double, _ b: Double, to sum: inout Bounded) {
    sum.value += a * b
    sum.magnitude += abs(a * b) + 0.25 * abs(b)
  }

  /// Calls `body` with the places of every product of an input and a weight that goes into an output.
  private func forEachProduct(_ body: (_ output: Int, _ input: Int, _ weight: Int) -> Void) {
    let (inputs, outputs, kernel) = (shape.inputs, shape.outputs, shape.kernel)
    for sample in 0..<samples {
      for row in 0..<shape.outputHeight {
        for column in 0..<shape.outputWidth {
          for i in 0..<kernel {
            for j in 0..<kernel {
              let (y, x) = (row * shape.stride + i - shape.padding, column * shape.stride + j - shape.padding)
              guard y >= 0, y < shape.height, x >= 0, x < shape.width else { continue }
              let output = ((sample * shape.outputHeight + row) * shape.outputWidth + column) * outputs
              let input = ((sample * shape.height + y) * shape.width + x) * inputs
              for p in 0..<inputs {
                for q in 0..<outputs { body(output + q, input + p, ((i * kernel + j) * inputs + p) * outputs + q) }
              }
            }
          }
        }
      }
    }
  }
}
