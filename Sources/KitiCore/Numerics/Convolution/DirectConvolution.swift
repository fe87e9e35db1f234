/// Convolution of any kernel, stride and padding, sample by sample, as matrix products of a row of output places for each
/// place of the kernel.
package final class DirectConvolution: ConvolutionKernel {
  private let shape: ConvolutionShape
  private let source: AlignedBuffer<Float>
  private let gradient: AlignedBuffer<Float>
  private let inputGradient: AlignedBuffer<Float>
  private let transposedWeight: AlignedBuffer<Float>

  package init(_ shape: ConvolutionShape, capacity: Int) {
    self.shape = shape
    source = AlignedBuffer(count: shape.inputSize)
    gradient = AlignedBuffer(count: shape.outputSize)
    inputGradient = AlignedBuffer(count: shape.inputSize)
    transposedWeight = AlignedBuffer(count: shape.weightCount)
  }

  package var workspaceBytes: Int {
    source.byteCount + gradient.byteCount + inputGradient.byteCount + transposedWeight.byteCount
  }

  package func forward(
    _ source: ConvolutionSource, weight: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, samples: Int,
    sums: UnsafeMutablePointer<Double>?
  ) {
    let (inputs, outputs) = (shape.inputs, shape.outputs)
    for sample in 0..<samples {
      let x = read(source, sample)
      let y = output + sample * shape.outputSize
      for index in 0..<shape.outputSize { y[index] = 0 }
      forEachRow { row, inputRow, kernelPlace, columns, inputColumn in
        multiply(
          columns.count, outputs, inputs,
          Matrix(x + (inputRow * shape.width + inputColumn) * inputs, rowStride: shape.stride * inputs),
          Matrix(weight + kernelPlace * inputs * outputs, rowStride: outputs),
          into: y + (row * shape.outputWidth + columns.lowerBound) * outputs, rowStride: outputs, start: .accumulate)
      }
      guard let sums else { continue }
      for index in 0..<shape.outputSize {
        sums[index % outputs] += Double(y[index])
        sums[outputs + index % outputs] += Double(y[index]) * Double(y[index])
      }
    }
  }

  package func backward(
    _ source: ConvolutionSource, gradient: ConvolutionGradient, weight: UnsafePointer<Float>,
    weightGradient: UnsafeMutablePointer<Float>, inputGradient: UnsafeMutablePointer<Float>?,
    finish: GradientFinish, samples: Int
  ) {
    let (inputs, outputs) = (shape.inputs, shape.outputs)
    for place in 0..<shape.kernel * shape.kernel {
      let offset = place * inputs * outputs
      transpose(inputs, outputs, weight + offset, into: transposedWeight.pointer + offset)
    }
    for sample in 0..<samples {
      let x = read(source, sample)
      let g = read(gradient, sample)
      let r = self.inputGradient.pointer
      for index in 0..<shape.inputSize { r[index] = 0 }
      forEachRow { row, inputRow, kernelPlace, columns, inputColumn in
        let input = (inputRow * shape.width + inputColumn) * inputs
        let upstream = Matrix(g + (row * shape.outputWidth + columns.lowerBound) * outputs, rowStride: outputs)
        multiply(
          inputs, outputs, columns.count, Matrix(x + input, rowStride: shape.stride * inputs).transposed, upstream,
          into: weightGradient + kernelPlace * inputs * outputs, rowStride: outputs, start: .accumulate)
        guard inputGradient != nil else { return }
        multiply(
          columns.count, inputs, outputs, upstream,
          Matrix(transposedWeight.pointer + kernelPlace * inputs * outputs, rowStride: inputs), into: r + input,
          rowStride: shape.stride * inputs, start: .accumulate)
      }
      if let inputGradient { self.finish(finish, sample, into: inputGradient + sample * shape.inputSize) }
    }
  }

  /// Calls `body` for each output row and kernel place with the output columns whose input place is inside.
  private func forEachRow(
    _ body: (_ row: Int, _ inputRow: Int, _ kernelPlace: Int, _ columns: Range<Int>, _ inputColumn: Int) -> Void
  ) {
    let (stride, padding) = (shape.stride, shape.padding)
    for row in 0..<shape.outputHeight {
      for i in 0..<shape.kernel {
        let inputRow = row * stride + i - padding
        guard (0..<shape.height).contains(inputRow) else { continue }
        for j in 0..<shape.kernel {
          let first = max(0, (padding - j + stride - 1) / stride)
          let end = min(shape.outputWidth, (shape.width - 1 + padding - j) / stride + 1)
          guard shape.width - 1 + padding - j >= 0, first < end else { continue }
          body(row, inputRow, i * shape.kernel + j, first..<end, first * stride + j - padding)
        }
      }
    }
  }

  /// One sample of the convolution's actual input.
  private func read(_ source: ConvolutionSource, _ sample: Int) -> UnsafePointer<Float> {
    let values = source.values + sample * shape.inputSize
    guard let (scale, shift) = source.normalization else { return values }
    let x = self.source.pointer
    for index in 0..<shape.inputSize {
      let value = values[index] * scale[index % shape.inputs] + shift[index % shape.inputs]
      x[index] = value <= 0 ? 0 : value
    }
    return UnsafePointer(x)
  }

  /// One sample of the gradient with respect to the output.
  private func read(_ gradient: ConvolutionGradient, _ sample: Int) -> UnsafePointer<Float> {
    let values = gradient.values + sample * shape.outputSize
    guard let norm = gradient.normalization else { return values }
    let z = norm.output + sample * shape.outputSize
    let g = self.gradient.pointer
    for index in 0..<shape.outputSize {
      let channel = index % shape.outputs
      g[index] = values[index] * norm.gradientScale[channel] + z[index] * norm.outputScale[channel] + norm.shift[channel]
    }
    return UnsafePointer(g)
  }

  private func finish(_ finish: GradientFinish, _ sample: Int, into output: UnsafeMutablePointer<Float>) {
    let offset = sample * shape.inputSize
    for index in 0..<shape.inputSize {
      let channel = index % shape.inputs
      var value = inputGradient.pointer[index]
      if let other = finish.other { value += other[offset + index] }
      switch finish.mask {
      case .none: break
      case .rectified(let y): if !(y[offset + index] > 0) { value = 0 }
      case .normalized(let x, let scale, let shift):
        if !(x[offset + index] * scale[channel] + shift[channel] > 0) { value = 0 }
      }
      output[index] = value
      guard let sums = finish.sums else { continue }
      sums.sums[channel] += Double(value)
      sums.sums[shape.inputs + channel] += Double(value) * Double(sums.factor[offset + index])
    }
  }
}
