/// A linear map of the channels, the same at every place (a pointwise, or 1×1, convolution): y = x·W + b.
///
/// Input `[places…, in]`, output `[places…, out]`; `weight` `[in, out]`, `bias` `[out]`, both starting uniform in
/// ±1/√in (He et al. 2015 with a = √5, the customary default).
public final class Linear: Layer {
  public let inputShape: [Int]
  public let outputShape: [Int]
  public let weight: Parameter
  public let bias: Parameter

  private let places: Int
  private let inputs: Int
  private let outputs: Int
  private let transposedWeight: AlignedBuffer<Float>
  private let transposedGradient: AlignedBuffer<Float>

  /// - Parameters:
  ///   - path: of the layer in the model.
  ///   - inputShape: `[places…, in]`.
  public init(_ path: String, inputShape: [Int], outputs: Int) {
    inputs = inputShape.last!
    places = inputShape.dropLast().reduce(1, *)
    self.outputs = outputs
    self.inputShape = inputShape
    outputShape = inputShape.dropLast() + [outputs]
    let bound = 1 / Float(inputs).squareRoot()
    weight = Parameter("\(path)/weight", shape: [inputs, outputs], initialization: .uniform(low: -bound, high: bound))
    bias = Parameter("\(path)/bias", shape: [outputs], initialization: .uniform(low: -bound, high: bound))
    transposedWeight = AlignedBuffer(count: inputs * outputs)
    transposedGradient = AlignedBuffer(count: outputs < 8 ? inputs * outputs : 0)
  }

  public var parameters: [Parameter] { [weight, bias] }
  public var operationsPerSample: Int { 2 * places * inputs * outputs }

  public func forward(
    _ input: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, samples: Range<Int>, pass: Pass
  ) {
    for samples in weight.turns(of: samples) {
      let rows = samples.count * places
      let source = input + samples.lowerBound * places * inputs
      let target = output + samples.lowerBound * places * outputs
      if outputs < 8 {
        // Dot products along contiguous rows of the transposed weight.
        transpose(inputs, outputs, weight.values, into: transposedWeight.pointer)
        multiply(
          rows, outputs, inputs, Matrix(source, rowStride: inputs),
          transposed.transposed, into: target, rowStride: outputs,
          start: .bias(bias.values))
      } else {
        multiply(
          rows, outputs, inputs, Matrix(source, rowStride: inputs), Matrix(weight.values, rowStride: outputs),
          into: target, rowStride: outputs, start: .bias(bias.values))
      }
    }
  }

  public func backward(
    _ input: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>,
    into inputGradient: UnsafeMutablePointer<Float>?, samples: Range<Int>, pass: Pass
  ) {
    prepareBackward()
    backward(input, outputGradient: outputGradient, into: inputGradient, samples: samples, prepared: true)
  }

  /// Transposes the weight: once before `backward(…, prepared: true)` is called for the samples of a batch one by one.
  package func prepareBackward() {
    transpose(inputs, outputs, weight.values, into: transposedWeight.pointer)
  }

  /// The weight transposed, `[out, in]`, as `prepareBackward` left it.
  package var transposed: Matrix { Matrix(transposedWeight.pointer, rowStride: inputs) }

  package func backward(
    _ input: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>,
    into inputGradient: UnsafeMutablePointer<Float>?, samples: Range<Int>, prepared: Bool
  ) {
    for samples in weight.turns(of: samples) {
      let rows = samples.count * places
      let source = input + samples.lowerBound * places * inputs
      let gradient = outputGradient + samples.lowerBound * places * outputs
      addColumnSums(gradient, rows: rows, columns: outputs, to: bias.gradients)
      if outputs < 8 {
        // As the transposed product [out, in] = gradientᵀ · input, which is wide enough for whole vectors.
        multiply(
          outputs, inputs, rows, Matrix(gradient, rowStride: outputs).transposed, Matrix(source, rowStride: inputs),
          into: transposedGradient.pointer, rowStride: inputs)
        for input in 0..<inputs {
          for output in 0..<outputs {
            weight.gradients[input &* outputs &+ output] += transposedGradient.pointer[output &* inputs &+ input]
          }
        }
      } else {
        multiply(
          inputs, outputs, rows, Matrix(source, rowStride: inputs).transposed, Matrix(gradient, rowStride: outputs),
          into: weight.gradients, rowStride: outputs, start: .accumulate)
      }
      weight.takeSample()
      bias.takeSample()
      guard let inputGradient else { continue }
      multiply(
        rows, inputs, outputs, Matrix(gradient, rowStride: outputs), transposed,
        into: inputGradient + samples.lowerBound * places * inputs, rowStride: inputs)
    }
  }
}
