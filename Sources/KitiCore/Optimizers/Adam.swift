import Glibc

/// Adam (Kingma and Ba, arXiv 1412.6980, algorithm 1), and AdamW (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2).
///
/// With `decoupled: false` weight decay is added to the gradient; with true the parameters shrink by
/// learningRate · weightDecay apart from it.
public final class Adam: Optimizer {
  public let beta1: Float
  public let beta2: Float
  public let epsilon: Float
  public let weightDecay: Float
  public let decoupled: Bool

  private let mean: AlignedBuffer<Float>
  private let square: AlignedBuffer<Float>

  public init(
    count: Int, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 0,
    decoupled: Bool = false
  ) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.decoupled = decoupled
    mean = AlignedBuffer(count: count)
    square = AlignedBuffer(count: count)
  }

  public var state: [(name: String, buffer: AlignedBuffer<Float>)] { [("mean", mean), ("square", square)] }

  public func update(
    values: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>, range: Range<Int>,
    learningRate: Float, step: Int, gradientScale: Float
  ) {
    let meanCorrection = 1 - pow(Double(beta1), Double(step))
    let squareCorrection = 1 - pow(Double(beta2), Double(step))
    let rate = Float(Double(learningRate) / meanCorrection)
    let rootScale = Float(1 / squareCorrection.squareRoot())
    let shrink = decoupled ? 1 - learningRate * weightDecay : 1
    let decay = decoupled ? 0 : weightDecay
    let (m, s) = (mean.pointer, square.pointer)
    let (beta1, beta2, epsilon) = (beta1, beta2, epsilon)
    forEachRow(range) { at in
      let value = load(values + at)
      let gradient = (load(gradients + at) * gradientScale).addingProduct(value, Vector(repeating: decay))
      let first = load(m + at) * beta1 + gradient * (1 - beta1)
      let second = load(s + at) * beta2 + gradient * gradient * (1 - beta2)
      store(first, m + at)
      store(second, s + at)
      store(value * shrink - first * rate / (squareRoot(second) * rootScale + epsilon), values + at)
      store(Vector(repeating: 0), gradients + at)
    } _: { at in
      let gradient = gradients[at] * gradientScale + decay * values[at]
      m[at] = m[at] * beta1 + gradient * (1 - beta1)
      s[at] = s[at] * beta2 + gradient * gradient * (1 - beta2)
      values[at] = values[at] * shrink - m[at] * rate / (s[at].squareRoot() * rootScale + epsilon)
      gradients[at] = 0
    }
  }
}
