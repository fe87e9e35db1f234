/// The Fourier neural operator in one dimension (Li et al. 2021, arXiv 2010.08895, §4 and §5.1) with collision residuals.
///
/// Input `[points, 1]`: a periodic field on [0, 1). The grid coordinate s/points joins it as a second channel; a linear
/// layer lifts both to `width`; `blocks` Fourier blocks follow, with an activation after each but the last; a linear layer to
/// `projection` channels, an activation and a linear layer give the output `[points, 1]`.
public final class FNO1D: Model {
  /// The sizes of the network.
  public struct Shape: Sendable, Equatable {
    public var points: Int
    public var width: Int
    public var modes: Int
    public var blocks: Int
    public var projection: Int
    public var activation: ActivationKind

    public init(
      points: Int, width: Int = 64, modes: Int = 16, blocks: Int = 4, projection: Int = 128,
      activation: ActivationKind = .gelu
    ) {
      self.points = points
      self.width = width
      self.modes = modes
      self.blocks = blocks
      self.projection = projection
      self.activation = activation
    }
  }

  public let shape: Shape
  public let capacity: Int
  public let collisions: [CollisionResidual]
  public var inputShape: [Int] { [shape.points, 1] }
  public var outputShape: [Int] { [shape.points, 1] }

  private let lifted: LiftedFourierBlock
  /// All blocks; the first belongs to `lifted`.
  private let blocks: [FourierBlock]
  private let hidden: Linear
  private let hiddenActivation: Activation
  private let output: Linear
  /// All blocks have one shape: they are one stage.
  private let carried: CarriedVelocities?
  /// Output of block l at index l.
  private let states: [AlignedBuffer<Float>]
  private let hiddenValues: AlignedBuffer<Float>
  /// One sample of the hidden layer before its activation; in the backward pass, of its gradient.
  private let hiddenWorkspace: AlignedBuffer<Float>
  private let prediction: AlignedBuffer<Float>
  private let gradient: AlignedBuffer<Float>

  /// - Parameters:
  ///   - divide: how many places a particle takes, for the collisions.
  ///   - capacity: the largest batch.
  /// - Throws: a usage error for sizes that cannot be.
  public init(shape: Shape, collision: CollisionOptions, divide: Int, capacity: Int) throws(KitiError) {
    let sizes = [
      ("points", shape.points), ("width", shape.width), ("blocks", shape.blocks), ("projection", shape.projection),
      ("modes", shape.modes),
    ]
    for (name, size) in sizes where size < 1 {
      throw KitiError(.usage, "model: a Fourier operator with \(name) \(size) cannot be.", remedy: "Choose at least 1.")
    }
    guard shape.modes <= shape.points / 2 + 1 else {
      throw KitiError(
        .usage, "model.modes \(shape.modes) is more than the \(shape.points / 2 + 1) modes that \(shape.points) points have.",
        remedy: "Lower model.modes or use data of a higher resolution.")
    }
    self.shape = shape
    self.capacity = capacity
    let (points, width) = (shape.points, shape.width)
    carried = collision.carry ? CarriedVelocities(size: points * width, capacity: capacity) : nil
    var blocks: [FourierBlock] = []
    for index in 0..<shape.blocks {
      let path = "blocks/\(index)"
      let particles =
        collision.scheme == .none
        ? ParticleLayout(count: 2, pieces: 1, pieceLength: 0, pieceStride: 0, particleStride: 0)
        : try ParticleLayout.divided(places: points, channels: width, divide: divide, layer: "model layer \(path)")
      blocks.append(
        FourierBlock(
          path, points: points, width: width, modes: shape.modes,
          activation: index == shape.blocks - 1 ? nil : shape.activation, particles: particles, collision: collision,
          index: index, capacity: capacity, carried: carried,
          place: .init(isFirst: index == 0, isLast: index == shape.blocks - 1)))
    }
    self.blocks = blocks
    collisions = blocks.map(\.collision).filter { $0.options.scheme != .none }
    lifted = LiftedFourierBlock(
      lift: Linear("lift", inputShape: [points, 2], outputs: width), block: blocks[0], points: points, width: width,
      modes: shape.modes, capacity: capacity)
    hidden = Linear("projection/0", inputShape: [points, width], outputs: shape.projection)
    hiddenActivation = Activation(shape.activation, shape: [points, shape.projection], capacity: capacity)
    output = Linear("projection/1", inputShape: [points, shape.projection], outputs: 1)
    states = (0..<shape.blocks).map { _ in AlignedBuffer(count: capacity * points * width) }
    hiddenValues = AlignedBuffer(count: capacity * points * shape.projection)
    hiddenWorkspace = AlignedBuffer(count: points * shape.projection)
    prediction = AlignedBuffer(count: capacity * points)
    gradient = AlignedBuffer(count: capacity * points * width)
  }

  public var parameters: [Parameter] {
    lifted.lift.parameters + blocks.flatMap(\.parameters) + hidden.parameters + output.parameters
  }

  public var summary: [LayerSummary] {
    var lines = [LayerSummary("lift", lifted.lift)]
    for (index, block) in blocks.enumerated() {
      lines.append(LayerSummary("blocks/\(index)/spectral", block.spectral))
      lines.append(LayerSummary("blocks/\(index)/pointwise", block.pointwise))
      if let activation = block.activation { lines.append(LayerSummary("blocks/\(index)/activation", activation)) }
    }
    lines.append(LayerSummary("projection/0", hidden))
    lines.append(LayerSummary("projection/activation", hiddenActivation))
    lines.append(LayerSummary("projection/1", output))
    return lines
  }

  public var workspaceBytes: Int {
    let buffers = states + [hiddenValues, hiddenWorkspace, prediction, gradient]
    let activations = (shape.blocks - 1) * shape.width + shape.projection
    let spectra = 4 * shape.blocks * shape.modes * shape.width
    return buffers.reduce(0) { $0 + $1.byteCount } + lifted.workspaceBytes + (carried?.workspaceBytes ?? 0)
      + blocks.dropFirst().reduce(0) { $0 + $1.workspaceBytes }
      + 4 * capacity * (activations * shape.points + spectra)
  }

  public func forward(_ input: UnsafePointer<Float>, batch: Int, pass: Pass) -> UnsafePointer<Float> {
    let (points, size) = (shape.points, shape.points * shape.width)
    lifted.prepare()
    for sample in 0..<batch { lifted.begin(sample, input + sample * points) }
    for index in blocks.indices {
      blocks[index].mix(batch: batch)
      for sample in 0..<batch {
        let next = states[index].pointer + sample * size
        if index == 0 {
          lifted.finish(sample, into: next, pass: pass)
        } else {
          blocks[index].finish(sample, states[index - 1].pointer + sample * size, into: next, pass: pass)
        }
        if index + 1 < blocks.count { blocks[index + 1].begin(sample, next) } else { project(sample, next, pass) }
      }
    }
    return UnsafePointer(prediction.pointer)
  }

  public func backward(
    outputGradient: UnsafeMutablePointer<Float>, batch: Int, pass: Pass, observer: (any GradientObserver)?
  ) {
    let (points, size) = (shape.points, shape.points * shape.width)
    hidden.prepareBackward()
    output.prepareBackward()
    lifted.prepareBackward()
    for block in blocks.dropFirst() { block.prepareBackward() }
    for sample in 0..<batch {
      projectBackward(sample, outputGradient + sample * points)
      beginBackward(blocks.count - 1, sample, pass)
    }
    announce(hidden.weight, to: observer)
    for index in blocks.indices.reversed() {
      blocks[index].mixBackward(batch: batch)
      announce(blocks[index].spectral.weight, to: observer)
      for sample in 0..<batch {
        if index > 0 {
          blocks[index].finishBackward(sample, gradient: gradient.pointer + sample * size)
          beginBackward(index - 1, sample, pass)
        } else {
          lifted.finishBackward(sample)
        }
      }
    }
    lifted.endBackward()
    announce(lifted.lift.weight, to: observer)
  }

  private func beginBackward(_ index: Int, _ sample: Int, _ pass: Pass) {
    let offset = sample * shape.points * shape.width
    if index == 0 {
      lifted.beginBackward(sample, gradient: gradient.pointer + offset, pass: pass)
    } else {
      blocks[index].beginBackward(
        sample, states[index - 1].pointer + offset, gradient: gradient.pointer + offset, pass: pass)
    }
  }

  /// The two layers behind the blocks, for one sample of the last block's output.
  private func project(_ sample: Int, _ state: UnsafePointer<Float>, _ pass: Pass) {
    let values = hiddenValues.pointer + sample * shape.points * shape.projection
    hidden.forward(state, into: hiddenWorkspace.pointer, samples: 0..<1, pass: pass)
    hiddenActivation.forward(
      sample, hiddenWorkspace.pointer, plus: nil, scale: 0, into: values, isTraining: pass.isTraining)
    output.forward(values, into: prediction.pointer + sample * shape.points, samples: 0..<1, pass: pass)
  }

  private func projectBackward(_ sample: Int, _ outputGradient: UnsafePointer<Float>) {
    let g = hiddenWorkspace.pointer
    let offset = sample * shape.points * shape.width
    output.backward(
      hiddenValues.pointer + sample * shape.points * shape.projection, outputGradient: outputGradient, into: g,
      samples: 0..<1, prepared: true)
    hiddenActivation.backward(sample, outputGradient: g, into: g)
    hidden.backward(
      states[blocks.count - 1].pointer + offset, outputGradient: g, into: gradient.pointer + offset, samples: 0..<1,
      prepared: true)
  }

  /// The store is laid out in reverse: everything up to the end of this parameter is done.
  private func announce(_ parameter: Parameter, to observer: (any GradientObserver)?) {
    observer?.gradientsFinished(parameter.endInStore)
  }
}
