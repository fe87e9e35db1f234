/// Deep residual networks for small images with collision residuals (He et al. 2016, arXiv 1512.03385).
///
/// Input `[height, width, channels]`, output `[classes]`: a 3×3 convolution with batch norm and rectifier, stages of
/// residual blocks of which all but the first halve height and width and double the channels, the mean over all places,
/// a linear layer. Depth 6n + 2 has three stages from 16 channels (§4.2); 18, 34 and 50 have the blocks of table 1 in
/// four stages from 64 channels, without its 7×7 convolution and pooling, and bottlenecks with the stride in their 3×3
/// convolution.
///
/// Activations kept for the backward pass: the output of each convolution and of each block.
public final class ResNet: Model {
  public let shape: Shape
  public let capacity: Int
  public let collisions: [CollisionResidual]
  public var inputShape: [Int] { shape.inputShape }
  public var outputShape: [Int] { [shape.classes] }

  private let stem: NormalizedConvolution
  /// The stem, normalized and rectified.
  private let stemOutput: AlignedBuffer<Float>
  private let blocks: [ResidualBlock]
  private let pooling: GlobalAveragePooling
  private let dropout: Dropout?
  private let head: Linear
  private let carried: [CarriedVelocities]
  private let workspace: BlockWorkspace
  private let gradients: [AlignedBuffer<Float>]
  /// Mean of the last block's output; the second, where numbers are dropped, what is left of it.
  private let pooled: [AlignedBuffer<Float>]
  private let pooledGradient: AlignedBuffer<Float>
  private let prediction: AlignedBuffer<Float>

  /// - Parameters:
  ///   - divide: how many places a particle takes in each stage; 0 leaves the stage without collisions.
  ///   - capacity: the largest batch.
  /// - Throws: a usage error for sizes that cannot be.
  public init(shape: Shape, collision: CollisionOptions, divide: [Int], capacity: Int) throws(KitiError) {
    try shape.check()
    try collision.requireDivide(divide, stages: shape.blocks.count, example: shape.defaultDivide)
    self.shape = shape
    self.capacity = capacity
    let kernels = ConvolutionKernels(capacity: capacity)
    stem = NormalizedConvolution(
      path: ("stem/convolution", "stem/norm"), inputShape: shape.inputShape, outputs: shape.width, kernel: 3, stride: 1,
      kernels: kernels, capacity: capacity)
    let stages = try Self.stages(
      shape, collision, divide, start: stem.outputShape, kernels: kernels, capacity: capacity)
    (blocks, carried, workspace) = (stages.blocks, stages.carried, stages.workspace)
    collisions = blocks.map(\.collision).filter { $0.options.scheme != .none }
    stemOutput = AlignedBuffer(count: stem.output.count)
    let last = blocks.last!.outputShape
    pooling = GlobalAveragePooling(inputShape: last)
    dropout =
      shape.dropout > 0
      ? Dropout(
        shape: [last[2]], rate: shape.dropout, layerIndex: 0, usesSampleStreams: collision.streams == .sample) : nil
    head = Linear("head", inputShape: [last[2]], outputs: shape.classes)
    let largest = ([stem] + blocks.flatMap(\.convolutions)).map(\.output.count).max()!
    gradients = (0..<3).map { _ in AlignedBuffer(count: largest) }
    pooled = (0..<(shape.dropout > 0 ? 2 : 1)).map { _ in AlignedBuffer(count: capacity * last[2]) }
    pooledGradient = AlignedBuffer(count: capacity * last[2])
    prediction = AlignedBuffer(count: capacity * shape.classes)
  }

  private typealias Stages = (blocks: [ResidualBlock], carried: [CarriedVelocities], workspace: BlockWorkspace)

  private static func stages(
    _ shape: Shape, _ collision: CollisionOptions, _ divide: [Int], start: [Int], kernels: ConvolutionKernels,
    capacity: Int
  ) throws(KitiError) -> Stages {
    let widest = shape.width * (shape.hasBottlenecks ? 4 : 1)
    var stages: Stages = ([], [], BlockWorkspace(size: start[0] * start[1] * widest, kernels: kernels))
    var input = start
    for (stage, count) in shape.blocks.enumerated() {
      let channels = shape.width << stage
      var carried: CarriedVelocities?
      for index in 0..<count {
        let stride = stage > 0 && index == 0 ? 2 : 1
        let form = ResidualBlock.Form(
          path: "stages/\(stage)/\(index)", inputShape: input, channels: channels,
          outputs: shape.hasBottlenecks ? 4 * channels : channels, stride: stride, shortcut: shape.shortcut,
          startsAsShortcut: shape.startsAsShortcuts, place: .init(isFirst: index == 0, isLast: index == count - 1))
        input = form.outputShape
        if collision.carry, index == 0 {
          carried = CarriedVelocities(size: input.reduce(1, *), capacity: capacity)
          stages.carried.append(carried!)
        }
        stages.blocks.append(
          try ResidualBlock(
            form, collision: collision, divide: collision.scheme == .none ? 0 : divide[stage],
            index: stages.blocks.count, carried: carried, workspace: stages.workspace, capacity: capacity))
      }
    }
    return stages
  }

  public var parameters: [Parameter] { stem.parameters + blocks.flatMap(\.parameters) + head.parameters }
  public var statistics: [Parameter] { stem.statistics + blocks.flatMap(\.statistics) }

  public var summary: [LayerSummary] {
    var lines = stem.summary + blocks.flatMap(\.summary)
    lines.append(LayerSummary("pooling", pooling))
    if let dropout { lines.append(LayerSummary("dropout", dropout)) }
    lines.append(LayerSummary("head", head))
    return lines
  }

  public var workspaceBytes: Int {
    let buffers = gradients + pooled + [stemOutput, pooledGradient, prediction]
    return buffers.reduce(0) { $0 + $1.byteCount } + blocks.reduce(0) { $0 + $1.workspaceBytes }
      + carried.reduce(0) { $0 + $1.workspaceBytes } + stem.workspaceBytes + workspace.workspaceBytes
      + (dropout?.workspaceBytes ?? 0)
  }

  public func forward(_ input: UnsafePointer<Float>, batch: Int, pass: Pass) -> UnsafePointer<Float> {
    stem.forward(NormalizedValues(input), batch: batch, pass: pass)
    normalizeAndRectify(
      stem.output.pointer, scale: stem.norm.foldedScale, shift: stem.norm.foldedShift, plus: .nothing,
      rows: batch * stem.outputShape[0] * stem.outputShape[1], channels: stem.outputShape[2], into: stemOutput.pointer)
    for index in blocks.indices { blocks[index].forward(self.input(of: index), batch: batch, pass: pass) }
    pooling.forward(blocks.last!.output.pointer, into: pooled[0].pointer, samples: 0..<batch, pass: pass)
    dropout?.forward(pooled[0].pointer, into: pooled[1].pointer, samples: 0..<batch, pass: pass)
    head.forward(pooled.last!.pointer, into: prediction.pointer, samples: 0..<batch, pass: pass)
    inputOfBatch = input
    return UnsafePointer(prediction.pointer)
  }

  /// What `forward` was given last.
  private var inputOfBatch: UnsafePointer<Float>?

  private func input(of block: Int) -> UnsafePointer<Float> {
    UnsafePointer((block == 0 ? stemOutput : blocks[block - 1].output).pointer)
  }

  public func backward(
    outputGradient: UnsafeMutablePointer<Float>, batch: Int, pass: Pass, observer: (any GradientObserver)?
  ) {
    // The store is laid out in reverse: everything up to the end of this parameter is done.
    func announce(_ parameter: Parameter) { observer?.gradientsFinished(parameter.endInStore) }
    let gradients = GradientBuffers(self.gradients)
    headBackward(outputGradient, into: gradients.current, batch: batch, pass: pass)
    announce(head.weight)
    for index in blocks.indices.reversed() {
      let finish =
        index == 0
        ? GradientFinish(mask: .rectified(stemOutput.pointer), sums: stem.gradientSums) : blocks[index - 1].finish(pass)
      blocks[index].backward(
        input(of: index), gradients: gradients, inputFinish: finish, batch: batch, pass: pass, announce: announce)
    }
    guard let input = inputOfBatch else { return }
    stem.backward(
      NormalizedValues(input), gradient: gradients.current, into: nil, finish: GradientFinish(), batch: batch,
      pass: pass)
    announce(stem.convolution.weight)
  }

  /// From the gradient of the output to that of the last block's output, finished as that block needs it.
  private func headBackward(
    _ outputGradient: UnsafePointer<Float>, into gradient: UnsafeMutablePointer<Float>, batch: Int, pass: Pass
  ) {
    let (last, g) = (blocks[blocks.count - 1], pooledGradient.pointer)
    head.backward(pooled.last!.pointer, outputGradient: outputGradient, into: g, samples: 0..<batch, pass: pass)
    dropout?.backward(pooled[0].pointer, outputGradient: g, into: g, samples: 0..<batch, pass: pass)
    pooling.backward(last.output.pointer, outputGradient: g, into: gradient, samples: 0..<batch, pass: pass)
    last.finish(gradient, batch: batch, pass: pass)
  }
}
