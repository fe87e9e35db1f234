import KitiCore

/// A network for images with its store, a loss and batches, all by the formulas of the fixtures.
class ImageRig: NetworkRig {
  private let network: any Model
  let store: ParameterStore
  let input: GuardedArray
  let target: GuardedArray
  let gradient: GuardedArray
  var loss = SoftmaxCrossEntropy()
  private let inputSize: Int
  private let classes: Int

  /// - Parameter batches: how many different batches of as many samples as the model takes there are.
  init(_ model: any Model, batches: Int = 1) {
    network = model
    let capacity = model.capacity
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
    let (size, classes) = (model.inputShape.reduce(1, *), model.outputShape[0])
    (inputSize, self.classes) = (size, classes)
    input = GuardedArray(
      (0..<batches).flatMap { Self.numbers(stream: 1_000 + $0, count: capacity * size, bound: 3.0.squareRoot()) })
    target = GuardedArray(
      (0..<batches).flatMap { batch in
        (0..<capacity).map { Float(Int(Self.word(stream: 2_000 + batch, $0) >> 8) % classes) }
      })
    gradient = GuardedArray(count: capacity * classes)
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
    let prediction = network.forward(input.pointer + first * inputSize, batch: batch, pass: pass)
    return Array(UnsafeBufferPointer(start: prediction, count: batch * classes))
  }

  @discardableResult
  func step(batch: Int, pass: Pass, first: Int, samples: Int?, observer: (any GradientObserver)?) -> Double {
    let samples = samples ?? batch
    let prediction = network.forward(input.pointer + first * inputSize, batch: batch, pass: pass)
    let sum = loss.sum(
      prediction: prediction, target: target.pointer + first, batch: batch, classes: classes,
      scale: 1 / Float(samples), gradient: gradient.pointer)
    network.backward(outputGradient: gradient.pointer, batch: batch, pass: pass, observer: observer)
    return sum.loss / Double(samples)
  }
}

final class ResNetRig: ImageRig {
  let model: ResNet

  init(
    _ shape: ResNet.Shape, collision: CollisionOptions = .init(scheme: .none), divide: [Int] = [], capacity: Int,
    batches: Int = 1
  ) throws {
    model = try ResNet(shape: shape, collision: collision, divide: divide, capacity: capacity)
    super.init(model, batches: batches)
  }
}

final class WhitenedResNetRig: ImageRig {
  let model: WhitenedResNet

  init(
    _ shape: WhitenedResNet.Shape, collision: CollisionOptions = .init(scheme: .none), divide: [Int] = [], capacity: Int
  ) throws {
    model = try WhitenedResNet(shape: shape, collision: collision, divide: divide, capacity: capacity)
    super.init(model)
  }
}
