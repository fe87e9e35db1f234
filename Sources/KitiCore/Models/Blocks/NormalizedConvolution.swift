/// A convolution without a bias and the batch norm behind it, which is folded into whatever reads the output: only the
/// convolution's own output z is kept.
final class NormalizedConvolution {
  let convolution: Convolution2D
  let norm: BatchNorm2D
  /// z, `[capacity, height, width, channels]`.
  let output: AlignedBuffer<Float>
  private let path: (convolution: String, norm: String)

  /// - Parameters:
  ///   - path: of the convolution and of the batch norm in the model.
  ///   - inputShape: `[height, width, in]`.
  init(
    path: (convolution: String, norm: String), inputShape: [Int], outputs: Int, kernel: Int, stride: Int,
    startsAsIdentity: Bool = false, normForm: BatchNorm2D.Form = .init(),
    kernels: ConvolutionKernels, capacity: Int
  ) {
    self.path = path
    convolution = Convolution2D(
      path.convolution, inputShape: inputShape, outputs: outputs, kernel: kernel, stride: stride,
      startsAsIdentity: startsAsIdentity, kernels: kernels)
    norm = BatchNorm2D(path.norm, shape: convolution.outputShape, form: normForm)
    output = AlignedBuffer(count: capacity * convolution.shape.outputSize)
  }

  var outputShape: [Int] { convolution.outputShape }
  /// The backward pass finishes the convolution's last.
  var parameters: [Parameter] { convolution.parameters + norm.parameters }
  var statistics: [Parameter] { norm.statistics }
  var workspaceBytes: Int { norm.workspaceBytes + output.byteCount }
  var summary: [LayerSummary] { [LayerSummary(path.convolution, convolution), LayerSummary(path.norm, norm)] }

  func forward(_ source: NormalizedValues, batch: Int, pass: Pass) {
    let sums = norm.startSums()
    convolution.forward(source, into: output.pointer, samples: batch, sums: pass.isTraining ? sums : nil)
    norm.fold(output.pointer, samples: batch, pass: pass)
  }

  /// Normalized, as the next convolution, which rectifies it, or the particles of a block read it.
  var normalized: NormalizedValues {
    NormalizedValues(output.pointer, normalization: (norm.foldedScale, norm.foldedShift))
  }

  /// What makes the gradient with respect to `normalized`, rectified, the gradient with respect to the batch norm's output.
  var finish: GradientFinish {
    GradientFinish(
      mask: .normalized(output.pointer, scale: norm.foldedScale, shift: norm.foldedShift), sums: gradientSums)
  }

  /// The sums of the gradient with respect to the batch norm's output that `backward` needs.
  var gradientSums: GradientFinish.Sums { GradientFinish.Sums(factor: output.pointer, sums: norm.gradientSums) }

  /// - Parameters:
  ///   - source: what `forward` was given.
  ///   - gradient: g of `gradientSums`; the gradient with respect to the batch norm's output is `factor` · g.
  func backward(
    _ source: NormalizedValues, gradient: UnsafePointer<Float>, times factor: Double = 1,
    into inputGradient: UnsafeMutablePointer<Float>?, finish: GradientFinish, batch: Int, pass: Pass
  ) {
    let normalization = norm.foldBackward(output.pointer, times: factor, pass: pass)
    convolution.backward(
      source, gradient: ConvolutionGradient(gradient, normalization: normalization), into: inputGradient,
      finish: finish, samples: batch)
  }
}
