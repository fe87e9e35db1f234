/// Random numbers in the shapes of a data set: enough to measure what training on it costs.
public final class RandomSamples: SampleSource {
  public let path = "random samples"
  public let inputShape: [Int]
  public let targetShape: [Int]
  public let classCount: Int?

  private let stream = RandomStream(seed: 7, stream: 0, domain: .dataSet)

  /// - Parameter classCount: nil for targets that are fields of the inputs' shape.
  public init(inputShape: [Int], classCount: Int?) {
    self.inputShape = inputShape
    self.classCount = classCount
    targetShape = classCount == nil ? inputShape : [1]
  }

  public convenience init(like source: any SampleSource) {
    self.init(inputShape: source.inputShape, classCount: source.classCount)
  }

  public func sampleCount(_ split: DataSplit) -> Int { 1 << 20 }

  public func read(
    _ split: DataSplit, sample: Int, view: SampleView, input: UnsafeMutableBufferPointer<Float>,
    target: UnsafeMutableBufferPointer<Float>
  ) {
    stream.fillNormals(input, at: .init(item: UInt32(2 * sample)))
    guard let classCount else {
      stream.fillNormals(target, at: .init(item: UInt32(2 * sample + 1)))
      return
    }
    target[0] = Float(sample % classCount)
  }
}
