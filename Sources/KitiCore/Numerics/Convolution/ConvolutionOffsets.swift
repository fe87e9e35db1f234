/// Images `[height, width, channels]` in memory inside margins that stay 0.
struct ImageFrame {
  let height: Int
  let width: Int
  let channels: Int
  /// Rows above and columns to the left of the image.
  let margin: Int
  /// Floats of a row and of an image, with margins.
  let pitch: Int
  let size: Int
  let hasMargins: Bool

  init(height: Int, width: Int, channels: Int, margin: Int, marginBelow: Int, marginRight: Int) {
    self.height = height
    self.width = width
    self.channels = channels
    self.margin = margin
    pitch = (width + margin + marginRight) * channels
    size = (height + margin + marginBelow) * pitch
    hasMargins = margin > 0 || marginBelow > 0 || marginRight > 0
  }

  /// Of the place (row, column) of an image, which may lie in the margins.
  func offset(_ image: Int, _ row: Int, _ column: Int) -> Int {
    image * size + (row + margin) * pitch + (column + margin) * channels
  }
}

/// Where the operands of a convolution's three matrix products lie, for a block of samples.
///
/// Input places that are congruent modulo the stride, a *phase*, receive gradients through the same places of the
/// kernel: (row + padding) = stride · u + i takes those i, i + stride, … from the output's rows u, u - 1, …. Each phase
/// is one product, so that every number of the input's gradient is written once.
struct ConvolutionOffsets {
  struct Phase {
    /// Rows of the product of each sample, and the first of them in `phasePlaces` and `phaseInputs`.
    var rows: Int
    var firstRow: Int
    /// Depth of the product, and its first entry in `phaseDepth` and `phaseWeights`.
    var depth: Int
    var firstDepth: Int
  }

  /// Of what the windows read, and of the output's gradient with what the input's gradient reads around it.
  let source: ImageFrame
  let gradient: ImageFrame

  /// Of each output place's window in the source, and of the numbers inside a window.
  let windows: AlignedBuffer<Int>
  let insideWindow: AlignedBuffer<Int>
  /// Multiples of the outputs: rows of the weight, the output and its gradient.
  let outputRows: AlignedBuffer<Int>
  /// Of each output place in the gradient's frame.
  let gradientPlaces: AlignedBuffer<Int>

  let phases: [Phase]
  /// Rows of a phase in the gradient's frame and in the input; depth in the gradient's frame and in the transposed
  /// weight.
  let phasePlaces: AlignedBuffer<Int>
  let phaseInputs: AlignedBuffer<Int>
  let phaseDepth: AlignedBuffer<Int>
  let phaseWeights: AlignedBuffer<Int>

  var byteCount: Int {
    [windows, insideWindow, outputRows, gradientPlaces, phasePlaces, phaseInputs, phaseDepth, phaseWeights]
      .reduce(0) { $0 + $1.byteCount }
  }

  init(_ shape: ConvolutionShape, samples: Int) {
    let (height, width) = (shape.outputHeight, shape.outputWidth)
    let (kernel, stride, padding) = (shape.kernel, shape.stride, shape.padding)
    let (source, gradient) = (Self.sourceFrame(shape), Self.gradientFrame(shape))
    (self.source, self.gradient) = (source, gradient)
    var (windows, gradientPlaces) = ([Int](), [Int]())
    for sample in 0..<samples {
      for row in 0..<height {
        for column in 0..<width {
          windows.append(source.offset(sample, row * stride - source.margin, column * stride - source.margin))
          gradientPlaces.append(gradient.offset(sample, row, column))
        }
      }
    }
    var insideWindow: [Int] = []
    for i in 0..<kernel {
      for index in 0..<kernel * shape.inputs { insideWindow.append(i * source.pitch + index) }
    }
    outputRows = Self.table((0..<max(windows.count, insideWindow.count)).map { $0 * shape.outputs })
    self.windows = Self.table(windows)
    self.insideWindow = Self.table(insideWindow)
    self.gradientPlaces = Self.table(gradientPlaces)

    var phases: [Phase] = []
    var (places, inputs, depth, weights) = ([Int](), [Int](), [Int](), [Int]())
    for i in 0..<stride {
      for j in 0..<stride {
        let (firstRow, firstDepth) = (places.count, depth.count)
        for sample in 0..<samples {
          for row in 0..<shape.height where (row + padding) % stride == i {
            for column in 0..<shape.width where (column + padding) % stride == j {
              places.append(gradient.offset(sample, (row + padding) / stride, (column + padding) / stride))
              inputs.append(((sample * shape.height + row) * shape.width + column) * shape.inputs)
            }
          }
        }
        for k in Swift.stride(from: i, to: kernel, by: stride) {
          for l in Swift.stride(from: j, to: kernel, by: stride) {
            for output in 0..<shape.outputs {
              depth.append(output - (k - i) / stride * gradient.pitch - (l - j) / stride * shape.outputs)
              weights.append(((k * kernel + l) * shape.outputs + output) * shape.inputs)
            }
          }
        }
        phases.append(
          Phase(
            rows: (places.count - firstRow) / samples, firstRow: firstRow, depth: depth.count - firstDepth,
            firstDepth: firstDepth))
      }
    }
    self.phases = phases
    phasePlaces = Self.table(places)
    phaseInputs = Self.table(inputs)
    phaseDepth = Self.table(depth)
    phaseWeights = Self.table(weights)
  }

  static func sourceFrame(_ shape: ConvolutionShape) -> ImageFrame {
    ImageFrame(
      height: shape.height, width: shape.width, channels: shape.inputs, margin: shape.padding,
      marginBelow: shape.padding, marginRight: shape.padding)
  }

  static func gradientFrame(_ shape: ConvolutionShape) -> ImageFrame {
    let (height, width) = (shape.outputHeight, shape.outputWidth)
    return ImageFrame(
      height: height, width: width, channels: shape.outputs, margin: (shape.kernel - 1) / shape.stride,
      marginBelow: max(0, (shape.height - 1 + shape.padding) / shape.stride + 1 - height),
      marginRight: max(0, (shape.width - 1 + shape.padding) / shape.stride + 1 - width))
  }

  private static func table(_ offsets: [Int]) -> AlignedBuffer<Int> {
    let table = AlignedBuffer<Int>(count: offsets.count)
    for (index, offset) in offsets.enumerated() { table.pointer[index] = offset }
    return table
  }
}
