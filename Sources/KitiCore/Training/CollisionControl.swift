import Foundation
import KitiMPI

/// What changes of the collisions from step to step, and what is measured of them: the coefficient's schedule, the
/// length scale that keeps a wanted collision rate, and the statistics of all layers over all ranks.
///
/// The schedule is a pure function of the step. The lengths follow from sums over all ranks, in the same way on each
/// of them, and go into the checkpoint.
public final class CollisionControl {
  /// Of each layer: ℓ is the length scale of the options times this.
  public private(set) var lengthFactors: [Double]

  private let collisions: [CollisionResidual]
  private let schedule: CoefficientSchedule
  private let targetRate: Double?
  /// The trainer's own numbers, then those of each layer.
  private let sums: AlignedBuffer<Double>
  private static let ownCount = 4

  /// - Parameter lengthFactors: of a checkpoint; those of another number of layers are not used.
  public init(
    _ collisions: [CollisionResidual], _ configuration: CollisionConfiguration, stepsPerEpoch: Int, epochs: Int,
    lengthFactors: [Double] = []
  ) {
    self.collisions = collisions
    schedule = CoefficientSchedule(configuration.coefficient, stepsPerEpoch: stepsPerEpoch, epochs: epochs)
    targetRate = configuration.targetRate
    let known = configuration.targetRate != nil && lengthFactors.count == collisions.count
    self.lengthFactors = known ? lengthFactors : collisions.map { _ in 1 }
    sums = AlignedBuffer(count: Self.ownCount + collisions.count * CollisionStatistics.count)
  }

  /// What a checkpoint needs to go on: empty without a controller.
  public var state: [Double] { targetRate == nil ? [] : lengthFactors }

  /// Goes back to the state of a checkpoint.
  public func restore(_ lengthFactors: [Double]) {
    if targetRate != nil && lengthFactors.count == collisions.count { self.lengthFactors = lengthFactors }
  }

  /// Prepares all layers for a step; 0 is the first.
  public func begin(step: Int) {
    let coefficient = schedule.coefficient(step: step)
    for (index, collision) in collisions.enumerated() {
      collision.resetCounts()
      collision.coefficient = coefficient
      collision.lengthFactor = lengthFactors[index]
    }
  }

  /// Sums the statistics of the step over all ranks, together with four numbers of the caller's, in one allreduce;
  /// then moves the lengths. Collective.
  public func share(_ own: InlineArray<4, Double>, over communicator: Communicator) throws -> InlineArray<4, Double> {
    for index in 0..<Self.ownCount { sums.pointer[index] = own[index] }
    for (layer, collision) in collisions.enumerated() {
      let values = collision.statistics.values
      for index in 0..<CollisionStatistics.count { sums.pointer[place(layer) + index] = values[index] }
    }
    try communicator.allreduce(inPlace: sums.buffer, .sum)
    if let targetRate {
      for layer in collisions.indices {
        let total = statistics(layer)
        lengthFactors[layer] = RateController.factor(
          after: lengthFactors[layer], accepted: total.acceptedPairs, candidates: total.candidatePairs,
          target: targetRate)
      }
    }
    return [sums.pointer[0], sums.pointer[1], sums.pointer[2], sums.pointer[3]]
  }

  /// Accepted over candidate pairs of all layers and ranks in the step that was shared last; nil without collisions.
  public var rate: Double? {
    let totals = collisions.indices.map { statistics($0) }
    let candidates = totals.reduce(0) { $0 + $1.candidatePairs }
    return candidates > 0 ? totals.reduce(0) { $0 + $1.acceptedPairs } / candidates : nil
  }

  /// Of the step that was shared last.
  public var reports: [CollisionReport] {
    collisions.enumerated().compactMap { CollisionReport(statistics($0.offset), of: $0.element) }
  }

  private func place(_ layer: Int) -> Int { Self.ownCount + layer * CollisionStatistics.count }

  private func statistics(_ layer: Int) -> CollisionStatistics {
    var result = CollisionStatistics()
    var values = result.values
    for index in 0..<CollisionStatistics.count { values[index] = sums.pointer[place(layer) + index] }
    result.values = values
    return result
  }
}

/// The collision coefficient as a pure function of the step.
public struct CoefficientSchedule: Sendable {
  private let configuration: CoefficientConfiguration
  private let length: Int

  public init(_ configuration: CoefficientConfiguration, stepsPerEpoch: Int, epochs: Int) {
    self.configuration = configuration
    var length = stepsPerEpoch * epochs
    if case .changing(_, _, _, let over?) = configuration {
      length = over.steps(perEpoch: stepsPerEpoch, total: length)
    }
    self.length = max(1, length)
  }

  /// The coefficient of a step; 0 is the first.
  public func coefficient(step: Int) -> Double {
    switch configuration {
    case .constant(let value):
      return value
    case .changing(let shape, let from, let to, _):
      let progress = min(1, Double(step) / Double(length))
      let share = shape == .linear ? progress : 0.5 * (1 - cos(.pi * progress))
      return from + (to - from) * share
    }
  }
}

/// Moves the collision length so that the collision rate comes to a wanted value and stays there.
///
/// The rate grows with ℓ, from nothing to the coefficient times the mean of s/s_max; where it can still be changed, its
/// logarithm has a slope of about r/ℓ in that of ℓ. So a tenth of the logarithmic error a step converges without
/// oscillating, and where all is far away (r/ℓ large, no pair accepted) the length grows by a tenth a step.
public enum RateController {
  static let gain = 0.1
  static let largestMove = 0.1
  static let range = 1e-3...1e6

  /// The length factor of the next step.
  public static func factor(after factor: Double, accepted: Double, candidates: Double, target: Double) -> Double {
    guard candidates > 0 else { return factor }
    // Half a collision more: no collision at all is no proof that there never is one.
    let error = log(target * (candidates + 1) / (accepted + 0.5))
    let move = min(largestMove, max(-largestMove, gain * error))
    return min(range.upperBound, max(range.lowerBound, factor * exp(move)))
  }
}
