import Glibc

/// The cross-entropy −Σ q log p of soft-max probabilities p with a target distribution q that gives the sample's class
/// 1 − labelSmoothing and spreads labelSmoothing evenly over all classes (Szegedy et al. 2016, arXiv 1512.00567, §7).
public struct SoftmaxCrossEntropy: Sendable {
  /// In [0, 1].
  public let labelSmoothing: Double

  public init(labelSmoothing: Double = 0) { self.labelSmoothing = labelSmoothing }

  /// Sum of the losses of the batch, and how many samples have their largest prediction at their class.
  ///
  /// Arithmetic in double precision, relative to the largest prediction, so that nothing overflows.
  ///
  /// - Parameters:
  ///   - prediction: `[batch, classes]`, logarithms of unnormalized probabilities.
  ///   - target: `[batch]`, each a whole number in 0..<classes.
  ///   - scale: usually 1 / (samples of the global batch).
  ///   - gradient: receives scale · d(sum)/d(prediction); nil in evaluation.
  public func sum(
    prediction: UnsafePointer<Float>, target: UnsafePointer<Float>, batch: Int, classes: Int, scale: Float,
    gradient: UnsafeMutablePointer<Float>?
  ) -> (loss: Double, correct: Int) {
    var (loss, correct) = (0.0, 0)
    let spread = labelSmoothing / Double(classes)
    for sample in 0..<batch {
      let x = prediction + sample * classes
      let label = Int(target[sample])
      var best = 0
      for index in 1..<max(classes, 1) where x[index] > x[best] { best = index }
      if best == label { correct += 1 }
      let largest = Double(x[best])
      var (exponentials, total) = (0.0, 0.0)
      for index in 0..<classes {
        exponentials += exp(Double(x[index]) - largest)
        total += Double(x[index]) - largest
      }
      let logarithm = log(exponentials)
      loss += logarithm - (1 - labelSmoothing) * (Double(x[label]) - largest)
      // A class of probability 0 counts nothing without smoothing.
      if spread > 0 { loss -= spread * total }
      guard let gradient else { continue }
      for index in 0..<classes {
        let probability = exp(Double(x[index]) - largest - logarithm)
        let wanted = index == label ? spread + 1 - labelSmoothing : spread
        gradient[sample * classes + index] = Float(Double(scale) * (probability - wanted))
      }
    }
    return (loss, correct)
  }
}
