/// A block of a Fourier neural operator read as particles: the pointwise convolution gives the positions p, the spectral
/// convolution the velocities v, which collide before the move: z = f(p + v'·dt), with f the activation or nothing.
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
  private let position: AlignedBuffer<Float>
  private let velocity: AlignedBuffer<Float>
  private let timeStep: Float

  init(
    _ path: String, points: Int, width: Int, modes: Int, activation kind: ActivationKind?, particles: ParticleLayout,
    collision options: CollisionOptions, index: Int, capacity: Int
  ) {
    self.points = points
    self.width = width
    timeStep = Float(options.timeStep)
    spectral = SpectralConvolution1D(
      "\(path)/spectral", inputShape: [points, width], outputs: width, modes: modes, capacity: capacity)
    pointwise = Linear("\(path)/pointwise", inputShape: [points, width], outputs: width)
    collision = CollisionResidual(layout: particles, options: options, layerIndex: index, capacity: capacity)
    activation = kind.map { Activation($0, shape: [points, width], capacity: capacity) }
    position = AlignedBuffer(count: points * width)
    velocity = AlignedBuffer(count: points * width)
  }

  /// In the order in which the forward pass needs them; the backward pass finishes them in reverse.
  var parameters: [Parameter] { spectral.parameters + pointwise.parameters }

  var workspaceBytes: Int {
    collision.workspaceBytes + position.byteCount + velocity.byteCount
  }

  func forward(
    _ input: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, batch: Int, pass: Pass
  ) {
    let size = points * width
    let (p, v) = (position.pointer, velocity.pointer)
    for sample in 0..<batch { spectral.analyze(sample, input + sample * size) }
    spectral.mix(0..<batch)
    for sample in 0..<batch {
      spectral.synthesize(sample, into: v)
      pointwise.forward(input + sample * size, into: p, samples: 0..<1, pass: pass)
      collision.collide(sample: sample, position: p, velocity: v, pass: pass)
      let target = output + sample * size
      if let activation {
        activation.forward(sample, p, plus: v, scale: timeStep, into: target, isTraining: pass.isTraining)
      } else {
        add(p, v, scale: timeStep, count: size, into: target)
      }
    }
  }

  /// - Parameter gradient: of the output on entry, of the input on return.
  func backward(
    _ input: UnsafePointer<Float>, gradient: UnsafeMutablePointer<Float>, batch: Int, pass: Pass
  ) {
    let size = points * width
    let g = velocity.pointer
    pointwise.prepareBackward()
    for sample in 0..<batch {
      let target = gradient + sample * size
      if let activation {
        activation.backward(sample, outputGradient: target, into: g)
      } else {
        g.update(from: target, count: size)
      }
      pointwise.backward(input + sample * size, outputGradient: g, into: target, samples: 0..<1, prepared: true)
      if timeStep != 1 { rescale(g, by: timeStep, count: size) }
      collision.collideBackward(sample: sample, velocityGradient: g, pass: pass)
      spectral.analyzeGradient(sample, g)
    }
    spectral.mixBackward(0..<batch, needsInputGradient: true)
    for sample in 0..<batch {
      spectral.synthesizeGradient(sample, into: gradient + sample * size, accumulate: true)
    }
  }
}
