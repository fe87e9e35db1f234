/// A residual block (He et al. 2016, arXiv 1512.03385, figure 5) read as particles: the shortcut gives positions p, the
/// branch of convolutions gives velocities v behind its last batch norm, which collide before the move: y = max(0, p +
/// v'·dt). With carried velocities the branch gives an acceleration.
///
/// Input `[height, width, in]`, output `[⌈height/stride⌉, ⌈width/stride⌉, out]`. A basic block has two 3×3
/// convolutions, a bottleneck 1×1, 3×3 and 1×1; the first 3×3 has the stride. A batch goes through a convolution as a
/// whole, since batch norm needs it; the end of the block is one pass over each sample.
final class ResidualBlock {
  /// Of all blocks: sizes, and where the block stands.
  struct Form {
    var path: String
    var inputShape: [Int]
    /// Channels of the 3×3 convolutions and of the output.
    var channels: Int
    var outputs: Int
    var stride: Int
    var shortcut: ResNet.Shortcut
    var startsAsShortcut: Bool
    /// Whether the 3×3 convolutions start by passing their inputs on.
    var startsAsIdentity = false
    /// Of all batch norms but the last one of a block that starts as its shortcut.
    var norm = BatchNorm2D.Form()
    var place: CarriedVelocities.Place

    /// `[height, width, channels]` of the output.
    var outputShape: [Int] {
      [(inputShape[0] + stride - 1) / stride, (inputShape[1] + stride - 1) / stride, outputs]
    }
  }

  private enum Shortcut {
    case identity
    /// With the places of the input that it has, where these are not all.
    case projection(NormalizedConvolution, AlignedBuffer<Float>?)
    case padding
  }

  let path: String
  let outputShape: [Int]
  let convolutions: [NormalizedConvolution]
  let collision: CollisionResidual
  /// y, `[capacity] + outputShape`.
  let output: AlignedBuffer<Float>

  private let inputShape: [Int]
  private let stride: Int
  private let shortcut: Shortcut
  private let workspace: BlockWorkspace
  private let timeStep: Float
  private let carried: CarriedVelocities?
  private let place: CarriedVelocities.Place

  /// - Parameters:
  ///   - collision: how particles collide.
  ///   - divide: how many places a particle takes; 0 leaves the block without collisions.
  ///   - index: of the block in the model: part of its collisions' random streams.
  ///   - carried: velocities that pass through the blocks of a stage; nil if each block has its own.
  ///   - workspace: what blocks share, with room for a sample of the output.
  /// - Throws: a usage error for places that do not divide.
  init(
    _ form: Form, collision options: CollisionOptions, divide: Int, index: Int, carried: CarriedVelocities?,
    workspace: BlockWorkspace, capacity: Int
  ) throws(KitiError) {
    path = form.path
    inputShape = form.inputShape
    stride = form.stride
    collision = try Self.collisions(form, options, divide, index, capacity)
    self.carried = carried
    self.workspace = workspace
    timeStep = Float(options.timeStep)
    place = form.place
    var (convolutions, shape): ([NormalizedConvolution], [Int]) = ([], form.inputShape)
    let kernels = form.channels == form.outputs ? [3, 3] : [1, 3, 1]
    for (index, kernel) in kernels.enumerated() {
      let isLast = index == kernels.count - 1
      var norm = form.norm
      if isLast, form.startsAsShortcut { norm.initialScale = 0 }
      let convolution = NormalizedConvolution(
        path: ("\(form.path)/convolution\(index + 1)", "\(form.path)/norm\(index + 1)"), inputShape: shape,
        outputs: isLast ? form.outputs : form.channels, kernel: kernel,
        stride: index == kernels.firstIndex(of: 3) ? form.stride : 1,
        startsAsIdentity: form.startsAsIdentity && kernel == 3, normForm: norm, kernels: workspace.kernels,
        capacity: capacity)
      convolutions.append(convolution)
      shape = convolution.outputShape
    }
    self.convolutions = convolutions
    outputShape = shape
    output = AlignedBuffer(count: capacity * shape.reduce(1, *))
    if shape == form.inputShape {
      shortcut = .identity
    } else if form.shortcut == .padding {
      shortcut = .padding
    } else {
      let sampledShape = [shape[0], shape[1], form.inputShape[2]]
      shortcut = .projection(
        NormalizedConvolution(
          path: ("\(form.path)/shortcut/convolution", "\(form.path)/shortcut/norm"), inputShape: sampledShape,
          outputs: form.outputs, kernel: 1, stride: 1, normForm: form.norm, kernels: workspace.kernels,
          capacity: capacity),
        form.stride > 1 ? AlignedBuffer(count: capacity * sampledShape.reduce(1, *)) : nil)
    }
  }

  private static func collisions(
    _ form: Form, _ options: CollisionOptions, _ divide: Int, _ index: Int, _ capacity: Int
  ) throws(KitiError) -> CollisionResidual {
    var options = options
    if divide == 0 { options.scheme = .none }
    let shape = form.outputShape
    let particles =
      options.scheme == .none
      ? ParticleLayout(count: 2, pieces: 1, pieceLength: 0, pieceStride: 0, particleStride: 0)
      : try ParticleLayout.divided(
        places: shape[0] * shape[1], channels: shape[2], divide: divide, layer: "model layer \(form.path)")
    return CollisionResidual(
      layout: particles, options: options, name: form.path, layerIndex: index, capacity: capacity)
  }

  private var projection: NormalizedConvolution? {
    if case .projection(let projection, _) = shortcut { projection } else { nil }
  }

  /// The first convolution, the shortcut, the other convolutions: the backward pass finishes their gradients in
  /// reverse.
  private var parts: [NormalizedConvolution] {
    [convolutions[0]] + (projection.map { [$0] } ?? []) + convolutions.dropFirst()
  }

  var parameters: [Parameter] { parts.flatMap(\.parameters) }
  var statistics: [Parameter] { parts.flatMap(\.statistics) }
  var summary: [LayerSummary] { parts.flatMap(\.summary) }
  var workspaceBytes: Int {
    var bytes = parts.reduce(0) { $0 + $1.workspaceBytes } + collision.workspaceBytes + output.byteCount
    if case .projection(_, let sampled?) = shortcut { bytes += sampled.byteCount }
    return bytes
  }

  private var places: Int { outputShape[0] * outputShape[1] }
  private var channels: Int { outputShape[2] }
  /// Floats of a sample of the output.
  private var size: Int { places * channels }

  /// Whether velocities are worked on sample by sample, and not in one pass from the last convolution's output to y.
  private func movesBySample(_ pass: Pass) -> Bool { carried != nil || collision.isActive(pass) }

  // MARK: - Forward

  func forward(_ input: UnsafePointer<Float>, batch: Int, pass: Pass) {
    var source = NormalizedValues(input)
    for convolution in convolutions {
      convolution.forward(source, batch: batch, pass: pass)
      source = convolution.normalized
    }
    if case .projection(_, let sampled?) = shortcut {
      for sample in 0..<batch {
        samplePlaces(
          input + sample * inputShape.reduce(1, *), shape: inputShape, stride: stride,
          into: sampled.pointer + sample * places * inputShape[2])
      }
    }
    projection?.forward(shortcutSource(input), batch: batch, pass: pass)
    for sample in 0..<batch {
      let x = input + sample * inputShape.reduce(1, *)
      if collidesInPlace(pass) {
        moveAndCollide(sample, x, pass)
      } else if movesBySample(pass) {
        collideAndMove(sample, x, pass)
      } else {
        move(sample, x)
      }
    }
  }

  /// What a projection reads of a batch, after the forward pass has sampled its places.
  private func shortcutSource(_ input: UnsafePointer<Float>) -> NormalizedValues {
    if case .projection(_, let sampled?) = shortcut { return NormalizedValues(sampled.pointer) }
    return NormalizedValues(input)
  }

  /// The end of the block for one sample; `x` is that of the input.
  private func move(_ sample: Int, _ x: UnsafePointer<Float>) {
    let last = convolutions[convolutions.count - 1]
    let addend: Addend
    switch shortcut {
    case .identity: addend = .values(x)
    case .padding:
      padChannels(x, shape: inputShape, stride: stride, outputs: channels, into: workspace.position.pointer)
      addend = .values(workspace.position.pointer)
    case .projection(let projection, _):
      addend = .normalized(
        projection.output.pointer + sample * size, scale: projection.norm.foldedScale,
        shift: projection.norm.foldedShift)
    }
    normalizeAndRectify(
      last.output.pointer + sample * size, scale: last.norm.foldedScale, shift: last.norm.foldedShift,
      timeStep: timeStep, plus: addend, rows: places, channels: channels, into: output.pointer + sample * size)
  }

  /// All particles move as if none collided; then those that do are moved again.
  private func moveAndCollide(_ sample: Int, _ x: UnsafePointer<Float>, _ pass: Pass) {
    let last = convolutions[convolutions.count - 1]
    collision.measureDrift(sample: sample, pass: pass) { (self.position(sample, x, pass), acceleration(sample)) }
    move(sample, x)
    let position =
      switch shortcut {
      case .identity: NormalizedValues(x)
      case .padding: NormalizedValues(workspace.position.pointer)
      case .projection(let projection, _): projection.normalized.advanced(by: sample * size)
      }
    collision.collide(
      sample: sample,
      after: ParticleMove(
        position: position, velocity: last.normalized.advanced(by: sample * size), timeStep: timeStep,
        output: output.pointer + sample * size), pass: pass)
  }

  private func collideAndMove(_ sample: Int, _ x: UnsafePointer<Float>, _ pass: Pass) {
    let a = acceleration(sample)
    let p = position(sample, x, pass)
    let v = carried?.accelerate(sample, by: a, timeStep: timeStep, place) ?? a
    collision.collide(sample: sample, position: p, velocity: v, pass: pass)
    activate(
      .relu, p, plus: v, scale: timeStep, count: size, into: output.pointer + sample * size, derivative: nil)
  }

  /// The branch's output for one sample, in the workspace.
  private func acceleration(_ sample: Int) -> UnsafeMutablePointer<Float> {
    let last = convolutions[convolutions.count - 1]
    normalize(
      last.output.pointer + sample * size, scale: last.norm.foldedScale, shift: last.norm.foldedShift, rows: places,
      channels: channels, into: workspace.velocity.pointer)
    return workspace.velocity.pointer
  }

  /// The shortcut's output for one sample, in the workspace unless it is the input and stays as it is.
  private func position(_ sample: Int, _ x: UnsafePointer<Float>, _ pass: Pass) -> UnsafeMutablePointer<Float> {
    let p = workspace.position.pointer
    switch shortcut {
    case .identity:
      guard collision.movesPositions(pass) else { return UnsafeMutablePointer(mutating: x) }
      p.update(from: x, count: size)
    case .padding:
      padChannels(x, shape: inputShape, stride: stride, outputs: channels, into: p)
    case .projection(let projection, _):
      normalize(
        projection.output.pointer + sample * size, scale: projection.norm.foldedScale,
        shift: projection.norm.foldedShift, rows: places, channels: channels, into: p)
    }
    return p
  }

  // MARK: - Backward

  /// What the gradient with respect to y needs before `backward`: the rectifier's mask and, where no collision is
  /// between or few particles have collided, the sums for the last batch norm.
  func finish(_ pass: Pass) -> GradientFinish {
    let needsNoSums = movesBySample(pass) && !collidesInPlace(pass)
    return GradientFinish(
      mask: .rectified(output.pointer), sums: needsNoSums ? nil : convolutions[convolutions.count - 1].gradientSums)
  }

  /// Finishes a gradient with respect to y that no convolution's backward pass has made.
  func finish(_ gradient: UnsafeMutablePointer<Float>, batch: Int, pass: Pass) {
    rectifyGradient(gradient, where: output.pointer, count: batch * size)
    guard let sums = finish(pass).sums else { return }
    convolutions[convolutions.count - 1].norm.addSums(gradient, times: sums.factor, samples: 0..<batch, to: sums.sums)
  }

  /// - Parameters:
  ///   - gradients: the current one is with respect to y, finished as `finish` says; afterwards with respect to the
  ///     input.
  ///   - inputFinish: of the input's gradient.
  ///   - announce: hears of a parameter whose gradient, and all before it in the store, are complete.
  func backward(
    _ input: UnsafePointer<Float>, gradients: GradientBuffers, inputFinish: GradientFinish, batch: Int,
    pass: Pass, announce: (Parameter) -> Void
  ) {
    var gradient = gradients.current
    var factor = Double(timeStep)
    var isTurned = collidesInPlace(pass)
    if isTurned {
      turn(gradient, batch: batch)
    } else if movesBySample(pass) {
      for sample in 0..<batch {
        moveBackward(
          sample, gradient: gradients.current + sample * size, into: gradients.second + sample * size, pass: pass)
      }
      (gradient, factor) = (gradients.second, 1)
    }
    for index in convolutions.indices.dropFirst().reversed() {
      let target = gradient == gradients.first ? gradients.second : gradients.first
      convolutions[index].backward(
        convolutions[index - 1].normalized, gradient: gradient, times: factor, into: target,
        finish: convolutions[index - 1].finish, batch: batch, pass: pass)
      announce(convolutions[index].convolution.weight)
      if isTurned { restore(gradient, batch: batch, pass: pass) }
      (gradient, factor, isTurned) = (target, 1, false)
    }
    let free = gradient == gradients.first ? gradients.second : gradients.first
    var finish = inputFinish
    finish.other = shortcutBackward(
      input, gradients.current, free: free, batch: batch, pass: pass, announce: announce)
    if case .identity = shortcut {} else { finish.otherStride = stride }
    convolutions[0].backward(
      NormalizedValues(input), gradient: gradient, into: gradients.current, finish: finish, batch: batch, pass: pass)
    announce(convolutions[0].convolution.weight)
  }

  /// Whether the few particles that collide change in the midst of the others: y after the move, and the gradient of the
  /// move, whose place that of the branch takes while the last convolution needs it.
  private func collidesInPlace(_ pass: Pass) -> Bool { carried == nil && collision.collidesInPlace(pass) }

  /// From the gradient of the move to that of the last batch norm's output, over dt; corrects the sums of the latter.
  private func turn(_ gradient: UnsafeMutablePointer<Float>, batch: Int) {
    let last = convolutions[convolutions.count - 1]
    for sample in 0..<batch {
      collision.turn(
        sample: sample, gradient: gradient + sample * size, times: last.output.pointer + sample * size,
        products: last.norm.gradientSums + channels)
    }
  }

  /// Back to the gradient of the move, and from it to that of the positions.
  private func restore(_ gradient: UnsafeMutablePointer<Float>, batch: Int, pass: Pass) {
    for sample in 0..<batch {
      collision.restore(sample: sample, gradient: gradient + sample * size)
      collision.collideBackward(sample: sample, positionGradient: gradient + sample * size, pass: pass)
    }
  }

  /// From the gradient of the move to that of the last batch norm's output and, with `midpoint`, of the positions, of
  /// one sample; adds up the sums of the former.
  private func moveBackward(
    _ sample: Int, gradient: UnsafeMutablePointer<Float>, into velocityGradient: UnsafeMutablePointer<Float>, pass: Pass
  ) {
    let last = convolutions[convolutions.count - 1]
    velocityGradient.update(from: gradient, count: size)
    if timeStep != 1 { rescale(velocityGradient, by: timeStep, count: size) }
    let g = carried?.gradient(sample, adding: velocityGradient, place) ?? velocityGradient
    collision.collideBackward(sample: sample, velocityGradient: g, pass: pass)
    carried?.accelerationGradient(sample, timeStep: timeStep, into: velocityGradient)
    addChannelSums(
      velocityGradient, times: last.output.pointer + sample * size, rows: places, channels: channels,
      to: last.norm.gradientSums)
    collision.collideBackward(sample: sample, positionGradient: gradient, pass: pass)
  }

  /// The shortcut's part of the gradient of those places of the input that it has: in `free`, unless it is the gradient as it
  /// stands.
  private func shortcutBackward(
    _ input: UnsafePointer<Float>, _ gradient: UnsafeMutablePointer<Float>, free: UnsafeMutablePointer<Float>,
    batch: Int, pass: Pass, announce: (Parameter) -> Void
  ) -> UnsafePointer<Float> {
    switch shortcut {
    case .identity: return UnsafePointer(gradient)
    case .padding:
      padChannelsBackward(gradient, places: batch * places, inputs: inputShape[2], outputs: channels, into: free)
    case .projection(let projection, _):
      projection.norm.addSums(
        gradient, times: projection.output.pointer, samples: 0..<batch, to: projection.norm.gradientSums)
      projection.backward(
        shortcutSource(input), gradient: gradient, into: free, finish: GradientFinish(), batch: batch, pass: pass)
      announce(projection.convolution.weight)
    }
    return UnsafePointer(free)
  }
}

extension CollisionOptions {
  /// - Parameters:
  ///   - divide: how many places a particle takes, for each stage.
  ///   - example: what it might be.
  /// - Throws: a usage error unless there is one number for each stage, or nothing collides.
  func requireDivide(_ divide: [Int], stages: Int, example: [Int]) throws(KitiError) {
    guard scheme == .none || divide.count == stages else {
      throw KitiError(
        .usage, "collision.divide \(divide) has \(divide.count) numbers, but the model has \(stages) stages.",
        remedy: "Give one number for each stage, such as \(example); 0 leaves a stage without collisions.")
    }
  }
}
