/// The mean over all places of each channel: input `[places…, channels]`, output `[channels]`.
public final class GlobalAveragePooling: Layer {
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
      let mean = output + sample * channels
      mean.update(repeating: 0, count: channels)
      addColumnSums(input + sample * places * channels, rows: places, columns: channels, to: mean)
      rescale(mean, by: 1 / Float(places), count: channels)
    }
  }

  public func backward(
    _ input: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>,
    into inputGradient: UnsafeMutablePointer<Float>?, samples: Range<Int>, pass: Pass
  ) {
    guard let inputGradient else { return }
    for sample in samples {
      let first = inputGradient + sample * places * channels
      let share = 1 / Float(places)
      for channel in 0..<channels { first[channel] = outputGradient[sample * channels + channel] * share }
      for place in 1..<max(places, 1) { (first + place * channels).update(from: first, count: channels) }
    }
  }
}
