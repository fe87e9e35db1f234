/// Convolution of any kernel, stride and padding as matrix products over a block of samples: the windows are not copied
/// but found through tables of offsets, and the gradient of the input is gathered phase by phase of the stride.
package final class DirectConvolution: ConvolutionKernel {
  /// Floats that a block of samples may take in the second-level cache, beside what the products read.
  private static let blockFloats = SecondLevelCache.byteCount / 4 * 3 / MemoryLayout<Float>.stride

  private let shape: ConvolutionShape
  private let offsets: ConvolutionOffsets
  /// Samples that are worked on together, so that what they read and write stays in the second-level cache.
  private let block: Int
  private let inputPattern: ChannelPattern
  private let outputPattern: ChannelPattern
  private let source: AlignedBuffer<Float>
  private let gradient: AlignedBuffer<Float>
  private let transposedWeight: AlignedBuffer<Float>
  /// Four numbers a channel in the input's pattern, three in the output's.
  private let inputNumbers: AlignedBuffer<Float>
  private let outputNumbers: AlignedBuffer<Float>
  /// Turns that reading ahead gets in the products of a whole block.
  private let turns: (output: Int, weightGradient: Int, inputGradient: Int)

  package init(_ shape: ConvolutionShape, capacity: Int) {
    self.shape = shape
    let (sourceSize, gradientSize) = (
      ConvolutionOffsets.sourceFrame(shape).size, ConvolutionOffsets.gradientFrame(shape).size
    )
    let block = max(1, min(capacity, Self.blockFloats / max(1, sourceSize + 2 * gradientSize + shape.inputSize)))
    self.block = block
    offsets = ConvolutionOffsets(shape, samples: block)
    let places = block * shape.outputPlaces
    turns = (
      GatheredProduct.turns(places, shape.outputs, shape.windowSize),
      GatheredProduct.turns(shape.windowSize, shape.outputs, places),
      offsets.phases.reduce(0) { $0 + GatheredProduct.turns(block * $1.rows, shape.inputs, $1.depth) }
    )
    inputPattern = ChannelPattern(channels: shape.inputs)
    outputPattern = ChannelPattern(channels: shape.outputs)
    source = AlignedBuffer(count: block * sourceSize)
    gradient = AlignedBuffer(count: block * gradientSize)
    transposedWeight = AlignedBuffer(count: shape.weightCount)
    inputNumbers = AlignedBuffer(count: 4 * inputPattern.period)
    outputNumbers = AlignedBuffer(count: 3 * outputPattern.period)
  }

  package var workspaceBytes: Int {
    [source, gradient, transposedWeight, inputNumbers, outputNumbers].reduce(offsets.byteCount) { $0 + $1.byteCount }
  }

  package func forward(
    _ source: NormalizedValues, weight: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, samples: Int,
    sums: UnsafeMutablePointer<Double>?
  ) {
    let patterned = PatternedSource(source, inputPattern, inputNumbers.pointer)
    forEachBlock(samples) { first, count in
      let a = read(patterned, first, count)
      var ahead = ReadAhead(
        placesOfBlock(first + count, samples), of: shape, source: source, output: output, turns: turns.output)
      let y = output + first * shape.outputSize
      let product = GatheredProduct(
        a: a, aRows: offsets.windows.pointer, aDepth: offsets.insideWindow.pointer, b: weight,
        bDepth: offsets.outputRows.pointer, c: y, cRows: offsets.outputRows.pointer)
      product.compute(count * shape.outputPlaces, shape.outputs, shape.windowSize, ahead: &ahead)
      if let sums { outputPattern.addMoments(y, count: count * shape.outputSize, to: sums) }
    }
  }

  package func backward(
    _ source: NormalizedValues, gradient: ConvolutionGradient, weight: UnsafePointer<Float>,
    weightGradient: UnsafeMutablePointer<Float>, inputGradient: UnsafeMutablePointer<Float>?,
    finish: GradientFinish, samples: Int
  ) {
    let patternedSource = PatternedSource(source, inputPattern, inputNumbers.pointer)
    let patternedGradient = PatternedGradient(gradient, outputPattern, outputNumbers.pointer)
    let patternedFinish = finish.patterned(inputPattern, inputNumbers.pointer + 2 * inputPattern.period)
    if inputGradient != nil { transposeWeight(weight) }
    forEachBlock(samples) { first, count in
      let (g, isFramed) = read(patternedGradient, first, count, framed: inputGradient != nil)
      let places = isFramed ? offsets.gradientPlaces.pointer : offsets.outputRows.pointer
      let product = GatheredProduct(
        a: read(patternedSource, first, count), aRows: offsets.insideWindow.pointer, aDepth: offsets.windows.pointer,
        b: g, bDepth: places, c: weightGradient, cRows: offsets.outputRows.pointer)
      var ahead = ReadAhead(
        placesOfBlock(first + count, samples), of: shape, source: source, gradient: gradient,
        inputGradient: inputGradient, finish: finish,
        turns: turns.weightGradient + (inputGradient == nil ? 0 : turns.inputGradient))
      product.compute(
        shape.windowSize, shape.outputs, count * shape.outputPlaces, start: UnsafePointer(weightGradient),
        ahead: &ahead)
      guard let inputGradient else { return }
      let offset = first * shape.inputSize
      let start = finish.otherStride == 1 ? finish.other.map { $0 + offset } : nil
      gatherInputGradient(g, count, start: start, into: inputGradient + offset, ahead: &ahead)
      if let other = finish.other, finish.otherStride > 1 {
        for sample in first..<first + count {
          addAtSampledPlaces(
            other + sample * shape.sampledInputSize(stride: finish.otherStride), height: shape.height,
            width: shape.width, channels: shape.inputs, stride: finish.otherStride,
            to: inputGradient + sample * shape.inputSize)
        }
      }
      patternedFinish.maskAndSum(inputGradient, offset, count * shape.inputSize, inputPattern)
    }
  }

  /// r = start + the gradient with respect to the input, of `count` samples.
  private func gatherInputGradient(
    _ g: UnsafePointer<Float>, _ count: Int, start: UnsafePointer<Float>?, into r: UnsafeMutablePointer<Float>,
    ahead: inout ReadAhead
  ) {
    for phase in offsets.phases {
      let product = GatheredProduct(
        a: g, aRows: offsets.phasePlaces.pointer + phase.firstRow,
        aDepth: offsets.phaseDepth.pointer + phase.firstDepth, b: transposedWeight.pointer,
        bDepth: offsets.phaseWeights.pointer + phase.firstDepth, c: r,
        cRows: offsets.phaseInputs.pointer + phase.firstRow)
      product.compute(count * phase.rows, shape.inputs, phase.depth, start: start, ahead: &ahead)
    }
  }

  private func transposeWeight(_ weight: UnsafePointer<Float>) {
    let (inputs, outputs) = (shape.inputs, shape.outputs)
    for place in 0..<shape.kernel * shape.kernel {
      let offset = place * inputs * outputs
      transpose(inputs, outputs, weight + offset, into: transposedWeight.pointer + offset)
    }
  }

  @inline(__always)
  private func forEachBlock(_ samples: Int, _ body: (_ first: Int, _ count: Int) -> Void) {
    var first = 0
    while first < samples {
      let count = min(block, samples - first)
      body(first, count)
      first += count
    }
  }

  /// Places of the block that begins with a sample; none behind the last one.
  private func placesOfBlock(_ first: Int, _ samples: Int) -> ConvolutionPlaces {
    let end = min(first + block, samples)
    func places(_ size: Int) -> Range<Int> { first * size..<end * size }
    return ConvolutionPlaces(inputs: places(shape.height * shape.width), outputs: places(shape.outputPlaces))
  }

  /// The convolution's actual input in its frame, of `count` samples.
  private func read(_ source: PatternedSource, _ first: Int, _ count: Int) -> UnsafePointer<Float> {
    let values = source.values + first * shape.inputSize
    let frame = offsets.source
    if source.normalization == nil, !frame.hasMargins { return values }
    let target = self.source.pointer
    if !frame.hasMargins {
      source.read(values, count * shape.inputSize, inputPattern, into: target)
      return UnsafePointer(target)
    }
    for sample in 0..<count {
      let image = values + sample * shape.inputSize
      for row in 0..<frame.height {
        let length = shape.width * shape.inputs
        source.read(image + row * length, length, inputPattern, into: target + frame.offset(sample, row, 0))
      }
    }
    return UnsafePointer(target)
  }

  /// The gradient with respect to the output of `count` samples; in its frame where it must be or where it is copied
  /// anyway.
  private func read(
    _ gradient: PatternedGradient, _ first: Int, _ count: Int, framed: Bool
  ) -> (UnsafePointer<Float>, isFramed: Bool) {
    let start = first * shape.outputSize
    let frame = offsets.gradient
    if gradient.normalization == nil, !(framed && frame.hasMargins) { return (gradient.values + start, false) }
    let target = self.gradient.pointer
    if !frame.hasMargins {
      gradient.read(start, count * shape.outputSize, outputPattern, into: target)
      return (UnsafePointer(target), true)
    }
    let length = shape.outputWidth * shape.outputs
    for sample in 0..<count {
      for row in 0..<shape.outputHeight {
        let place = start + sample * shape.outputSize + row * length
        gradient.read(place, length, outputPattern, into: target + frame.offset(sample, row, 0))
      }
    }
    return (UnsafePointer(target), true)
  }
}
