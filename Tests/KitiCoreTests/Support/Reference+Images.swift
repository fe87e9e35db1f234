import KitiCore

extension Reference {
  /// x [height, width, in] ∗ weight [kernel, kernel, in, out], zeros outside; output [⌈height/stride⌉, ⌈width/stride⌉,
  /// out].
  static func convolution(
    _ x: [Double], shape: [Int], weight: [Double], kernel: Int, outputs: Int, stride: Int
  ) -> (values: [Double], shape: [Int]) {
    let (height, width, inputs) = (shape[0], shape[1], shape[2])
    let outputShape = [(height + stride - 1) / stride, (width + stride - 1) / stride, outputs]
    var y = [Double](repeating: 0, count: outputShape.reduce(1, *))
    for row in 0..<outputShape[0] {
      for column in 0..<outputShape[1] {
        let target = (row * outputShape[1] + column) * outputs
        for i in 0..<kernel {
          for j in 0..<kernel {
            let (r, c) = (row * stride + i - kernel / 2, column * stride + j - kernel / 2)
            guard 0..<height ~= r, 0..<width ~= c else { continue }
            for input in 0..<inputs {
              let value = x[(r * width + c) * inputs + input]
              let first = ((i * kernel + j) * inputs + input) * outputs
              for output in 0..<outputs { y[target + output] += value * weight[first + output] }
            }
          }
        }
      }
    }
    return (y, outputShape)
  }

  /// The samples' numbers, each channel shifted and scaled to mean 0 and variance 1 over all of them.
  static func batchNorm(_ samples: [[Double]], scale: [Double], shift: [Double]) -> [[Double]] {
    let channels = scale.count
    var (mean, variance) = ([Double](repeating: 0, count: channels), [Double](repeating: 0, count: channels))
    let count = Double(samples.reduce(0) { $0 + $1.count } / channels)
    for x in samples {
      for (index, value) in x.enumerated() { mean[index % channels] += value / count }
    }
    for x in samples {
      for (index, value) in x.enumerated() {
        let difference = value - mean[index % channels]
        variance[index % channels] += difference * difference / count
      }
    }
    let factors = (0..<channels).map { scale[$0] / (variance[$0] + 1e-5).squareRoot() }
    return samples.map { x in
      x.enumerated().map { index, value in
        let channel = index % channels
        return (value - mean[channel]) * factors[channel] + shift[channel]
      }
    }
  }

  /// Every `stride`-th place, with zeros for new channels.
  static func padded(_ x: [Double], shape: [Int], stride: Int, outputs: Int) -> [Double] {
    var y: [Double] = []
    for row in Swift.stride(from: 0, to: shape[0], by: stride) {
      for column in Swift.stride(from: 0, to: shape[1], by: stride) {
        let place = (row * shape[1] + column) * shape[2]
        y += x[place..<place + shape[2]] + [Double](repeating: 0, count: outputs - shape[2])
      }
    }
    return y
  }
}
