import KitiCore

/// The Fourier neural operator in double precision, one sample at a time, with the collisions that the model has drawn.
struct ReferenceNetwork {
  let shape: FNO1D.Shape
  let particles: Particles?
  let options: CollisionOptions
  /// Names in forward order.
  let paths: [String]

  init(_ model: FNO1D, particles: Particles? = nil, options: CollisionOptions = .init()) {
    shape = model.shape
    self.particles = particles
    self.options = options
    paths = model.parameters.map(\.path)
  }

  /// - Parameters:
  ///   - parameters: in forward order.
  ///   - collisions: those of each block, for this sample.
  func output(_ field: [Double], _ parameters: [[Double]], collisions: [[Collision]]) -> [Double] {
    let width = shape.width
    func affine(_ path: String, _ x: [Double], _ inputs: Int, _ outputs: Int) -> [Double] {
      Reference.linear(
        x, inputs: inputs, outputs: outputs, weight: parameters[paths.firstIndex(of: "\(path)/weight")!],
        bias: parameters[paths.firstIndex(of: "\(path)/bias")!])
    }
    let lifted = field.enumerated().flatMap { [$0.element, Double($0.offset) / Double(shape.points)] }
    var state = affine("lift", lifted, 2, width)
    var carried = [Double](repeating: 0, count: shape.points * width)
    for block in 0..<shape.blocks {
      var positions = affine("blocks/\(block)/pointwise", state, width, width)
      var velocities = Reference.spectral(
        state, points: shape.points, inputs: width, outputs: width, modes: shape.modes,
        weight: parameters[paths.firstIndex(of: "blocks/\(block)/spectral/weight")!])
      if options.carry { velocities = zip(carried, velocities).map { $0 + options.timeStep * $1 } }
      if let particles {
        // A matching is a dense collision with single partners.
        let pairs = collisions[block]
        let weights = Reference.weights(pairs, particles.count, options.weights)
        velocities = Reference.exchanged(velocities, particles, pairs, weights)
        if options.midpoint { positions = Reference.exchanged(positions, particles, pairs, weights, turns: false) }
      }
      carried = velocities
      state = zip(positions, velocities).map { $0 + options.timeStep * $1 }
      if block + 1 < shape.blocks { state = Reference.activation(shape.activation, state) }
    }
    let hidden = Reference.activation(shape.activation, affine("projection/0", state, width, shape.projection))
    return affine("projection/1", hidden, shape.projection, 1)
  }
}

/// A model with its store, a loss and a batch.
final class ModelRig: NetworkRig {
  let model: FNO1D
  let store: ParameterStore
  let input: GuardedArray
  let target: GuardedArray
  let gradient: GuardedArray
  private let sampleSize: Int

  init(
    _ shape: FNO1D.Shape, collision: CollisionOptions = .init(scheme: .none), divide: Int = 1, capacity: Int,
    seed: Int = 1
  ) throws {
    model = try FNO1D(shape: shape, collision: collision, divide: divide, capacity: capacity)
    store = ParameterStore(model.parameters, seed: UInt64(seed))
    sampleSize = shape.points
    var numbers = TestNumbers(seed)
    // Weights of a network in use: the starts of the spectral weights are nearly nothing in small networks.
    for parameter in model.parameters where parameter.path.hasSuffix("spectral/weight") {
      for index in 0..<parameter.count {
        parameter.values[index] = Float(numbers.normal()) * 0.5 / Float(shape.width).squareRoot()
      }
    }
    input = GuardedArray(numbers.normals(capacity * shape.points))
    target = GuardedArray(numbers.normals(capacity * shape.points))
    gradient = GuardedArray(count: capacity * shape.points)
  }

  func forward(batch: Int, pass: Pass, first: Int = 0) -> [Float] {
    let prediction = model.forward(input.pointer + first * sampleSize, batch: batch, pass: pass)
    return Array(UnsafeBufferPointer(start: prediction, count: batch * sampleSize))
  }

  @discardableResult
  func step(batch: Int, pass: Pass, first: Int, samples: Int?, observer: (any GradientObserver)?) -> Double {
    let samples = samples ?? batch
    let prediction = model.forward(input.pointer + first * sampleSize, batch: batch, pass: pass)
    let sum = RelativeL2().sum(
      prediction: prediction, target: target.pointer + first * sampleSize, batch: batch, size: sampleSize,
      scale: 1 / Float(samples), gradient: gradient.pointer)
    model.backward(outputGradient: gradient.pointer, batch: batch, pass: pass, observer: observer)
    return sum / Double(samples)
  }
}
