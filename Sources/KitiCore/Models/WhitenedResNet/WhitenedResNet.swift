/// A short, wide residual network for quick training on small images, with collision residuals: a whitening layer and
/// stages of a convolution with max pooling and a residual block (Page 2018, "How to train your ResNet"; with the
/// whitening, the starts and the head of Jordan 2024, arXiv 2404.00498, §3).
///
/// Input `[height, width, channels]`, output `[classes]`: a fixed 2×2 convolution without padding that whitens patches,
/// with a rectifier; three stages (`PoolingStage`); the largest number of all places; a linear layer, times
/// `outputScale`.
///
/// Activations kept for the backward pass: the output of each convolution, pooling and block.
public final class WhitenedResNet: Model {
  public let shape: Shape
  public let capacity: Int
  public let collisions: [CollisionResidual]
  public var inputShape: [Int] { shape.inputShape }
  public var outputShape: [Int] { [shape.classes] }

  private let whitening: WhiteningConvolution
  /// The whitening layer's output, rectified.
  private let whitened: AlignedBuffer<Float>
  private let stages: [PoolingStage]
  private let workspace: BlockWorkspace
  private let pooling: GlobalMaximumPooling
  private let head: Linear
  private let gradients: [AlignedBuffer<Float>]
  private let pooled: AlignedBuffer<Float>
  private let pooledGradient: AlignedBuffer<Float>
  private let prediction: AlignedBuffer<Float>

  /// - Parameters:
  ///   - divide: how many places a particle takes in each stage; 0 leaves the stage without collisions.
  ///   - capacity: the largest batch.
  /// - Throws: a usage error for sizes that cannot be.
  public init(shape: Shape, collision: CollisionOptions, divide: [Int], capacity: Int) throws(KitiError) {
    try shape.check()
    try collision.requireDivide(divide, stages: shape.widths.count, example: Shape.defaultDivide)
    self.shape = shape
    self.capacity = capacity
    whitening = WhiteningConvolution("whitening", inputShape: shape.inputShape)
    let workspace = BlockWorkspace(size: shape.largestBlock, kernels: ConvolutionKernels(capacity: capacity))
    var (stages, input): ([PoolingStage], [Int]) = ([], whitening.outputShape)
    for (index, width) in shape.widths.enumerated() {
      stages.append(
        try PoolingStage(
          "stages/\(index)", inputShape: input, width: width, startsAsIdentity: shape.startsAsIdentity,
          collision: collision, divide: collision.scheme == .none ? 0 : divide[index], index: index,
          workspace: workspace, capacity: capacity))
      input = stages[index].outputShape
    }
    (self.stages, self.workspace) = (stages, workspace)
    collisions = stages.map(\.block.collision).filter { $0.options.scheme != .none }
    pooling = GlobalMaximumPooling(inputShape: input)
    head = Linear("head", inputShape: [input[2]], outputs: shape.classes)
    whitened = AlignedBuffer(count: capacity * whitening.outputShape.reduce(1, *))
    let largest = max(whitened.count, stages.map(\.convolved.count).max()!)
    gradients = (0..<3).map { _ in AlignedBuffer(count: largest) }
    pooled = AlignedBuffer(count: capacity * input[2])
    pooledGradient = AlignedBuffer(count: capacity * input[2])
    prediction = AlignedBuffer(count: capacity * shape.classes)
  }

  public var parameters: [Parameter] { whitening.parameters + stages.flatMap(\.parameters) + head.parameters }
  public var statistics: [Parameter] { whitening.statistics + stages.flatMap(\.statistics) }

  public var summary: [LayerSummary] {
    [LayerSummary("whitening", whitening)] + stages.flatMap(\.summary)
      + [LayerSummary("pooling", pooling), LayerSummary("head", head)]
  }

  public var workspaceBytes: Int {
    let buffers = gradients + [whitened, pooled, pooledGradient, prediction]
    return buffers.reduce(0) { $0 + $1.byteCount } + stages.reduce(0) { $0 + $1.workspaceBytes }
      + workspace.workspaceBytes
  }

  /// Patches of so many images know their covariance far better than the filters need it.
  public var preparationCount: Int { 2_000 }

  public func prepare(from inputs: UnsafePointer<Float>, count: Int) { whitening.fit(to: inputs, count: count) }

  public func forward(_ input: UnsafePointer<Float>, batch: Int, pass: Pass) -> UnsafePointer<Float> {
    let size = whitening.outputShape.reduce(1, *)
    for sample in 0..<batch {
      whitening.forward(input, into: whitened.pointer, samples: sample..<sample + 1, pass: pass)
      let x = whitened.pointer + sample * size
      activate(.relu, x, plus: nil, scale: 0, count: size, into: x, derivative: nil)
    }
    for index in stages.indices { stages[index].forward(self.input(of: index), batch: batch, pass: pass) }
    pooling.forward(stages.last!.block.output.pointer, into: pooled.pointer, samples: 0..<batch, pass: pass)
    head.forward(pooled.pointer, into: prediction.pointer, samples: 0..<batch, pass: pass)
    rescale(prediction.pointer, by: Float(shape.outputScale), count: batch * shape.classes)
    inputOfBatch = input
    return UnsafePointer(prediction.pointer)
  }

  /// What `forward` was given last.
  private var inputOfBatch: UnsafePointer<Float>?

  private func input(of stage: Int) -> UnsafePointer<Float> {
    UnsafePointer((stage == 0 ? whitened : stages[stage - 1].block.output).pointer)
  }

  public func backward(
    outputGradient: UnsafeMutablePointer<Float>, batch: Int, pass: Pass, observer: (any GradientObserver)?
  ) {
    // The store is laid out in reverse: everything up to the end of this parameter is done.
    func announce(_ parameter: Parameter) { observer?.gradientsFinished(parameter.endInStore) }
    var gradients = GradientBuffers(self.gradients)
    headBackward(outputGradient, into: gradients.current, batch: batch, pass: pass)
    announce(head.weight)
    for index in stages.indices.reversed() {
      let finish =
        index == 0 ? GradientFinish(mask: .rectified(whitened.pointer)) : stages[index - 1].block.finish(pass)
      stages[index].backward(
        input(of: index), gradients: &gradients, inputFinish: finish, batch: batch, pass: pass, announce: announce)
    }
    guard let input = inputOfBatch else { return }
    whitening.backward(input, outputGradient: gradients.current, into: nil, samples: 0..<batch, pass: pass)
    announce(whitening.bias)
  }

  /// From the gradient of the output to that of the last block's output, finished as that block needs it.
  private func headBackward(
    _ outputGradient: UnsafeMutablePointer<Float>, into gradient: UnsafeMutablePointer<Float>, batch: Int, pass: Pass
  ) {
    let (block, g) = (stages.last!.block, pooledGradient.pointer)
    rescale(outputGradient, by: Float(shape.outputScale), count: batch * shape.classes)
    head.backward(pooled.pointer, outputGradient: outputGradient, into: g, samples: 0..<batch, pass: pass)
    pooling.backward(block.output.pointer, outputGradient: g, into: gradient, samples: 0..<batch, pass: pass)
    block.finish(gradient, batch: batch, pass: pass)
  }
}

extension WhitenedResNet {
  /// The sizes of the network.
  public struct Shape: Sendable, Equatable {
    public var classes: Int
    /// `[height, width, channels]`
    public var inputShape: [Int]
    /// Channels of each of the three stages.
    public var widths: [Int]
    /// The linear layer's output is multiplied by it: a small one keeps the first steps gentle.
    public var outputScale: Double
    /// Whether 3×3 convolutions start by passing their inputs on.
    public var startsAsIdentity: Bool

    public init(
      classes: Int, inputShape: [Int] = [32, 32, 3], widths: [Int] = Shape.defaultWidths,
      outputScale: Double = Shape.defaultOutputScale, startsAsIdentity: Bool = true
    ) {
      self.classes = classes
      self.inputShape = inputShape
      self.widths = widths
      self.outputScale = outputScale
      self.startsAsIdentity = startsAsIdentity
    }

    public static let defaultWidths = [64, 256, 256]
    public static let defaultOutputScale = 1.0 / 9
    /// How many places a particle takes in each stage, unless told otherwise: for images of 32×32, whose stages have
    /// 15×15, 7×7 and 3×3 places.
    public static let defaultDivide = [9, 7, 1]

    /// Numbers of a sample behind the largest of the stages.
    var largestBlock: Int {
      widths.indices.map { stage in
        ((inputShape[0] - 1) >> (stage + 1)) * ((inputShape[1] - 1) >> (stage + 1)) * widths[stage]
      }.max()!
    }

    /// - Throws: a usage error for sizes that cannot be.
    func check() throws(KitiError) {
      guard widths.count == 3, widths.allSatisfy({ $0 >= 1 }) else {
        throw KitiError(
          .usage, "model.widths \(widths): a WhitenedResNet has three stages of at least one channel.",
          remedy: "Give three numbers, such as \(Self.defaultWidths).")
      }
      // A pixel less behind the whitening layer, then half as many three times.
      guard inputShape.count == 3, inputShape[0] >= 9, inputShape[1] >= 9, inputShape[2] >= 1 else {
        throw KitiError(
          .usage, "model: a WhitenedResNet cannot read samples of the shape \(inputShape).",
          remedy: "Give it images [height, width, channels] of at least 9×9 pixels.")
      }
      guard classes >= 1 else {
        throw KitiError(
          .usage, "model.classes \(classes): a WhitenedResNet cannot have so few.", remedy: "Choose at least 1.")
      }
    }
  }
}
