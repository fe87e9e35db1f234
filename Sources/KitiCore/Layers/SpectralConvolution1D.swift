/// A convolution in Fourier space that keeps the lowest modes (Li et al. 2021, arXiv 2010.08895, §4, eq. 4).
///
/// Input `[points, in]`, output `[points, out]`. With X the transform of the input along the points,
/// Y_k = X_k · W_k for k < modes and 0 above, and the output is the real inverse transform of Y.
/// `weight` `[modes, 2, in, out]` (plane 0 real, plane 1 imaginary), starting uniform in [0, 1/(in·out)).
///
/// The imaginary part of Y_0 (and of Y_{S/2}) has no effect on a real output; its gradient is zero.
public final class SpectralConvolution1D: Layer {
  public let inputShape: [Int]
  public let outputShape: [Int]
  public let weight: Parameter
  public let modes: Int

  private let capacity: Int
  private let inputs: Int
  private let outputs: Int
  private let inputTransform: TruncatedFourier
  private let outputTransform: TruncatedFourier
  /// `[modes, capacity, 2 · channels]`; in the backward pass they hold gradients.
  private let inputSpectrum: AlignedBuffer<Float>
  private let outputSpectrum: AlignedBuffer<Float>
  private let transposedWeight: AlignedBuffer<Float>

  /// - Parameters:
  ///   - inputShape: `[points, in]`.
  ///   - capacity: the largest batch.
  public init(_ path: String, inputShape: [Int], outputs: Int, modes: Int, capacity: Int) {
    let points = inputShape[0]
    inputs = inputShape[1]
    self.outputs = outputs
    self.modes = modes
    self.capacity = capacity
    self.inputShape = inputShape
    outputShape = [points, outputs]
    weight = Parameter(
      "\(path)/weight", shape: [modes, 2, inputs, outputs],
      initialization: .uniform(low: 0, high: 1 / Float(inputs * outputs)))
    inputTransform = TruncatedFourier(points: points, modes: modes, channels: inputs)
    outputTransform =
      inputs == outputs ? inputTransform : TruncatedFourier(points: points, modes: modes, channels: outputs)
    inputSpectrum = AlignedBuffer(count: modes * capacity * 2 * inputs)
    outputSpectrum = AlignedBuffer(count: modes * capacity * 2 * outputs)
    transposedWeight = AlignedBuffer(count: 2 * inputs * outputs)
  }

  public var parameters: [Parameter] { [weight] }

  /// Counted as plain products: two transforms and the complex product of the modes.
  public var operationsPerSample: Int {
    2 * inputShape[0] * 2 * modes * (inputs + outputs) + 8 * modes * inputs * outputs
  }

  public func forward(
    _ input: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, samples: Range<Int>, pass: Pass
  ) {
    for sample in samples { analyze(sample, input + sample * inputShape[0] * inputs) }
    mix(samples)
    for sample in samples { synthesize(sample, into: output + sample * outputShape[0] * outputs) }
  }

  public func backward(
    _ input: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>,
    into inputGradient: UnsafeMutablePointer<Float>?, samples: Range<Int>, pass: Pass
  ) {
    for sample in samples { analyzeGradient(sample, outputGradient + sample * outputShape[0] * outputs) }
    mixBackward(samples, needsInputGradient: inputGradient != nil)
    guard let inputGradient else { return }
    for sample in samples {
      synthesizeGradient(sample, into: inputGradient + sample * inputShape[0] * inputs, accumulate: false)
    }
  }

  // The passes in steps: those with a sample work on that sample alone, `mix` on the modes of the whole batch.

  /// Step 1: the spectrum of one sample `[points, in]`.
  package func analyze(_ sample: Int, _ input: UnsafePointer<Float>) {
    inputTransform.analyze(
      input, into: inputSpectrum.pointer + sample * 2 * inputs, modeStride: capacity * 2 * inputs, weighted: false)
  }

  /// The row of one mode and sample in the input spectrum, real parts `[in]`, then imaginary parts: step 1 writes it,
  /// and after backward step 2 it holds the gradient.
  package func inputRow(_ mode: Int, _ sample: Int) -> UnsafeMutablePointer<Float> {
    inputSpectrum.pointer + (mode * capacity + sample) * 2 * inputs
  }

  /// Step 2: Y_k = X_k · W_k for the samples of the batch.
  package func mix(_ samples: Range<Int>) {
    for samples in weight.turns(of: samples) {
      let (xRow, yRow, plane) = (2 * inputs, 2 * outputs, inputs * outputs)
      for mode in 0..<modes {
        let x = inputSpectrum.pointer + (mode * capacity + samples.lowerBound) * xRow
        let y = outputSpectrum.pointer + (mode * capacity + samples.lowerBound) * yRow
        let real = Matrix(weight.values + mode * 2 * plane, rowStride: outputs)
        let imaginary = Matrix(weight.values + (mode * 2 + 1) * plane, rowStride: outputs)
        let (xReal, xImaginary) = (Matrix(x, rowStride: xRow), Matrix(x + inputs, rowStride: xRow))
        let batch = samples.count
        multiply(batch, outputs, inputs, xReal, real, into: y, rowStride: yRow)
        multiply(batch, outputs, inputs, xImaginary, imaginary, into: y, rowStride: yRow, start: .accumulate, scale: -1)
        multiply(batch, outputs, inputs, xReal, imaginary, into: y + outputs, rowStride: yRow)
        multiply(batch, outputs, inputs, xImaginary, real, into: y + outputs, rowStride: yRow, start: .accumulate)
      }
    }
  }

  /// Step 3: one sample of the output `[points, out]`.
  package func synthesize(_ sample: Int, into output: UnsafeMutablePointer<Float>) {
    outputTransform.synthesize(
      outputSpectrum.pointer + sample * 2 * outputs, modeStride: capacity * 2 * outputs, into: output, weighted: true,
      accumulate: false)
  }

  /// Backward step 1: the gradient of the output spectrum of one sample.
  package func analyzeGradient(_ sample: Int, _ outputGradient: UnsafePointer<Float>) {
    outputTransform.analyze(
      outputGradient, into: outputSpectrum.pointer + sample * 2 * outputs, modeStride: capacity * 2 * outputs,
      weighted: true)
  }

  /// Backward step 2: dW_k += conj(X_k)ᵀ · dY_k, and dX_k = dY_k · conj(W_k)ᵀ in place of X.
  package func mixBackward(_ samples: Range<Int>, needsInputGradient: Bool) {
    for samples in weight.turns(of: samples) {
      let (xRow, yRow, plane) = (2 * inputs, 2 * outputs, inputs * outputs)
      let batch = samples.count
      let transposedReal = transposedWeight.pointer
      let transposedImaginary = transposedWeight.pointer + plane
      for mode in 0..<modes {
        let x = inputSpectrum.pointer + (mode * capacity + samples.lowerBound) * xRow
        let dy = outputSpectrum.pointer + (mode * capacity + samples.lowerBound) * yRow
        let xReal = Matrix(x, rowStride: xRow).transposed
        let xImaginary = Matrix(x + inputs, rowStride: xRow).transposed
        let (dyReal, dyImaginary) = (Matrix(dy, rowStride: yRow), Matrix(dy + outputs, rowStride: yRow))
        let dReal = weight.gradients + mode * 2 * plane
        let dImaginary = dReal + plane
        multiply(inputs, outputs, batch, xReal, dyReal, into: dReal, rowStride: outputs, start: .accumulate)
        multiply(inputs, outputs, batch, xImaginary, dyImaginary, into: dReal, rowStride: outputs, start: .accumulate)
        multiply(inputs, outputs, batch, xReal, dyImaginary, into: dImaginary, rowStride: outputs, start: .accumulate)
        multiply(
          inputs, outputs, batch, xImaginary, dyReal, into: dImaginary, rowStride: outputs, start: .accumulate, scale: -1)
        guard needsInputGradient else { continue }
        transpose(inputs, outputs, weight.values + mode * 2 * plane, into: transposedReal)
        transpose(inputs, outputs, weight.values + (mode * 2 + 1) * plane, into: transposedImaginary)
        let real = Matrix(transposedReal, rowStride: inputs)
        let imaginary = Matrix(transposedImaginary, rowStride: inputs)
        multiply(batch, inputs, outputs, dyReal, real, into: x, rowStride: xRow)
        multiply(batch, inputs, outputs, dyImaginary, imaginary, into: x, rowStride: xRow, start: .accumulate)
        multiply(batch, inputs, outputs, dyImaginary, real, into: x + inputs, rowStride: xRow)
        multiply(
          batch, inputs, outputs, dyReal, imaginary, into: x + inputs, rowStride: xRow, start: .accumulate, scale: -1)
      }
      weight.takeSample()
    }
  }

  /// Backward step 3: the gradient of one sample of the input.
  package func synthesizeGradient(_ sample: Int, into inputGradient: UnsafeMutablePointer<Float>, accumulate: Bool) {
    inputTransform.synthesize(
      inputSpectrum.pointer + sample * 2 * inputs, modeStride: capacity * 2 * inputs, into: inputGradient,
      weighted: false, accumulate: accumulate)
  }
}
