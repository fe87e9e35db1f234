/// The largest number of all places of each channel: input `[places…, channels]`, output `[channels]`. NaN passes
/// through.
///
/// Where several are the largest, the first has the gradient.
public final class GlobalMaximumPooling: Layer {
  public let inputShape: [Int]
  public let outputShape: [Int]
  private let places: Int
  private let channels: Int

  public init(inputShape: [Int]) {
    self.inputShape = inputShape
    channels = inputShape.last!
    places = inputShape.dropLast().reduce(1, *)
    outputShape = [channels]
  }

  public var parameters: [Parameter] { [] }
  public var operationsPerSample: Int { places * channels }

  public func forward(
    _ input: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, samples: Range<Int>, pass: Pass
  ) {
    for sample in samples {
      poolMaximum(
        input + sample * places * channels, rows: 1, columns: places, rowStride: 0, channels: channels,
        into: output + sample * channels)
    }
  }

  public func backward(
    _ input: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>,
    into inputGradient: UnsafeMutablePointer<Float>?, samples: Range<Int>, pass: Pass
  ) {
    guard let inputGradient else { return }
    (inputGradient + samples.lowerBound * places * channels).update(
      repeating: 0, count: samples.count * places * channels)
    for sample in samples {
      let offset = sample * places * channels
      addMaximumGradient(
        outputGradient + sample * channels, input + offset, rows: 1, columns: places, rowStride: 0, channels: channels,
        to: inputGradient + offset)
    }
  }
}
