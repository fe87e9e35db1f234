// One sample of what a convolution reads and writes, to take a batch sample by sample.

extension ConvolutionGradient {
  /// That of a later sample.
  package func advanced(by offset: Int) -> ConvolutionGradient {
    var sample = self
    sample.values += offset
    sample.normalization?.output += offset
    return sample
  }
}

extension GradientFinish {
  /// That of a later sample of a convolution's input.
  package func advanced(bySamples samples: Int, of shape: ConvolutionShape) -> GradientFinish {
    var sample = self
    let offset = samples * shape.inputSize
    sample.other = other.map { $0 + samples * shape.sampledInputSize(stride: otherStride) }
    sample.sums?.factor += offset
    switch mask {
    case .none: break
    case .rectified(let y): sample.mask = .rectified(y + offset)
    case .normalized(let x, let scale, let shift): sample.mask = .normalized(x + offset, scale: scale, shift: shift)
    }
    return sample
  }
}
