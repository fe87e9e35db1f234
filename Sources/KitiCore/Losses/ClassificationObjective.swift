/// Classes told apart by their soft-max cross-entropy; targets are the numbers of the classes.
public struct ClassificationObjective: Objective {
  private let classes: Int
  private let smoothed: SoftmaxCrossEntropy

  /// - Parameter labelSmoothing: share of the target that all classes divide (Szegedy et al. 2016, §7), in training only.
  public init(classes: Int, labelSmoothing: Double = 0) {
    self.classes = classes
    smoothed = SoftmaxCrossEntropy(labelSmoothing: labelSmoothing)
  }

  public var metrics: [Metric] {
    [
      Metric(key: "accuracy", name: "accuracy", isBetterHigher: true, isShare: true),
      Metric(key: "loss", name: "loss", isBetterHigher: false, isShare: false),
    ]
  }

  public func loss(
    prediction: UnsafePointer<Float>, target: UnsafePointer<Float>, batch: Int, scale: Float,
    gradient: UnsafeMutablePointer<Float>
  ) -> Double {
    smoothed.sum(
      prediction: prediction, target: target, batch: batch, classes: classes, scale: scale, gradient: gradient
    ).loss
  }

  public func measure(
    prediction: UnsafePointer<Float>, target: UnsafePointer<Float>, batch: Int, sums: UnsafeMutablePointer<Double>
  ) {
    let result = SoftmaxCrossEntropy().sum(
      prediction: prediction, target: target, batch: batch, classes: classes, scale: 1, gradient: nil)
    sums[0] += Double(result.correct)
    sums[1] += result.loss
  }
}
