/// Layer-wise adaptive rate scaling for large batches (You, Gitman and Ginsburg 2017, arXiv 1708.03888, algorithm 1), with the
/// velocity as in `StochasticGradientDescent`: a sum of gradients that the learning rate multiplies.
///
/// A parameter of two or more dimensions moves with the learning rate times trust · ‖w‖ / (‖g‖ + decay · ‖w‖), its gradient
/// being g + decay · w. Scales, shifts and biases move with the learning rate alone and do not decay, as is customary.
public final class LARS: Optimizer {
  public let momentum: Float
  public let weightDecay: Float
  public let trust: Float

  private let velocity: AlignedBuffer<Float>
  private let parameters: [(range: Range<Int>, isScaled: Bool)]

  public init(store: ParameterStore, momentum: Float = 0.9, weightDecay: Float = 0, trust: Float = 0.001) {
    self.momentum = momentum
    self.weightDecay = weightDecay
    self.trust = trust
    velocity = AlignedBuffer(count: store.count)
    parameters = zip(store.parameters, store.ranges).map { ($1, $0.shape.count > 1) }
  }

  public var state: [(name: String, buffer: AlignedBuffer<Float>)] { [("velocity", velocity)] }

  /// - Parameter range: of whole parameters, whose norms decide.
  public func update(
    values: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>, range: Range<Int>,
    learningRate: Float, step: Int, gradientScale: Float
  ) {
    for (part, isScaled) in parameters where part.overlaps(range) {
      precondition(range.lowerBound <= part.lowerBound && part.upperBound <= range.upperBound, "a range of whole parameters")
      let decay = isScaled ? weightDecay : 0
      var scale: Float = 1
      if isScaled {
        let weightNorm = sumOfSquares(values + part.lowerBound, count: part.count).squareRoot()
        let gradientNorm =
          sumOfSquares(gradients + part.lowerBound, count: part.count).squareRoot() * Double(abs(gradientScale))
        let length = gradientNorm + Double(decay) * weightNorm
        // A parameter that is still zero, or has no gradient, has no scale of its own.
        if weightNorm > 0, length > 0 { scale = Float(Double(trust) * weightNorm / length) }
      }
      let (momentum, u) = (momentum, velocity.pointer)
      forEachRow(part) { at in
        let value = load(values + at)
        let gradient = (load(gradients + at) * gradientScale).addingProduct(value, Vector(repeating: decay)) * scale
        let sum = gradient.addingProduct(load(u + at), Vector(repeating: momentum))
        store(sum, u + at)
        store(value - sum * learningRate, values + at)
        store(Vector(repeating: 0), gradients + at)
      } _: { at in
        u[at] = momentum * u[at] + (gradients[at] * gradientScale + decay * values[at]) * scale
        values[at] -= learningRate * u[at]
        gradients[at] = 0
      }
    }
  }
}
