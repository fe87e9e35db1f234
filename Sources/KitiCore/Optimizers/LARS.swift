/// Layer-wise adaptive rate scaling for large batches (You, Gitman and Ginsburg 2017, arXiv 1708.03888, algorithm 1),
/// with the velocity as in `StochasticGradientDescent`: a sum of gradients that the learning rate multiplies.
///
/// A parameter of two or more dimensions moves with the learning rate times trust · ‖w‖ / (‖g‖ + decay · ‖w‖), its
/// gradient being g + decay · w. Scales, shifts and biases move with the learning rate alone and do not decay, as is
/// customary.
///
/// The norms are of whole parameters: `measure` takes them before each step. Where ranks share the store each adds up
/// the squares of its own part, and one sum over the ranks makes norms of them.
public final class LARS: Optimizer {
  public let momentum: Float
  public let weightDecay: Float
  public let trust: Float

  private let velocity: AlignedBuffer<Float>
  private let parts: [Part]
  /// Of each scaled parameter the sum of squares of its weights, then of each that of its gradients.
  private let squares: AlignedBuffer<Double>

  /// A stretch of one parameter that this optimizer updates.
  private struct Part {
    /// In the state arrays.
    var range: Range<Int>
    /// What is added to an index of the state to give one of the store.
    var offset: Int
    /// The parameter's number among the scaled ones; nil for one that moves with the learning rate alone.
    var scaled: Int?
  }

  /// - Parameter shard: what of the store it updates.
  public init(
    store: ParameterStore, shard: OptimizerShard, momentum: Float = 0.9, weightDecay: Float = 0, trust: Float = 0.001
  ) {
    self.momentum = momentum
    self.weightDecay = weightDecay
    self.trust = trust
    velocity = AlignedBuffer(count: shard.count)
    var (parts, scaledCount): ([Part], Int) = ([], 0)
    for (parameter, range) in zip(store.parameters, store.ranges) {
      let scaled = parameter.shape.count > 1 ? scaledCount : nil
      if scaled != nil { scaledCount += 1 }
      for piece in shard.pieces {
        let own = range.clamped(to: piece.range)
        if own.isEmpty { continue }
        let offset = piece.range.lowerBound - piece.stateOffset
        parts.append(Part(range: own.lowerBound - offset..<own.upperBound - offset, offset: offset, scaled: scaled))
      }
    }
    self.parts = parts
    squares = AlignedBuffer(count: 2 * scaledCount)
  }

  public var state: [(name: String, buffer: AlignedBuffer<Float>)] { [("velocity", velocity)] }

  public func measure(
    values: UnsafePointer<Float>, gradients: UnsafePointer<Float>,
    sumOverRanks: (UnsafeMutableBufferPointer<Double>) throws -> Void
  ) throws {
    squares.buffer.update(repeating: 0)
    let half = squares.count / 2
    for part in parts {
      guard let scaled = part.scaled else { continue }
      let (start, count) = (part.range.lowerBound + part.offset, part.range.count)
      squares.pointer[scaled] += sumOfSquares(values + start, count: count)
      squares.pointer[half + scaled] += sumOfSquares(gradients + start, count: count)
    }
    try sumOverRanks(squares.buffer)
  }

  /// Moves by the norms of the last `measure`.
  public func update(
    values: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>, range: Range<Int>,
    learningRate: Float, step: Int, gradientScale: Float
  ) {
    for part in parts where part.range.overlaps(range) {
      let decay = part.scaled == nil ? 0 : weightDecay
      let scale = part.scaled.map { rateScale($0, gradientScale: gradientScale) } ?? 1
      let (momentum, u) = (momentum, velocity.pointer)
      forEachRow(part.range.clamped(to: range)) { at in
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

  /// What multiplies the learning rate of a parameter.
  private func rateScale(_ scaled: Int, gradientScale: Float) -> Float {
    let weightNorm = squares.pointer[scaled].squareRoot()
    let gradientNorm = squares.pointer[squares.count / 2 + scaled].squareRoot() * Double(abs(gradientScale))
    let length = gradientNorm + Double(weightDecay) * weightNorm
    // A parameter that is still zero, or has no gradient, has no scale of its own.
    return weightNorm > 0 && length > 0 ? Float(Double(trust) * weightNorm / length) : 1
  }
}
