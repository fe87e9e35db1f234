/// The exponential moving average of a model's parameters and statistics (Polyak and Juditsky 1992, with a forgetting factor).
///
/// average = d · average + (1 − d) · values after each step; d begins small, min(decay, (1 + steps)/(10 + steps)), so that the
/// start is soon forgotten.
public final class WeightAverage {
  public let decay: Double
  /// As long as the store with its statistics.
  public let average: AlignedBuffer<Float>
  private let weights: ParameterStore

  /// - Parameter decay: above 0 and below 1; 0.999 looks back about a thousand steps.
  public init(store: ParameterStore, decay: Double) {
    weights = store
    self.decay = decay
    average = AlignedBuffer(count: store.values.count)
    average.pointer.update(from: store.values.pointer, count: store.values.count)
  }

  /// As a checkpoint keeps it.
  public var state: (name: String, buffer: AlignedBuffer<Float>) { ("average", average) }

  /// - Parameter step: steps done, the last one included.
  public func update(step: Int) {
    let kept = Float(min(decay, Double(1 + step) / Double(10 + step)))
    let (average, values) = (average.pointer, weights.values.pointer)
    forEachRow(0..<weights.values.count) { at in
      let old = load(average + at)
      store(old.addingProduct(load(values + at) - old, Vector(repeating: 1 - kept)), average + at)
    } _: { at in
      average[at].addProduct(values[at] - average[at], 1 - kept)
    }
  }

  /// Exchanges the average with the values, to evaluate it and back.
  public func swap() {
    let (average, values) = (average.pointer, weights.values.pointer)
    for index in 0..<weights.values.count { Swift.swap(&average[index], &values[index]) }
  }
}
