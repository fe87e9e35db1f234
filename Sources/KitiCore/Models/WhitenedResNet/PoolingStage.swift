/// A stage that halves an image: a 3×3 convolution z, the largest number p of each 2×2 window, batch norm and
/// rectifier, then a residual block of two 3×3 convolutions whose branch collides.
///
/// Input `[height, width, in]`, output `[⌊height/2⌋, ⌊width/2⌋, width of the stage]`. Pooling comes before the batch
/// norm, which then has a quarter of the numbers to work on; its sums are taken while a pooled sample is in the cache.
final class PoolingStage {
  /// z, `[capacity, height, width, channels]`.
  let convolved: AlignedBuffer<Float>
  let block: ResidualBlock
  var outputShape: [Int] { block.outputShape }

  /// Jordan 2024, listing 4: a run has few steps, so that running statistics have to be quick; and its rate and weight
  /// decay, which convolutions before a batch norm need, would draw a learned scale to 0.
  private static let norm = BatchNorm2D.Form(learnsScale: false, momentum: 0.4)

  private let path: String
  private let convolution: Convolution2D
  private let pooling: Pooling2D
  private let norm: BatchNorm2D
  private let carried: CarriedVelocities?
  /// p, and what the block reads: normalized and rectified.
  private let pooled: AlignedBuffer<Float>
  private let rectified: AlignedBuffer<Float>

  /// - Parameters:
  ///   - divide: how many places a particle takes; 0 leaves the stage without collisions.
  ///   - index: of the stage in the model.
  ///   - workspace: what stages share, with room for a sample of the output.
  /// - Throws: a usage error for places that do not divide.
  init(
    _ path: String, inputShape: [Int], width: Int, startsAsIdentity: Bool, collision: CollisionOptions, divide: Int,
    index: Int, workspace: BlockWorkspace, capacity: Int
  ) throws(KitiError) {
    self.path = path
    convolution = Convolution2D(
      "\(path)/convolution", inputShape: inputShape, outputs: width, kernel: 3, startsAsIdentity: startsAsIdentity,
      kernels: workspace.kernels)
    pooling = Pooling2D(.maximum, inputShape: convolution.outputShape, kernel: 2)
    norm = BatchNorm2D("\(path)/norm", shape: pooling.outputShape, form: Self.norm)
    let size = pooling.outputShape.reduce(1, *)
    carried = collision.carry ? CarriedVelocities(size: size, capacity: capacity) : nil
    block = try ResidualBlock(
      ResidualBlock.Form(
        path: "\(path)/block", inputShape: pooling.outputShape, channels: width, outputs: width, stride: 1,
        shortcut: .projection, startsAsShortcut: false, startsAsIdentity: startsAsIdentity,
        norm: Self.norm, place: .init(isFirst: true, isLast: true)),
      collision: collision, divide: divide, index: index, carried: carried, workspace: workspace, capacity: capacity)
    convolved = AlignedBuffer(count: capacity * convolution.shape.outputSize)
    pooled = AlignedBuffer(count: capacity * size)
    rectified = AlignedBuffer(count: capacity * size)
  }

  var parameters: [Parameter] { convolution.parameters + norm.parameters + block.parameters }
  var statistics: [Parameter] { norm.statistics + block.statistics }
  var summary: [LayerSummary] {
    [
      LayerSummary("\(path)/convolution", convolution), LayerSummary("\(path)/pooling", pooling),
      LayerSummary("\(path)/norm", norm),
    ] + block.summary
  }
  var workspaceBytes: Int {
    norm.workspaceBytes + block.workspaceBytes + convolved.byteCount + pooled.byteCount
      + rectified.byteCount + (carried?.workspaceBytes ?? 0)
  }

  private var places: Int { outputShape[0] * outputShape[1] }
  private var channels: Int { outputShape[2] }
  /// Floats of a sample of the output.
  private var size: Int { places * channels }

  func forward(_ input: UnsafePointer<Float>, batch: Int, pass: Pass) {
    let sums = norm.startSums()
    convolution.forward(NormalizedValues(input), into: convolved.pointer, samples: batch, sums: nil)
    for sample in 0..<batch {
      pooling.forward(convolved.pointer, into: pooled.pointer, samples: sample..<sample + 1, pass: pass)
      guard pass.isTraining else { continue }
      let p = pooled.pointer + sample * size
      addChannelSums(p, times: p, rows: places, channels: channels, to: sums)
    }
    norm.fold(pooled.pointer, samples: batch, pass: pass)
    normalizeAndRectify(
      pooled.pointer, scale: norm.foldedScale, shift: norm.foldedShift, plus: .nothing, rows: batch * places,
      channels: channels, into: rectified.pointer)
    block.forward(rectified.pointer, batch: batch, pass: pass)
  }

  /// - Parameters:
  ///   - gradients: the current one is with respect to the output, finished as the block says; afterwards with respect
  ///     to the input.
  ///   - inputFinish: of the input's gradient.
  ///   - announce: hears of a parameter whose gradient, and all before it in the store, are complete.
  func backward(
    _ input: UnsafePointer<Float>, gradients: inout GradientBuffers, inputFinish: GradientFinish, batch: Int,
    pass: Pass, announce: (Parameter) -> Void
  ) {
    let normFinish = GradientFinish(
      mask: .rectified(rectified.pointer),
      sums: GradientFinish.Sums(factor: pooled.pointer, sums: norm.gradientSums))
    block.backward(
      rectified.pointer, gradients: gradients, inputFinish: normFinish, batch: batch, pass: pass, announce: announce)
    let folded = norm.foldBackward(pooled.pointer, pass: pass)
    for sample in 0..<batch {
      let g = gradients.current + sample * size
      normalizeGradient(
        g, gradientScale: folded.gradientScale, folded.output + sample * size, outputScale: folded.outputScale,
        shift: folded.shift, rows: places, channels: channels, into: g)
      pooling.backward(
        convolved.pointer, outputGradient: gradients.current, into: gradients.first, samples: sample..<sample + 1,
        pass: pass)
    }
    convolution.backward(
      NormalizedValues(input), gradient: ConvolutionGradient(gradients.first), into: gradients.second,
      finish: inputFinish, samples: batch)
    announce(convolution.weight)
    gradients.takeSecond()
  }
}
