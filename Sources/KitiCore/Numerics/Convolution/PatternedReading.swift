/// A convolution's source with its numbers of each channel laid out in a pattern.
struct PatternedSource {
  let values: UnsafePointer<Float>
  let normalization: (scale: UnsafePointer<Float>, shift: UnsafePointer<Float>)?

  /// - Parameter numbers: room for two patterns.
  init(_ source: NormalizedValues, _ pattern: ChannelPattern, _ numbers: UnsafeMutablePointer<Float>) {
    values = source.values
    normalization = source.normalization.map { pattern.lay($0.scale, $0.shift, into: numbers) }
  }

  /// Reads numbers that begin at channel 0.
  @inline(__always)
  func read(
    _ values: UnsafePointer<Float>, _ count: Int, _ pattern: ChannelPattern, into output: UnsafeMutablePointer<Float>
  ) {
    if let (scale, shift) = normalization {
      pattern.normalize(values, count: count, scale: scale, shift: shift, into: output)
    } else {
      output.update(from: values, count: count)
    }
  }
}

/// The gradient of a convolution's output with its numbers of each channel laid out in a pattern.
struct PatternedGradient {
  let values: UnsafePointer<Float>
  let normalization: ConvolutionGradient.Normalization?

  /// - Parameter numbers: room for three patterns.
  init(_ gradient: ConvolutionGradient, _ pattern: ChannelPattern, _ numbers: UnsafeMutablePointer<Float>) {
    values = gradient.values
    normalization = gradient.normalization.map {
      let (gradientScale, outputScale) = pattern.lay($0.gradientScale, $0.outputScale, into: numbers)
      let shift = numbers + 2 * pattern.period
      pattern.lay($0.shift, into: shift)
      return .init(
        output: $0.output, gradientScale: gradientScale, outputScale: outputScale, shift: UnsafePointer(shift))
    }
  }

  /// Reads numbers from `start` on, which is at channel 0.
  @inline(__always)
  func read(_ start: Int, _ count: Int, _ pattern: ChannelPattern, into output: UnsafeMutablePointer<Float>) {
    if let norm = normalization {
      pattern.combine(
        values + start, norm.output + start, count: count, gradientScale: norm.gradientScale,
        outputScale: norm.outputScale, shift: norm.shift, into: output)
    } else {
      output.update(from: values + start, count: count)
    }
  }
}

extension GradientFinish {
  /// The same with the mask's numbers of each channel laid out in a pattern.
  ///
  /// - Parameter numbers: room for two patterns.
  func patterned(_ pattern: ChannelPattern, _ numbers: UnsafeMutablePointer<Float>) -> GradientFinish {
    guard case .normalized(let x, let scale, let shift) = mask else { return self }
    let patterns = pattern.lay(scale, shift, into: numbers)
    var result = self
    result.mask = .normalized(x, scale: patterns.0, shift: patterns.1)
    return result
  }

  /// Masks `count` numbers of `r` from `start` on, to which `other` has been added, and adds up the sums; the finish is
  /// `patterned`.
  func maskAndSum(_ r: UnsafeMutablePointer<Float>, _ start: Int, _ count: Int, _ pattern: ChannelPattern) {
    let r = r + start
    switch mask {
    case .none:
      if sums == nil { return }
      finish(r, start, count, pattern) { value, _, _, _ in value }
    case .rectified(let y):
      let y = y + start
      finish(r, start, count, pattern) { value, offset, _, lanes in
        Vector(repeating: 0).replacing(with: value, where: load(y + offset, lanes: lanes) .> 0)
      }
    case .normalized(let x, let scale, let shift):
      let x = x + start
      finish(r, start, count, pattern) { value, offset, column, lanes in
        let rectified = load(shift + column).addingProduct(load(x + offset, lanes: lanes), load(scale + column))
        return Vector(repeating: 0).replacing(with: value, where: rectified .> 0)
      }
    }
  }

  @inline(__always)
  private func finish(
    _ r: UnsafeMutablePointer<Float>, _ start: Int, _ count: Int, _ pattern: ChannelPattern,
    _ mask: (_ value: Vector, _ offset: Int, _ column: Int, _ lanes: Int) -> Vector
  ) {
    guard let sums else {
      return pattern.sweep(count, nil) { offset, column, lanes in
        let value = mask(load(r + offset, lanes: lanes), offset, column, lanes)
        store(value, r + offset, lanes: lanes)
        return (value, value)
      }
    }
    let factor = sums.factor + start
    pattern.sweep(count, sums.sums) { offset, column, lanes in
      let value = mask(load(r + offset, lanes: lanes), offset, column, lanes)
      store(value, r + offset, lanes: lanes)
      return (value, load(factor + offset, lanes: lanes))
    }
  }
}
