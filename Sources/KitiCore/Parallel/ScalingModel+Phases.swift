/// What one rank's step takes when nobody else is there: measured, or given.
public struct StepPhases: Sendable, Equatable {
  /// Of a batch.
  public var samples: Int
  /// Seconds of the pass of a batch with its loss, of the pass back, and of the update of all parameters.
  public var forward: Double
  public var backward: Double
  public var update: Double
  /// Of `forward` and `backward` together, what a batch of any size takes.
  public var fixed: Double
  /// When gradients are final: after so many seconds of the pass back, so many numbers of the store; both grow.
  public var readiness: [Readiness]

  public struct Readiness: Sendable, Equatable {
    public var seconds: Double
    public var count: Int

    public init(seconds: Double, count: Int) {
      self.seconds = seconds
      self.count = count
    }
  }

  public init(
    samples: Int, forward: Double, backward: Double, update: Double, fixed: Double = 0, readiness: [Readiness]
  ) {
    self.samples = samples
    self.forward = forward
    self.backward = backward
    self.update = update
    self.fixed = fixed
    self.readiness = readiness
  }

  /// Gradients that become final evenly over the pass back.
  public static func even(
    samples: Int, forward: Double, backward: Double, update: Double, parameterCount: Int
  ) -> StepPhases {
    let pieces = 64
    return StepPhases(
      samples: samples, forward: forward, backward: backward, update: update,
      readiness: (1...pieces).map {
        Readiness(seconds: backward * Double($0) / Double(pieces), count: parameterCount * $0 / pieces)
      })
  }

  /// Of a batch of another size, or of a machine on which passes take `slowdown` times as long.
  func scaled(samples count: Double, slowdown: Double) -> StepPhases {
    let passes = forward + backward
    let share = passes > 0 ? min(1, fixed / passes) : 0
    let factor = (share + (1 - share) * count / Double(samples)) * slowdown
    var scaled = self
    scaled.forward *= factor
    scaled.backward *= factor
    scaled.update *= slowdown
    scaled.readiness = readiness.map { Readiness(seconds: $0.seconds * factor, count: $0.count) }
    return scaled
  }

  /// Seconds of the pass back after which the first `count` numbers are final.
  func readySeconds(_ count: Int) -> Double { readiness.first { $0.count >= count }?.seconds ?? backward }

  /// With the passes and the update of a run in place of the measured ones; their parts stay in proportion.
  public func taking(passes: Double, update: Double) -> StepPhases {
    let factor = forward + backward > 0 ? passes / (forward + backward) : 1
    var result = self
    result.forward *= factor
    result.backward *= factor
    result.fixed *= factor
    result.update = update
    result.readiness = readiness.map { Readiness(seconds: $0.seconds * factor, count: $0.count) }
    return result
  }
}
