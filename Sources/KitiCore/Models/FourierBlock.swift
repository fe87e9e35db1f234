/// A block of a Fourier neural operator read as particles: the pointwise convolution gives the positions p, the spectral
/// convolution the velocities v, which collide before the move: z = f(p + v'·dt), with f the activation or nothing. With
/// carried velocities, the spectral convolution gives an acceleration a, and v = (v' of the block before) + a·dt.
///
/// Input and output `[points, width]`. A sample's p and v live in a workspace of one sample: they are made, collide and are
/// used up while they are in the cache.
final class FourierBlock {
  let spectral: SpectralConvolution1D
  let pointwise: Linear
  let collision: CollisionResidual
  let activation: Activation?

  private let points: Int
  private let width: Int
  let position: AlignedBuffer<Float>
  private let velocity: AlignedBuffer<Float>
  private let timeStep: Float
  private let carried: CarriedVelocities?
  private let place: CarriedVelocities.Place

  /// - Parameters:
  ///   - carried: velocities that pass through the blocks of a stage; nil if each block has its own.
  ///   - place: this block's in the stage.
  init(
    _ path: String, points: Int, width: Int, modes: Int, activation kind: ActivationKind?, particles: ParticleLayout,
    collision options: CollisionOptions, index: Int, capacity: Int, carried: CarriedVelocities? = nil,
    place: CarriedVelocities.Place = .init(isFirst: true, isLast: true)
  ) {
    self.points = points
    self.width = width
    timeStep = Float(options.timeStep)
    self.carried = carried
    self.place = place
    spectral = SpectralConvolution1D(
      "\(path)/spectral", inputShape: [points, width], outputs: width, modes: modes, capacity: capacity)
    pointwise = Linear("\(path)/pointwise", inputShape: [points, width], outputs: width)
    collision = CollisionResidual(
      layout: particles, options: options, name: path, layerIndex: index, capacity: capacity)
    activation = kind.map { Activation($0, shape: [points, width], capacity: capacity) }
    position = AlignedBuffer(count: points * width)
    velocity = AlignedBuffer(count: points * width)
  }

  /// In the order in which the forward pass needs them; the backward pass finishes them in reverse.
  var parameters: [Parameter] { spectral.parameters + pointwise.parameters }

  var workspaceBytes: Int {
    collision.workspaceBytes + position.byteCount + velocity.byteCount
  }

  // A batch goes through a block sample by sample, then mode by mode, then sample by sample: the steps are separate so that
  // the model can end one block and begin the next on a sample while it is in the cache.

  /// Forward step 1: the spectrum of one sample of the input.
  func begin(_ sample: Int, _ input: UnsafePointer<Float>) { spectral.analyze(sample, input) }

  /// Forward step 2: mixes the channels of each mode, for the whole batch.
  func mix(batch: Int) { spectral.mix(0..<batch) }

  /// Forward step 3: one sample of the output. The pointers are to this sample.
  func finish(_ sample: Int, _ input: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, pass: Pass) {
    pointwise.forward(input, into: position.pointer, samples: 0..<1, pass: pass)
    move(sample, into: output, pass: pass)
  }

  /// The second half of step 3: velocities, collisions and the move, with the positions in their workspace.
  func move(_ sample: Int, into output: UnsafeMutablePointer<Float>, pass: Pass) {
    let p = position.pointer
    let v = collision.collide(sample: sample, position: p, pass: pass) {
      spectral.synthesize(sample, into: velocity.pointer)
      return carried?.accelerate(sample, by: velocity.pointer, timeStep: timeStep, place) ?? velocity.pointer
    }
    if let activation {
      activation.forward(sample, p, plus: v, scale: timeStep, into: output, isTraining: pass.isTraining)
    } else {
      add(p, v, scale: timeStep, count: points * width, into: output)
    }
  }

  /// Backward step 0, once for the batch.
  func prepareBackward() { pointwise.prepareBackward() }

  /// Backward step 1: all but the spectral part of the input's gradient, in place of the output's.
  func beginBackward(
    _ sample: Int, _ input: UnsafePointer<Float>, gradient: UnsafeMutablePointer<Float>, pass: Pass
  ) {
    let g = positionGradient(sample, of: gradient, pass: pass)
    pointwise.backward(input, outputGradient: g, into: gradient, samples: 0..<1, prepared: true)
    moveBackward(sample, pass: pass)
  }

  /// The gradient with respect to the positions; that with respect to the move goes to the workspace where `moveBackward`
  /// expects it.
  func positionGradient(_ sample: Int, of gradient: UnsafePointer<Float>, pass: Pass) -> UnsafePointer<Float> {
    if let activation {
      activation.backward(sample, outputGradient: gradient, into: velocity.pointer)
    } else {
      velocity.pointer.update(from: gradient, count: points * width)
    }
    guard collision.movesPositions(pass) else { return UnsafePointer(velocity.pointer) }
    position.pointer.update(from: velocity.pointer, count: points * width)
    collision.collideBackward(sample: sample, positionGradient: position.pointer, pass: pass)
    return UnsafePointer(position.pointer)
  }

  /// From the gradient of the move to that of the output spectrum.
  func moveBackward(_ sample: Int, pass: Pass) {
    let g = velocity.pointer
    if timeStep != 1 { rescale(g, by: timeStep, count: points * width) }
    let velocityGradient = carried?.gradient(sample, adding: g, place) ?? g
    collision.collideBackward(sample: sample, velocityGradient: velocityGradient, pass: pass)
    carried?.accelerationGradient(sample, timeStep: timeStep, into: g)
    spectral.analyzeGradient(sample, g)
  }

  /// Backward step 2: gradients of the spectral weights and of the modes, for the whole batch. After it the gradients
  /// of all parameters of the block are complete.
  func mixBackward(batch: Int) { spectral.mixBackward(0..<batch, needsInputGradient: true) }

  /// Backward step 3: adds the spectral part to the input's gradient.
  func finishBackward(_ sample: Int, gradient: UnsafeMutablePointer<Float>) {
    spectral.synthesizeGradient(sample, into: gradient, accumulate: true)
  }
}
