/// The sizes of a two-dimensional convolution with square kernels and zero padding on all sides.
package struct ConvolutionShape: Sendable, Hashable {
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

  package var outputHeight: Int { windows(height) }
  package var outputWidth: Int { windows(width) }
  package var outputPlaces: Int { outputHeight * outputWidth }
  /// Floats of a window.
  package var windowSize: Int { kernel * kernel * inputs }
  /// Floats of one sample.
  package var inputSize: Int { height * width * inputs }
  package var outputSize: Int { outputPlaces * outputs }
  /// Floats of one sample of the input with only every so many places in both directions.
  package func sampledInputSize(stride: Int) -> Int {
    ((height + stride - 1) / stride) * ((width + stride - 1) / stride) * inputs
  }
  package var weightCount: Int { windowSize * outputs }

  /// Places of a window along a side: none where the kernel is larger than the padded side.
  private func windows(_ side: Int) -> Int {
    let room = side + 2 * padding - kernel
    return room < 0 ? 0 : room / stride + 1
  }
}
