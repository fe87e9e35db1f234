/// One named array of a model: trainable numbers, or statistics that training keeps.
///
/// Its memory belongs to the `ParameterStore` that it is laid out in; until then it has none.
public final class Parameter: @unchecked Sendable {
  /// How the numbers start. Uniform ranges follow the layer's source.
  public enum Initialization: Sendable, Equatable {
    case zero
    case constant(Float)
    /// Uniform in [low, high).
    case uniform(low: Float, high: Float)
    /// Normal with mean 0.
    case normal(deviation: Float)
    /// Of a convolution, `[kernel, kernel, in, out]` with an odd kernel: the first outputs pass the inputs on as they
    /// are, and the outputs that there are more of are normal (Jordan 2024, arXiv 2404.00498, §3.3).
    case identity(deviation: Float)
  }

  /// Layer path and name: `blocks/0/pointwise/weight`. Unique in a model, and the path in a checkpoint.
  public let path: String
  public let shape: [Int]
  public let initialization: Initialization
  /// Whether it shifts normalized numbers: an optimizer may give shifts a rate of their own.
  public let isShift: Bool
  /// Whether a batch norm undoes its length, so that only its direction counts; the last dimension is the outputs'.
  public let isScaleInvariant: Bool
  public let count: Int

  /// Set when the parameter is laid out in a store.
  public internal(set) var values: UnsafeMutablePointer<Float>
  public internal(set) var gradients: UnsafeMutablePointer<Float>
  /// Where gradients of samples are added up apart, in double precision; nil where `gradients` are all there is.
  package internal(set) var sampleSums: UnsafeMutablePointer<Double>?
  /// Where it ends in the store, with the gap behind it.
  package internal(set) var endInStore = 0

  public init(
    _ path: String, shape: [Int], initialization: Initialization, isShift: Bool = false,
    isScaleInvariant: Bool = false
  ) {
    self.path = path
    self.shape = shape
    self.initialization = initialization
    self.isShift = isShift
    self.isScaleInvariant = isScaleInvariant
    count = shape.reduce(1, *)
    values = Parameter.unplaced
    gradients = Parameter.unplaced
  }

  /// Samples of a batch that are worked on together: all of them, or one at a time where their gradients are added up
  /// apart.
  package func turns(of samples: Range<Int>) -> SampleTurns {
    SampleTurns(left: samples, length: sampleSums == nil ? samples.count : 1)
  }

  /// Moves what one sample has left in `gradients` to the sums over samples, if they are kept: they do not depend on
  /// which samples are together in a batch but for the last digits of double precision.
  package func takeSample() {
    guard let sampleSums else { return }
    for index in 0..<count {
      sampleSums[index] += Double(gradients[index])
      gradients[index] = 0
    }
  }

  /// A pointer that no access survives, so that a forgotten layout is seen at once.
  private static var unplaced: UnsafeMutablePointer<Float> {
    UnsafeMutablePointer(bitPattern: 0x40)!
  }
}

/// Samples, some at a time.
package struct SampleTurns: Sequence, IteratorProtocol {
  var left: Range<Int>
  var length: Int

  package mutating func next() -> Range<Int>? {
    guard !left.isEmpty else { return nil }
    let turn = left.prefix(length)
    left = left.dropFirst(length)
    return turn
  }
}

/// All parameters of a model in one aligned buffer, all gradients in a second.
///
/// The layout is the order in which the backward pass finishes gradients (the reverse of the forward order), so that
/// finished gradients are a growing prefix. Every parameter starts on a cache line; the gaps hold zeros. Statistics,
/// which have no gradients, follow the parameters in the first buffer.
public final class ParameterStore: @unchecked Sendable {
  /// In the order of the layout.
  public let parameters: [Parameter]
  /// Where each lies in the flat buffers, in the order of `parameters`.
  public let ranges: [Range<Int>]
  /// Arrays without gradients.
  public let statistics: [Parameter]
  /// Where each lies in `values`, in the order of `statistics`.
  public let statisticsRanges: [Range<Int>]
  /// Parameters, then statistics.
  public let values: AlignedBuffer<Float>
  public let gradients: AlignedBuffer<Float>
  /// What the parameters' pointers are to.
  private var sampleSums: AlignedBuffer<Double>?

  /// Lays the parameters out and initializes them.
  ///
  /// - Parameters:
  ///   - parameters: in forward order.
  ///   - statistics: arrays without gradients.
  ///   - seed: of the run; parameter i draws from its own stream, so that its start does not depend on the others.
  public init(_ parameters: [Parameter], statistics: [Parameter] = [], seed: UInt64) {
    self.parameters = parameters.reversed()
    self.statistics = statistics
    var offset = 0
    func place(_ parameter: Parameter) -> Range<Int> {
      defer { offset += (parameter.count + 15) / 16 * 16 }
      return offset..<offset + parameter.count
    }
    ranges = self.parameters.map(place)
    count = offset
    statisticsRanges = statistics.map(place)
    values = AlignedBuffer(count: offset)
    gradients = AlignedBuffer(count: count)
    for (parameter, range) in zip(self.parameters, ranges) {
      parameter.values = values.pointer + range.lowerBound
      parameter.gradients = gradients.pointer + range.lowerBound
      parameter.endInStore = (range.upperBound + 15) / 16 * 16
    }
    for (parameter, range) in zip(statistics, statisticsRanges) {
      parameter.values = values.pointer + range.lowerBound
    }
    for (index, parameter) in (parameters + statistics).enumerated() {
      let numbers = UnsafeMutableBufferPointer(start: parameter.values, count: parameter.count)
      switch parameter.initialization {
      case .zero: numbers.update(repeating: 0)
      case .constant(let value): numbers.update(repeating: value)
      case .uniform(let low, let high):
        let stream = RandomStream(seed: seed, stream: 0, domain: .initialization, index: UInt32(index))
        stream.fillUniforms(numbers, at: .init())
        for position in numbers.indices { numbers[position] = low + (high - low) * numbers[position] }
      case .normal(let deviation), .identity(let deviation):
        let stream = RandomStream(seed: seed, stream: 0, domain: .initialization, index: UInt32(index))
        stream.fillNormals(numbers, at: .init())
        rescale(parameter.values, by: deviation, count: parameter.count)
        if case .identity = parameter.initialization { Self.passInputs(parameter) }
      }
    }
  }

  /// Overwrites the filters of the first outputs with 1 for their own input in the middle of the kernel and 0
  /// elsewhere.
  private static func passInputs(_ weight: Parameter) {
    let (places, inputs, outputs) = (weight.shape[0] * weight.shape[1], weight.shape[2], weight.shape[3])
    for place in 0..<places {
      for input in 0..<inputs {
        for output in 0..<min(inputs, outputs) {
          weight.values[(place * inputs + input) * outputs + output] = place == places / 2 && input == output ? 1 : 0
        }
      }
    }
  }

  /// From now on gradients of samples are added up apart, in this array as long as `gradients`.
  func keepSampleSums(in sums: AlignedBuffer<Double>) {
    sampleSums = sums
    for (parameter, range) in zip(parameters, ranges) { parameter.sampleSums = sums.pointer + range.lowerBound }
  }

  /// Floats of the parameters, gaps included: the length of `gradients`.
  public let count: Int

  /// The statistics with the gaps between them.
  public var statisticsBuffer: UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: values.pointer + count, count: values.count - count)
  }

  /// Trainable numbers, gaps not counted.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.count } }
}
