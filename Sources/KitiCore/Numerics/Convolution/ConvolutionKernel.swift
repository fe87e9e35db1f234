/// One way of computing a convolution, its gradients, and what is fused with them.
///
/// Activations are `[samples, height, width, channels]`, the weight is `[kernel, kernel, inputs, outputs]`. Pointers are to
/// the first of `samples` samples; 0 samples are allowed. Nothing is allocated after `init`.
package protocol ConvolutionKernel: AnyObject {
  /// - Parameter capacity: the most samples of a call.
  init(_ shape: ConvolutionShape, capacity: Int)

  var workspaceBytes: Int { get }

  /// output = source ∗ weight.
  ///
  /// - Parameters:
  ///   - source: `[samples, height, width, inputs]`; where it is normalized it is rectified as well.
  ///   - sums: `[2, outputs]`; the sums over samples and places of each output channel and of its square are added to
  ///     it, accurate enough for the variance of a batch norm: partial sums of at most a few thousand numbers are added
  ///     in double precision.
  func forward(
    _ source: NormalizedValues, weight: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, samples: Int,
    sums: UnsafeMutablePointer<Double>?)

  /// Both gradients in one call, so that what they share is computed once.
  ///
  /// - Parameters:
  ///   - source: what `forward` was given.
  ///   - gradient: of the loss with respect to the output.
  ///   - weightGradient: the gradient is added to it.
  ///   - inputGradient: receives the gradient with respect to the source's numbers after its scale, shift and rectifier
  ///     (the convolution's actual input), changed as `finish` says; nil where nobody needs it.
  func backward(
    _ source: NormalizedValues, gradient: ConvolutionGradient, weight: UnsafePointer<Float>,
    weightGradient: UnsafeMutablePointer<Float>, inputGradient: UnsafeMutablePointer<Float>?,
    finish: GradientFinish, samples: Int)
}

/// The gradient with respect to a convolution's output: g as it is, or through the batch norm that follows the convolution,
/// g · gradientScale + z · outputScale + shift with z the convolution's output, folded into the reading.
package struct ConvolutionGradient {
  package struct Normalization {
    /// The convolution's output of the forward pass, `[samples, height, width, outputs]`.
    package var output: UnsafePointer<Float>
    /// `[outputs]` each.
    package var gradientScale: UnsafePointer<Float>
    package var outputScale: UnsafePointer<Float>
    package var shift: UnsafePointer<Float>

    package init(
      output: UnsafePointer<Float>, gradientScale: UnsafePointer<Float>, outputScale: UnsafePointer<Float>,
      shift: UnsafePointer<Float>
    ) {
      self.output = output
      self.gradientScale = gradientScale
      self.outputScale = outputScale
      self.shift = shift
    }
  }

  /// `[samples, height, width, outputs]`
  package var values: UnsafePointer<Float>
  package var normalization: Normalization?

  package init(_ values: UnsafePointer<Float>, normalization: Normalization? = nil) {
    self.values = values
    self.normalization = normalization
  }
}

/// What happens to the input's gradient r before it is stored: (r + other) · mask, and sums for the batch norm that
/// comes next in the backward pass. All arrays are as long as the input.
package struct GradientFinish {
  /// Where a rectifier let numbers pass.
  package enum Mask {
    case none
    /// 1 where the rectified numbers are above 0.
    case rectified(UnsafePointer<Float>)
    /// 1 where x · scale + shift is above 0: the source's own batch norm and rectifier.
    case normalized(UnsafePointer<Float>, scale: UnsafePointer<Float>, shift: UnsafePointer<Float>)
  }

  /// Sums over samples and places of each channel of the stored gradient and of its product with `factor`: added to
  /// `sums` `[2, inputs]`, as accurate as those of the forward pass.
  package struct Sums {
    package var factor: UnsafePointer<Float>
    package var sums: UnsafeMutablePointer<Double>

    package init(factor: UnsafePointer<Float>, sums: UnsafeMutablePointer<Double>) {
      self.factor = factor
      self.sums = sums
    }
  }

  /// Another gradient of the same numbers, such as the shortcut's; may be the array that receives the result if it has all
  /// places.
  package var other: UnsafePointer<Float>?
  /// Which places `other` has: every so many in both directions, from the first on.
  package var otherStride: Int
  package var mask: Mask
  package var sums: Sums?

  package init(
    other: UnsafePointer<Float>? = nil, otherStride: Int = 1, mask: Mask = .none, sums: Sums? = nil
  ) {
    self.other = other
    self.otherStride = otherStride
    self.mask = mask
    self.sums = sums
  }
}
