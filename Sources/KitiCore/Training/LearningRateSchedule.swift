import Foundation

/// The learning rate as a pure function of the step.
///
/// A linear warm-up from base/w to base over its w steps comes first, if there is one (Goyal et al. 2017, arXiv 1706.02677,
/// §2.2). Then it is constant, falls by a factor every so many steps (counted from the run's start), or follows half a cosine from
/// the base down to its minimum at the last step (Loshchilov and Hutter 2017, arXiv 1608.03983, eq. 5), or falls linearly to 0.
/// With a reference batch all rates grow with the global batch (Goyal et al., §2.1: the linear scaling rule).
public struct LearningRateSchedule: Sendable, Equatable {
  private let base: Double
  private let shape: Shape
  private let warmupSteps: Int
  private let totalSteps: Int

  private enum Shape: Equatable {
    case constant
    case step(every: Int, factor: Double)
    case cosine(minimum: Double)
    case linear
  }

  public init(_ configuration: OptimizerConfiguration, globalBatch: Int, stepsPerEpoch: Int, epochs: Int) {
    let scale = configuration.referenceBatch.map { Double(globalBatch) / Double($0) } ?? 1
    base = configuration.learningRate * scale
    totalSteps = stepsPerEpoch * epochs
    warmupSteps = configuration.schedule.warmup?.steps(perEpoch: stepsPerEpoch, total: totalSteps) ?? 0
    shape =
      switch configuration.schedule.shape {
      case .constant: .constant
      case .step(let every, let factor):
        .step(every: every.steps(perEpoch: stepsPerEpoch, total: totalSteps), factor: factor)
      case .cosine(let minimum): .cosine(minimum: minimum * scale)
      case .linear: .linear
      }
  }

  /// The rate of a step; 0 is the first.
  public func rate(step: Int) -> Double {
    if step < warmupSteps { return base * Double(step + 1) / Double(warmupSteps) }
    switch shape {
    case .constant:
      return base
    case .step(let every, let factor):
      return base * pow(factor, Double(step / every))
    case .cosine(let minimum):
      return minimum + (base - minimum) * 0.5 * (1 + cos(.pi * progress(step)))
    case .linear:
      return base * (1 - progress(step))
    }
  }

  /// From 0 after the warm-up to 1 at the end of the run.
  private func progress(_ step: Int) -> Double {
    min(1, Double(step - warmupSteps) / Double(max(1, totalSteps - warmupSteps)))
  }
}
