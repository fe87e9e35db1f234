/// Sets numbers to 0 with probability `rate` in training and scales the others by 1 / (1 − rate) (Srivastava et al.
/// 2014, §10).
///
/// Which numbers stay is a pure function of the pass's seed, step and rank or sample: the backward pass draws them
/// again.
public final class Dropout: Layer {
  public let inputShape: [Int]
  public let rate: Double
  private let layerIndex: UInt32
  private let usesSampleStreams: Bool
  private let size: Int
  private let uniforms: AlignedBuffer<Float>

  /// - Parameters:
  ///   - rate: in [0, 1).
  ///   - layerIndex: which dropout of the model this is: part of its random streams.
  ///   - usesSampleStreams: draws belong to the sample's index in the data set instead of the rank.
  public init(shape: [Int], rate: Double, layerIndex: Int, usesSampleStreams: Bool = false) {
    inputShape = shape
    self.rate = rate
    self.layerIndex = UInt32(layerIndex)
    self.usesSampleStreams = usesSampleStreams
    size = shape.reduce(1, *)
    uniforms = AlignedBuffer(count: size)
  }

  public var outputShape: [Int] { inputShape }
  public var parameters: [Parameter] { [] }
  public var operationsPerSample: Int { 0 }
  package var workspaceBytes: Int { uniforms.byteCount }

  public func forward(
    _ input: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, samples: Range<Int>, pass: Pass
  ) {
    for sample in samples { thin(sample, input + sample * size, into: output + sample * size, pass) }
  }

  public func backward(
    _ input: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>,
    into inputGradient: UnsafeMutablePointer<Float>?, samples: Range<Int>, pass: Pass
  ) {
    guard let inputGradient else { return }
    for sample in samples { thin(sample, outputGradient + sample * size, into: inputGradient + sample * size, pass) }
  }

  /// One sample; input and output may be the same.
  private func thin(
    _ sample: Int, _ input: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, _ pass: Pass
  ) {
    guard pass.isTraining, rate > 0 else {
      if output != input { output.update(from: input, count: size) }
      return
    }
    let step = UInt32(truncatingIfNeeded: pass.step)
    if usesSampleStreams, let indices = pass.sampleIndices {
      let stream = RandomStream(
        seed: pass.seed, stream: UInt64(indices[sample]), domain: .dropout, index: layerIndex | 0x8000_0000)
      stream.fillUniforms(uniforms.buffer, at: .init(step: step))
    } else {
      let stream = RandomStream(seed: pass.seed, stream: UInt64(pass.rank), domain: .dropout, index: layerIndex)
      stream.fillUniforms(
        uniforms.buffer, at: .init(step: step, sample: UInt32(truncatingIfNeeded: pass.firstSample &+ sample)))
    }
    let (rate, scale) = (Float(rate), Float(1 / (1 - rate)))
    let draws = uniforms.pointer
    for index in 0..<size { output[index] = draws[index] < rate ? 0 : input[index] * scale }
  }
}
