import KitiCore

/// A residual network with its store, a loss and batches of images, all by the formulas of the fixtures.
final class ResNetRig {
  let model: ResNet
  let store: ParameterStore
  let input: GuardedArray
  let target: GuardedArray
  let gradient: GuardedArray
  var loss = SoftmaxCrossEntropy()
  private var inputSize: Int { model.inputShape.reduce(1, *) }
  private var classes: Int { model.shape.classes }

  /// - Parameter batches: how many different batches of `capacity` samples there are.
  init(
    _ shape: ResNet.Shape, collision: CollisionOptions = .init(scheme: .none), divide: [Int] = [], capacity: Int,
    batches: Int = 1
  ) throws {
    model = try ResNet(shape: shape, collision: collision, divide: divide, capacity: capacity)
    store = ParameterStore(model, seed: 1)
    for (stream, parameter) in model.parameters.enumerated() {
      let (offset, bound): (Double, Double)
      if parameter.shape.count == 4 {
        let outgoing = parameter.shape[0] * parameter.shape[1] * parameter.shape[3]
        (offset, bound) = (0, (6 / Double(outgoing)).squareRoot())
      } else if parameter.path == "head/weight" {
        (offset, bound) = (0, (1 / Double(parameter.shape[0])).squareRoot())
      } else {
        (offset, bound) = (parameter.path.hasSuffix("scale") ? 1 : 0, 0.1)
      }
      let numbers = Self.numbers(stream: stream, count: parameter.count, bound: bound, offset: offset)
      for index in numbers.indices { parameter.values[index] = numbers[index] }
    }
    let size = shape.inputShape.reduce(1, *)
    input = GuardedArray(
      (0..<batches).flatMap { Self.numbers(stream: 1_000 + $0, count: capacity * size, bound: 3.0.squareRoot()) })
    target = GuardedArray(
      (0..<batches).flatMap { batch in
        (0..<capacity).map { Float(Int(Self.word(stream: 2_000 + batch, $0) >> 8) % shape.classes) }
      })
    gradient = GuardedArray(count: capacity * shape.classes)
  }

  /// As `formula_words` of scripts/reference/images.py.
  private static func word(stream: Int, _ index: Int) -> UInt32 {
    var x = UInt32(truncatingIfNeeded: index) &+ UInt32(truncatingIfNeeded: stream &* 0x9E37_79B9)
    x = (x ^ (x >> 16)) &* 0x7FEB_352D
    x = (x ^ (x >> 15)) &* 0x846C_A68B
    return x ^ (x >> 16)
  }

  private static func numbers(stream: Int, count: Int, bound: Double, offset: Double = 0) -> [Float] {
    (0..<count).map { Float(offset + bound * (Double(word(stream: stream, $0) >> 8) / 0x1p23 - 1)) }
  }

  func forward(batch: Int, pass: Pass, first: Int = 0) -> [Float] {
    let prediction = model.forward(input.pointer + first * inputSize, batch: batch, pass: pass)
    return Array(UnsafeBufferPointer(start: prediction, count: batch * classes))
  }

  /// Forward, loss (the mean of `samples`) and backward; returns the sum of the losses divided by `samples`.
  @discardableResult
  func step(
    batch: Int, pass: Pass, first: Int = 0, samples: Int? = nil, observer: (any GradientObserver)? = nil
  ) -> Double {
    let samples = samples ?? batch
    let prediction = model.forward(input.pointer + first * inputSize, batch: batch, pass: pass)
    let sum = loss.sum(
      prediction: prediction, target: target.pointer + first, batch: batch, classes: classes,
      scale: 1 / Float(samples), gradient: gradient.pointer)
    model.backward(outputGradient: gradient.pointer, batch: batch, pass: pass, observer: observer)
    return sum.loss / Double(samples)
  }

  func values(_ parameter: Parameter) -> [Float] { (0..<parameter.count).map { parameter.values[$0] } }
  func gradients(_ parameter: Parameter) -> [Float] { (0..<parameter.count).map { parameter.gradients[$0] } }
  var allGradients: [Float] { Array(store.gradients.buffer) }

  func clearGradients() { store.gradients.buffer.update(repeating: 0) }
}
