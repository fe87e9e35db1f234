/// A convolution without padding whose fixed filters whiten patches of the training images (Jordan 2024, arXiv
/// 2404.00498, §3.2, after Page 2018, "How to train your ResNet", part 8), with a trainable bias.
///
/// Input `[height, width, in]`, output `[height − kernel + 1, width − kernel + 1, 2·n]` with n = kernel²·in. The first
/// n filters of `weight` `[kernel, kernel, in, 2·n]` are the eigenvectors of the patches' covariance, each divided by
/// √(eigenvalue + 5e-4), so that their outputs are uncorrelated and of variance 1; the others are their negatives, so
/// that a rectifier behind them loses nothing. `weight` is a statistic: `fit` makes it, and it has no gradient; until
/// then it holds random numbers. `bias` `[2·n]` starts at 0.
public final class WhiteningConvolution: Layer {
  public let inputShape: [Int]
  public let outputShape: [Int]
  public let weight: Parameter
  public let bias: Parameter

  private let kernel: Int
  private let patchSize: Int

  /// Added to eigenvalues: directions in which patches hardly differ are noise that must not become as loud as the
  /// others.
  package static let epsilon = 5e-4

  /// - Parameters:
  ///   - path: of the layer in the model.
  ///   - inputShape: `[height, width, in]`, at least as high and wide as the kernel.
  public init(_ path: String, inputShape: [Int], kernel: Int = 2) {
    precondition(inputShape[0] >= kernel && inputShape[1] >= kernel, "a patch must fit into the image")
    self.inputShape = inputShape
    self.kernel = kernel
    patchSize = kernel * kernel * inputShape[2]
    outputShape = [inputShape[0] - kernel + 1, inputShape[1] - kernel + 1, 2 * patchSize]
    weight = Parameter(
      "\(path)/weight", shape: [kernel, kernel, inputShape[2], 2 * patchSize],
      initialization: .normal(deviation: 1 / Float(patchSize).squareRoot()))
    bias = Parameter("\(path)/bias", shape: [2 * patchSize], initialization: .zero)
  }

  public var parameters: [Parameter] { [bias] }
  public var statistics: [Parameter] { [weight] }
  public var operationsPerSample: Int { 2 * places * weight.count }

  private var places: Int { outputShape[0] * outputShape[1] }
  private var inputSize: Int { inputShape.reduce(1, *) }
  /// Numbers of a patch's row, which lie side by side in the image.
  private var patchRow: Int { kernel * inputShape[2] }

  /// Makes the filters from images: `[count] + inputShape`.
  public func fit(to images: UnsafePointer<Float>, count: Int) {
    let (values, vectors) = symmetricEigenvectors(covariance(images, count: count), size: patchSize)
    for (filter, (value, vector)) in zip(values, vectors).enumerated() {
      // Rounding may leave an eigenvalue of 0 a little below it.
      let scale = 1 / (max(value, 0) + Self.epsilon).squareRoot()
      for (index, component) in vector.enumerated() {
        weight.values[index * 2 * patchSize + filter] = Float(scale * component)
        weight.values[index * 2 * patchSize + patchSize + filter] = -Float(scale * component)
      }
    }
  }

  /// Of all patches of the images, `[n, n]`.
  private func covariance(_ images: UnsafePointer<Float>, count: Int) -> [Double] {
    let n = patchSize
    var (sums, products) = ([Double](repeating: 0, count: n), [Double](repeating: 0, count: n * n))
    var patch = [Double](repeating: 0, count: n)
    for sample in 0..<count {
      for row in 0..<outputShape[0] {
        for column in 0..<outputShape[1] {
          for line in 0..<kernel {
            let first = self.first(sample, row + line) + column * inputShape[2]
            for index in 0..<patchRow { patch[line * patchRow + index] = Double(images[first + index]) }
          }
          for i in 0..<n {
            sums[i] += patch[i]
            for j in i..<n { products[i * n + j] += patch[i] * patch[j] }
          }
        }
      }
    }
    let patches = Double(max(1, count * places))
    return (0..<n * n).map { index in
      let (i, j) = (min(index / n, index % n), max(index / n, index % n))
      return products[i * n + j] / patches - sums[i] / patches * (sums[j] / patches)
    }
  }

  /// Where a row of an image begins.
  private func first(_ sample: Int, _ row: Int) -> Int { sample * inputSize + row * inputShape[1] * inputShape[2] }

  public func forward(
    _ input: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, samples: Range<Int>, pass: Pass
  ) {
    let outputs = 2 * patchSize
    for sample in samples {
      for row in 0..<outputShape[0] {
        let target = output + (sample * outputShape[0] + row) * outputShape[1] * outputs
        for line in 0..<kernel {
          // Patches that begin at neighbouring pixels overlap: rows of a matrix whose stride is one pixel.
          multiply(
            outputShape[1], outputs, patchRow, Matrix(input + first(sample, row + line), rowStride: inputShape[2]),
            Matrix(weight.values + line * patchRow * outputs, rowStride: outputs), into: target, rowStride: outputs,
            start: line == 0 ? .bias(bias.values) : .accumulate)
        }
      }
    }
  }

  /// Images need no gradient: `inputGradient` must be nil.
  public func backward(
    _ input: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>,
    into inputGradient: UnsafeMutablePointer<Float>?, samples: Range<Int>, pass: Pass
  ) {
    precondition(inputGradient == nil, "a whitening convolution is the first layer")
    for sample in samples {
      addColumnSums(
        outputGradient + sample * places * 2 * patchSize, rows: places, columns: 2 * patchSize, to: bias.gradients)
      bias.takeSample()
    }
  }
}
