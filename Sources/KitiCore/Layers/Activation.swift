/// A function of every number, without parameters; input and output have the same shape.
public final class Activation: Layer {
  public let inputShape: [Int]
  public var outputShape: [Int] { inputShape }
  public var parameters: [Parameter] { [] }
  public let kind: ActivationKind

  private let size: Int
  private let derivative: AlignedBuffer<Float>

  /// - Parameter capacity: the largest batch; 0 for a layer that is only evaluated.
  public init(_ kind: ActivationKind, shape: [Int], capacity: Int) {
    self.kind = kind
    inputShape = shape
    size = shape.reduce(1, *)
    derivative = AlignedBuffer(count: capacity * size)
  }

  public var operationsPerSample: Int { size }

  public func forward(
    _ input: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, samples: Range<Int>, pass: Pass
  ) {
    for sample in samples {
      forward(
        sample, input + sample * size, plus: nil, scale: 0, into: output + sample * size, isTraining: pass.isTraining)
    }
  }

  /// output = f(input + scale·other) for one sample: the sum of a residual block and its activation in one pass over
  /// memory. The pointers are to this sample.
  package func forward(
    _ sample: Int, _ input: UnsafePointer<Float>, plus other: UnsafePointer<Float>?, scale: Float,
    into output: UnsafeMutablePointer<Float>, isTraining: Bool
  ) {
    activate(
      kind, input, plus: other, scale: scale, count: size, into: output,
      derivative: isTraining ? derivative.pointer + sample * size : nil)
  }

  public func backward(
    _ input: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>,
    into inputGradient: UnsafeMutablePointer<Float>?, samples: Range<Int>, pass: Pass
  ) {
    guard let inputGradient else { return }
    for sample in samples {
      backward(sample, outputGradient: outputGradient + sample * size, into: inputGradient + sample * size)
    }
  }

  /// One sample; the pointers are to it, and may be the same.
  package func backward(
    _ sample: Int, outputGradient: UnsafePointer<Float>, into inputGradient: UnsafeMutablePointer<Float>
  ) {
    multiplyElements(outputGradient, by: derivative.pointer + sample * size, count: size, into: inputGradient)
  }
}
