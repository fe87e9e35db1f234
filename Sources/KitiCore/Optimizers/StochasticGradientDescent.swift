/// Stochastic gradient descent with momentum, after Nesterov if asked (Sutskever et al. 2013, §2, in the customary form
/// in which the velocity is a sum of gradients and the learning rate multiplies it).
///
/// Shifts of batch norms may learn `shiftRate` times faster than the rest; their weight decay is as much weaker, so
/// that they decay as fast (Jordan 2024, arXiv 2404.00498, §3.4).
public final class StochasticGradientDescent: Optimizer {
  public let momentum: Float
  public let nesterov: Bool
  public let weightDecay: Float

  let velocity: AlignedBuffer<Float>
  /// The whole store, cut where the rate changes.
  private let parts: [(range: Range<Int>, rate: Float)]

  /// - Parameters:
  ///   - count: floats of the store.
  ///   - shifts: the ranges of the store that learn `shiftRate` times faster, in its order.
  public init(
    count: Int, momentum: Float = 0, nesterov: Bool = false, weightDecay: Float = 0, shifts: [Range<Int>] = [],
    shiftRate: Float = 1
  ) {
    self.momentum = momentum
    self.nesterov = nesterov
    self.weightDecay = weightDecay
    velocity = AlignedBuffer(count: momentum == 0 ? 0 : count)
    var (parts, end): ([(range: Range<Int>, rate: Float)], Int) = ([], 0)
    for range in shiftRate == 1 ? [] : shifts {
      parts += [(end..<range.lowerBound, 1), (range, shiftRate)]
      end = range.upperBound
    }
    self.parts = (parts + [(end..<count, 1)]).filter { !$0.range.isEmpty }
  }

  public var state: [(name: String, buffer: AlignedBuffer<Float>)] {
    momentum == 0 ? [] : [("velocity", velocity)]
  }

  public func update(
    values: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>, range: Range<Int>,
    learningRate: Float, step: Int, gradientScale: Float
  ) {
    for (part, rate) in parts where part.overlaps(range) {
      update(
        values, gradients, part.clamped(to: range), learningRate: learningRate * rate, decay: weightDecay / rate,
        gradientScale: gradientScale)
    }
  }

  private func update(
    _ values: UnsafeMutablePointer<Float>, _ gradients: UnsafeMutablePointer<Float>, _ range: Range<Int>,
    learningRate: Float, decay: Float, gradientScale: Float
  ) {
    let momentum = momentum
    let u = velocity.pointer
    if momentum == 0 {
      forEachRow(range) { at in
        let value = load(values + at)
        let gradient = (load(gradients + at) * gradientScale).addingProduct(value, Vector(repeating: decay))
        store(value - gradient * learningRate, values + at)
        store(Vector(repeating: 0), gradients + at)
      } _: { at in
        values[at] -= learningRate * (gradients[at] * gradientScale + decay * values[at])
        gradients[at] = 0
      }
      return
    }
    let look = nesterov
    forEachRow(range) { at in
      let value = load(values + at)
      let gradient = (load(gradients + at) * gradientScale).addingProduct(value, Vector(repeating: decay))
      let sum = gradient.addingProduct(load(u + at), Vector(repeating: momentum))
      store(sum, u + at)
      let direction = look ? gradient.addingProduct(sum, Vector(repeating: momentum)) : sum
      store(value - direction * learningRate, values + at)
      store(Vector(repeating: 0), gradients + at)
    } _: { at in
      let gradient = gradients[at] * gradientScale + decay * values[at]
      u[at] = momentum * u[at] + gradient
      values[at] -= learningRate * (look ? gradient + momentum * u[at] : u[at])
      gradients[at] = 0
    }
  }
}
