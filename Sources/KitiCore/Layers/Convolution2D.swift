/// A convolution of images with square kernels and zero padding of half a kernel (LeCun et al. 1989), without a bias: a
/// batch norm follows.
///
/// Input `[height, width, in]`, output `[⌈height/stride⌉, ⌈width/stride⌉, out]` for odd kernels; `weight`
/// `[kernel, kernel, in, out]` starts normal with the deviation √(2 / (kernel² · out)) (He et al. 2015, §2.2, in its
/// backward form).
public final class Convolution2D: Layer {
  public let inputShape: [Int]
  public let outputShape: [Int]
  public let weight: Parameter
  package let shape: ConvolutionShape
  private let kernel: any ConvolutionKernel

  /// - Parameters:
  ///   - path: of the layer in the model.
  ///   - inputShape: `[height, width, in]`.
  ///   - startsAsIdentity: the first outputs start as the inputs, and only what there is more of starts normal.
  ///   - kernels: compute it; all layers of a model share them.
  public init(
    _ path: String, inputShape: [Int], outputs: Int, kernel: Int, stride: Int = 1, startsAsIdentity: Bool = false,
    kernels: ConvolutionKernels
  ) {
    shape = ConvolutionShape(
      height: inputShape[0], width: inputShape[1], inputs: inputShape[2], outputs: outputs, kernel: kernel,
      stride: stride, padding: kernel / 2)
    self.inputShape = inputShape
    outputShape = [shape.outputHeight, shape.outputWidth, outputs]
    let deviation = (2 / Float(kernel * kernel * outputs)).squareRoot()
    weight = Parameter(
      "\(path)/weight", shape: [kernel, kernel, inputShape[2], outputs],
      initialization: startsAsIdentity ? .identity(deviation: deviation) : .normal(deviation: deviation),
      isScaleInvariant: true)
    self.kernel = kernels.kernel(shape)
  }

  public var parameters: [Parameter] { [weight] }
  public var operationsPerSample: Int { 2 * shape.outputHeight * shape.outputWidth * shape.weightCount }

  public func forward(
    _ input: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, samples: Range<Int>, pass: Pass
  ) {
    forward(
      NormalizedValues(input + samples.lowerBound * shape.inputSize),
      into: output + samples.lowerBound * shape.outputSize, samples: samples.count, sums: nil)
  }

  public func backward(
    _ input: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>,
    into inputGradient: UnsafeMutablePointer<Float>?, samples: Range<Int>, pass: Pass
  ) {
    backward(
      NormalizedValues(input + samples.lowerBound * shape.inputSize),
      gradient: ConvolutionGradient(outputGradient + samples.lowerBound * shape.outputSize),
      into: inputGradient.map { $0 + samples.lowerBound * shape.inputSize }, finish: GradientFinish(),
      samples: samples.count)
  }

  /// The kernel's pass for the first samples.
  func forward(
    _ source: NormalizedValues, into output: UnsafeMutablePointer<Float>, samples: Int,
    sums: UnsafeMutablePointer<Double>?
  ) {
    for samples in weight.turns(of: 0..<samples) {
      let first = samples.lowerBound
      kernel.forward(
        source.advanced(by: first * shape.inputSize), weight: weight.values,
        into: output + first * shape.outputSize, samples: samples.count, sums: sums)
    }
  }

  /// The same backward.
  func backward(
    _ source: NormalizedValues, gradient: ConvolutionGradient, into inputGradient: UnsafeMutablePointer<Float>?,
    finish: GradientFinish, samples: Int
  ) {
    for samples in weight.turns(of: 0..<samples) {
      let (inputs, outputs) = (samples.lowerBound * shape.inputSize, samples.lowerBound * shape.outputSize)
      kernel.backward(
        source.advanced(by: inputs), gradient: gradient.advanced(by: outputs), weight: weight.values,
        weightGradient: weight.gradients, inputGradient: inputGradient.map { $0 + inputs },
        finish: finish.advanced(bySamples: samples.lowerBound, of: shape), samples: samples.count)
      weight.takeSample()
    }
  }
}
