/// How distances and relative speeds become decisions: p = coefficient · (s / s_max) · exp(−r/ℓ), or a constant.
struct AcceptanceLaw {
  private let acceptance: CollisionOptions.Acceptance
  private let decision: CollisionOptions.Decision
  private let lengthScale: CollisionOptions.LengthScale

  init(_ options: CollisionOptions) {
    acceptance = options.acceptance
    decision = options.decision
    lengthScale = options.lengthScale
  }

  /// Whether probabilities depend on the pair.
  var isKinetic: Bool { acceptance == .kinetic }

  var needsUniforms: Bool { decision == .bernoulli }

  /// 1/ℓ from the sum of r² over the candidate pairs of a sample.
  func inverseLength(squares: Double, pairs: Int, factor: Double) -> Float {
    let length: Float =
      switch lengthScale {
      case .rms: Float((squares / Double(pairs)).squareRoot() * factor)
      case .unit: Float(factor)
      case .value(let value): Float(value * factor)
      }
    // All particles in one place: r/ℓ is 0 for every pair.
    return length > 0 ? 1 / length : 0
  }

  /// What s · exp(−r/ℓ) is multiplied by; without dependence on the pair, the probability itself.
  func scale(coefficient: Float, fastest: Float) -> Float {
    let free = decision == .threshold ? 1 : coefficient
    guard isKinetic else { return free }
    return fastest > 0 ? free / fastest : 0
  }

  /// Accepts a pair of probability p if p > limit: the limit is a uniform number, or the threshold.
  func threshold(coefficient: Float) -> Float { 1 - coefficient }
}
