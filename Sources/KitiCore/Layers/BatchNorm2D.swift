/// Batch normalization of images (Ioffe and Szegedy 2015, arXiv 1502.03167, algorithms 1 and 2): in training each
/// channel is shifted and scaled to mean 0 and variance 1 over the samples and places of the batch, in evaluation by
/// running means; y = scale · x̂ + shift.
///
/// Input and output `[height, width, channels]`; `scale` and `shift` `[channels]` start at 1 and 0, unless the form says
/// otherwise. The running `mean` and `variance` (without bias) take a share of each training batch. Epsilon is 1e-5.
///
/// A batch is normalized as a whole: `samples` of a training pass are the batch. With a `Pass.reducer` the batch is
/// that of all ranks. Models fold scale and shift into the convolutions around the batch norm: they add up `sums` on
/// the way, call `fold`, and use `foldedScale` and `foldedShift`; backward the same with `gradientSums` and
/// `foldBackward`.
public final class BatchNorm2D: Layer {
  /// How a batch norm starts and learns.
  public struct Form: Sendable, Equatable {
    /// False leaves the scale at 1. Weight decay would draw it to 0 where the rate is large.
    public var learnsScale = true
    /// Of a scale that is learned; 0 makes a residual block start as its shortcut (Goyal et al. 2017, arXiv 1706.02677,
    /// §5.1).
    public var initialScale: Float = 1
    /// Share of a training batch in the running statistics, above 0 and at most 1.
    public var momentum = 0.1

    public init(learnsScale: Bool = true, initialScale: Float = 1, momentum: Double = 0.1) {
      self.learnsScale = learnsScale
      self.initialScale = initialScale
      self.momentum = momentum
    }
  }

  public let inputShape: [Int]
  /// Nil if it is not learned, and 1.
  public let scale: Parameter?
  public let shift: Parameter
  /// Running statistics, in no gradient store: a model returns them in `Model.statistics`.
  public let mean: Parameter
  public let variance: Parameter

  /// `[2, channels]`: sums over samples and places of x and x²; behind them their number.
  private let moments: AlignedBuffer<Double>
  /// `[2, channels]`: sums of the output's gradient g and of g·x.
  private let gradientMoments: AlignedBuffer<Double>
  /// Mean and inverse deviation of the batch, `[channels]` each.
  private let centre: AlignedBuffer<Double>
  private let inverseDeviation: AlignedBuffer<Double>
  /// Scale and shift of the forward pass, then gradient scale, output scale and shift of the backward pass.
  private let folded: AlignedBuffer<Float>
  private let momentum: Double
  private let channels: Int
  private let places: Int
  private var count = 0.0

  private static let epsilon = 1e-5
  /// Where mean² is so many times the variance, x² has lost digits of the variance, and x − mean is summed up instead.
  private static let largestRatio = 100.0

  /// - Parameters:
  ///   - path: of the layer in the model.
  ///   - shape: `[height, width, channels]`.
  public init(_ path: String, shape: [Int], form: Form = Form()) {
    inputShape = shape
    channels = shape.last!
    places = shape.dropLast().reduce(1, *)
    momentum = form.momentum
    scale =
      form.learnsScale
      ? Parameter("\(path)/scale", shape: [channels], initialization: .constant(form.initialScale)) : nil
    shift = Parameter("\(path)/shift", shape: [channels], initialization: .zero, isShift: true)
    mean = Parameter("\(path)/mean", shape: [channels], initialization: .zero)
    variance = Parameter("\(path)/variance", shape: [channels], initialization: .constant(1))
    moments = AlignedBuffer(count: 2 * channels + 1)
    gradientMoments = AlignedBuffer(count: 2 * channels)
    centre = AlignedBuffer(count: channels)
    inverseDeviation = AlignedBuffer(count: channels)
    folded = AlignedBuffer(count: 5 * channels)
  }

  public var outputShape: [Int] { inputShape }
  public var parameters: [Parameter] { (scale.map { [$0] } ?? []) + [shift] }
  public var statistics: [Parameter] { [mean, variance] }
  public var operationsPerSample: Int { 2 * places * channels }
  package var workspaceBytes: Int {
    moments.byteCount + gradientMoments.byteCount + centre.byteCount + inverseDeviation.byteCount + folded.byteCount
  }

  public func forward(
    _ input: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, samples: Range<Int>, pass: Pass
  ) {
    let (offset, rows) = (samples.lowerBound * places * channels, samples.count * places)
    let sums = startSums()
    if pass.isTraining { addSums(input, times: input, samples: samples, to: sums) }
    fold(input + offset, samples: samples.count, pass: pass)
    normalize(
      input + offset, scale: foldedScale, shift: foldedShift, rows: rows, channels: channels, into: output + offset)
  }

  public func backward(
    _ input: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>,
    into inputGradient: UnsafeMutablePointer<Float>?, samples: Range<Int>, pass: Pass
  ) {
    let (offset, rows) = (samples.lowerBound * places * channels, samples.count * places)
    addSums(outputGradient, times: input, samples: samples, to: gradientSums)
    let norm = foldBackward(input + offset, pass: pass)
    guard let inputGradient else { return }
    normalizeGradient(
      outputGradient + offset, gradientScale: norm.gradientScale, norm.output, outputScale: norm.outputScale,
      shift: norm.shift, rows: rows, channels: channels, into: inputGradient + offset)
  }

  /// Adds the sums of x and of x · factor by samples: they do not depend on which of them are together in a batch.
  ///
  /// - Parameters:
  ///   - x, factor: of the batch's first sample, `[batch, height, width, channels]`.
  ///   - sums: `[2, channels]`.
  package func addSums(
    _ x: UnsafePointer<Float>, times factor: UnsafePointer<Float>, samples: Range<Int>,
    to sums: UnsafeMutablePointer<Double>
  ) {
    for sample in samples {
      let offset = sample * places * channels
      addChannelSums(x + offset, times: factor + offset, rows: places, channels: channels, to: sums)
    }
  }

  // MARK: - Folded into what is around it

  /// max(0, x · scale + shift) is the normalized and rectified x, after `fold`. `[channels]` each.
  package var foldedScale: UnsafePointer<Float> { UnsafePointer(folded.pointer) }
  package var foldedShift: UnsafePointer<Float> { UnsafePointer(folded.pointer + channels) }

  /// Where the backward pass adds the sums of the output's gradient g and of g·x, `[2, channels]`.
  package var gradientSums: UnsafeMutablePointer<Double> { gradientMoments.pointer }

  /// Where the sums of x and x² of a training batch are to be added, `[2, channels]`; cleared.
  package func startSums() -> UnsafeMutablePointer<Double> {
    moments.buffer.update(repeating: 0)
    gradientMoments.buffer.update(repeating: 0)
    return moments.pointer
  }

  /// Scale and shift of this batch from its sums, and in training the running statistics; in evaluation from those.
  ///
  /// - Parameter input: the batch, `[samples, height, width, channels]`.
  package func fold(_ input: UnsafePointer<Float>, samples: Int, pass: Pass) {
    if pass.isTraining {
      moments.pointer[2 * channels] = Double(samples * places)
      pass.reducer?.sum(moments.buffer)
      count = moments.pointer[2 * channels]
      measure(input, samples: samples, pass)
    } else {
      for channel in 0..<channels {
        centre.pointer[channel] = Double(mean.values[channel])
        inverseDeviation.pointer[channel] = 1 / (Double(variance.values[channel]) + Self.epsilon).squareRoot()
      }
    }
    for channel in 0..<channels {
      let factor = scale(channel) * inverseDeviation.pointer[channel]
      folded.pointer[channel] = Float(factor)
      folded.pointer[channels + channel] = Float(Double(shift.values[channel]) - factor * centre.pointer[channel])
    }
  }

  /// Mean, inverse deviation and running statistics from the sums of all ranks.
  private func measure(_ input: UnsafePointer<Float>, samples: Int, _ pass: Pass) {
    guard count > 0 else { return }
    var isAccurate = true
    for channel in 0..<channels {
      let (first, second) = average(channel)
      isAccurate = isAccurate && !(first * first > Self.largestRatio * (second - first * first + Self.epsilon))
      centre.pointer[channel] = first
    }
    if !isAccurate {
      // The sums are those of all ranks, and so is the decision.
      for channel in 0..<channels { folded.pointer[channel] = Float(centre.pointer[channel]) }
      moments.buffer.update(repeating: 0)
      // By samples: then the sums do not depend on which are together.
      for sample in 0..<samples {
        addCentredSums(
          input + sample * places * channels, centre: folded.pointer, rows: places, channels: channels,
          to: moments.pointer)
      }
      pass.reducer?.sum(moments.buffer)
    }
    for channel in 0..<channels {
      let (first, second) = average(channel)
      let variance = second < first * first ? 0 : second - first * first
      if !isAccurate { centre.pointer[channel] = Double(folded.pointer[channel]) + first }
      inverseDeviation.pointer[channel] = 1 / (variance + Self.epsilon).squareRoot()
      blend(centre.pointer[channel], into: &mean.values[channel])
      blend(variance * count / max(count - 1, 1), into: &self.variance.values[channel])
    }
  }

  private func average(_ channel: Int) -> (first: Double, second: Double) {
    (moments.pointer[channel] / count, moments.pointer[channels + channel] / count)
  }

  private func blend(_ value: Double, into running: inout Float) {
    running = Float((1 - momentum) * Double(running) + momentum * value)
  }

  private func scale(_ channel: Int) -> Double { scale.map { Double($0.values[channel]) } ?? 1 }

  private func add(_ gradient: Double, to parameter: Parameter, _ channel: Int) {
    if let sums = parameter.sampleSums {
      sums[channel] += gradient
    } else {
      parameter.gradients[channel] += Float(gradient)
    }
  }

  /// From `gradientSums`: adds the gradients of scale and shift, and says how the output's gradient becomes the
  /// input's.
  ///
  /// - Parameters:
  ///   - input: of the forward pass.
  ///   - factor: the output's gradient is this times g.
  package func foldBackward(
    _ input: UnsafePointer<Float>, times factor: Double = 1, pass: Pass
  ) -> ConvolutionGradient.Normalization {
    let sums = gradientMoments.pointer
    for channel in 0..<channels {
      let turned = sums[channels + channel] - centre.pointer[channel] * sums[channel]
      if let scale { add(factor * inverseDeviation.pointer[channel] * turned, to: scale, channel) }
      add(factor * sums[channel], to: shift, channel)
    }
    pass.reducer?.sum(gradientMoments.buffer)
    let gradientScale = folded.pointer + 2 * channels
    let (outputScale, gradientShift) = (gradientScale + channels, gradientScale + 2 * channels)
    let share = count > 0 ? 1 / count : 0
    for channel in 0..<channels {
      let (mean, inverse) = (centre.pointer[channel], inverseDeviation.pointer[channel])
      let slope = factor * scale(channel) * inverse
      // d = slope · (g − ⟨g⟩ − x̂ ⟨g x̂⟩) with x̂ = (x − mean) · inverse.
      let along = inverse * inverse * share * (sums[channels + channel] - mean * sums[channel])
      gradientScale[channel] = Float(slope)
      outputScale[channel] = Float(-slope * along)
      gradientShift[channel] = Float(slope * (mean * along - share * sums[channel]))
    }
    return ConvolutionGradient.Normalization(
      output: input, gradientScale: UnsafePointer(gradientScale), outputScale: UnsafePointer(outputScale),
      shift: UnsafePointer(gradientShift))
  }
}
