import KitiCore

/// A convolution with everything that the contract fuses with it, stated plainly in double precision.
struct ConvolutionReference {
  let shape: ConvolutionShape
  let samples: Int
  var input: [Double]
  var weight: [Double]
  /// Scale and shift of the batch norm that is folded into the reading of the input.
  var sourceNormalization: (scale: [Double], shift: [Double])?
  var gradient: [Double]
  /// The factors of gradient and output and the shift of the batch norm that is folded into the gradient's reading.
  var gradientNormalization: (output: [Double], gradientScale: [Double], outputScale: [Double], shift: [Double])?
  var other: [Double]?
  /// 1 or 0 for each number of the input.
  var mask: [Double]?
  var factor: [Double]?

  /// What the kernel is applied to.
  var source: [Double] {
    guard let (scale, shift) = sourceNormalization else { return input }
    return input.enumerated().map { index, x in
      let value = x * scale[index % shape.inputs] + shift[index % shape.inputs]
      return value <= 0 ? 0 : value
    }
  }

  var upstream: [Double] {
    guard let norm = gradientNormalization else { return gradient }
    return gradient.enumerated().map { index, g in
      let channel = index % shape.outputs
      return g * norm.gradientScale[channel] + norm.output[index] * norm.outputScale[channel] + norm.shift[channel]
    }
  }

  var output: [Double] {
    let x = source
    var y = [Double](repeating: 0, count: samples * shape.outputSize)
    forEachTerm { input, weightOffset, output in
      for i in 0..<shape.inputs {
        let row = weightOffset + i * shape.outputs
        for o in 0..<shape.outputs { y[output + o] += x[input + i] * weight[row + o] }
      }
    }
    return y
  }

  var weightGradient: [Double] {
    let (x, g) = (source, upstream)
    var result = [Double](repeating: 0, count: shape.weightCount)
    forEachTerm { input, weightOffset, output in
      for i in 0..<shape.inputs {
        let row = weightOffset + i * shape.outputs
        for o in 0..<shape.outputs { result[row + o] += x[input + i] * g[output + o] }
      }
    }
    return result
  }

  var inputGradient: [Double] {
    let g = upstream
    var result = [Double](repeating: 0, count: samples * shape.inputSize)
    forEachTerm { input, weightOffset, output in
      for i in 0..<shape.inputs {
        let row = weightOffset + i * shape.outputs
        for o in 0..<shape.outputs { result[input + i] += weight[row + o] * g[output + o] }
      }
    }
    for index in result.indices {
      if let other { result[index] += other[index] }
      if let mask, mask[index] == 0 { result[index] = 0 }
    }
    return result
  }

  /// Sums of each channel of some numbers and of their products with factors.
  static func sums(_ values: [Double], _ factors: [Double], channels: Int) -> [Double] {
    var result = [Double](repeating: 0, count: 2 * channels)
    for (index, (value, factor)) in zip(values, factors).enumerated() {
      result[index % channels] += value
      result[channels + index % channels] += value * factor
    }
    return result
  }

  /// Calls `body` with the offsets of an input place, a kernel place and the output place they contribute to.
  private func forEachTerm(_ body: (_ input: Int, _ weight: Int, _ output: Int) -> Void) {
    for sample in 0..<samples {
      for row in 0..<shape.outputHeight {
        for column in 0..<shape.outputWidth {
          let place = (sample * shape.outputHeight + row) * shape.outputWidth + column
          for i in 0..<shape.kernel {
            for j in 0..<shape.kernel {
              let (y, x) = (row * shape.stride + i - shape.padding, column * shape.stride + j - shape.padding)
              guard (0..<shape.height).contains(y), (0..<shape.width).contains(x) else { continue }
              body(
                ((sample * shape.height + y) * shape.width + x) * shape.inputs,
                (i * shape.kernel + j) * shape.inputs * shape.outputs, place * shape.outputs)
            }
          }
        }
      }
    }
  }
}
