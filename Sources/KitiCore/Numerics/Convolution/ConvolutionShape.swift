/// The sizes of a two-dimensional convolution with square kernels and zero padding on all sides.
package struct ConvolutionShape: Sendable, Equatable {
  package var height: Int
  package var width: Int
  /// Channels in and out.
  package var inputs: Int
  package var outputs: Int
  /// Side of the kernel.
  package var kernel: Int
  package var stride: Int
  package var padding: Int

  package init(height: Int, width: Int, inputs: Int, outputs: Int, kernel: Int, stride: Int = 1, padding: Int) {
    self.height = height
    self.width = width
    self.inputs = inputs
    self.outputs = outputs
    self.kernel = kernel
    self.stride = stride
    self.padding = padding
  }

  package var outputHeight: Int { (height + 2 * padding - kernel) / stride + 1 }
  package var outputWidth: Int { (width + 2 * padding - kernel) / stride + 1 }
  /// Floats of one sample.
  package var inputSize: Int { height * width * inputs }
  package var outputSize: Int { outputHeight * outputWidth * outputs }
  package var weightCount: Int { kernel * kernel * inputs * outputs }
}
