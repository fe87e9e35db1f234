/// What training makes small, and what evaluation reports.
public protocol Objective: Sendable {
  /// What evaluation reports, the one by which a run is judged first.
  var metrics: [Metric] { get }

  /// The sum of the losses of a batch.
  ///
  /// - Parameters:
  ///   - prediction: `[batch]` outputs of the model.
  ///   - target: `[batch]` targets of the data set.
  ///   - scale: multiplies the gradient; usually 1 / (samples of the global batch).
  ///   - gradient: receives the gradient of the scaled sum with respect to the prediction.
  func loss(
    prediction: UnsafePointer<Float>, target: UnsafePointer<Float>, batch: Int, scale: Float,
    gradient: UnsafeMutablePointer<Float>) -> Double

  /// Adds a batch's sum of each metric, in the order of `metrics`, to `sums`; their means over all samples are reported.
  func measure(
    prediction: UnsafePointer<Float>, target: UnsafePointer<Float>, batch: Int,
    sums: UnsafeMutablePointer<Double>)
}

/// One number that tells how well a model does.
public struct Metric: Sendable, Equatable {
  /// Its key in `metrics.jsonl`.
  public var key: String
  /// What people read: `relative L2`.
  public var name: String
  public var isBetterHigher: Bool
  /// Whether people read it as a percentage.
  public var isShare: Bool

  public func isBetter(_ value: Double, than other: Double) -> Bool { isBetterHigher ? value > other : value < other }
}

/// A metric's mean over all samples of a split.
public struct MetricValue: Sendable, Equatable {
  public var metric: Metric
  public var value: Double
}

/// Fields compared by their relative L2 error.
public struct FieldObjective: Objective {
  /// Floats of one output.
  private let size: Int

  /// - Parameter outputShape: of one sample.
  public init(outputShape: [Int]) { size = outputShape.reduce(1, *) }

  public var metrics: [Metric] {
    [Metric(key: "relativeL2", name: "relative L2", isBetterHigher: false, isShare: true)]
  }

  public func loss(
    prediction: UnsafePointer<Float>, target: UnsafePointer<Float>, batch: Int, scale: Float,
    gradient: UnsafeMutablePointer<Float>
  ) -> Double {
    RelativeL2().sum(
      prediction: prediction, target: target, batch: batch, size: size, scale: scale, gradient: gradient)
  }

  public func measure(
    prediction: UnsafePointer<Float>, target: UnsafePointer<Float>, batch: Int, sums: UnsafeMutablePointer<Double>
  ) {
    sums[0] += RelativeL2().sum(
      prediction: prediction, target: target, batch: batch, size: size, scale: 1, gradient: nil)
  }
}
