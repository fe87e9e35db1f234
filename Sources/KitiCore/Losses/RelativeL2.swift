/// The relative L2 error ‖p − t‖₂ / ‖t‖₂ of each sample (Li et al. 2021, arXiv 2010.08895, §5).
public struct RelativeL2: Sendable {
  public init() {}

  /// Sum of the errors of the batch; a sample whose target is zero everywhere counts ‖p‖₂.
  ///
  /// - Parameters:
  ///   - prediction, target: `[batch, size]`.
  ///   - gradient: receives scale · d(sum)/d(prediction), 0 where an error is exactly 0; nil in evaluation.
  ///   - scale: usually 1 / (samples of the global batch).
  public func sum(
    prediction: UnsafePointer<Float>, target: UnsafePointer<Float>, batch: Int, size: Int, scale: Float,
    gradient: UnsafeMutablePointer<Float>?
  ) -> Double {
    var total = 0.0
    for sample in 0..<batch {
      let p = prediction + sample * size
      let t = target + sample * size
      var errors = 0.0
      var norms = 0.0
      for index in 0..<size {
        let difference = Double(p[index] - t[index])
        errors += difference * difference
        norms += Double(t[index]) * Double(t[index])
      }
      let norm = norms > 0 ? norms.squareRoot() : 1
      let error = errors.squareRoot()
      total += error / norm
      guard let gradient else { continue }
      // In two factors: their product may leave the range of fp32 where the gradient does not.
      let (unit, factor) = (error == 0 ? 0 : Float(1 / error), Float(Double(scale) / norm))
      for index in 0..<size { gradient[sample * size + index] = (p[index] - t[index]) * unit * factor }
    }
    return total
  }
}
