/// What happens to a step whose loss or gradient is not a finite number; the same on every rank, since both numbers
/// are.
package struct NonFiniteGuard {
  package enum Decision: Equatable {
    case proceed
    /// Leave the parameters as they are and go on with the next batch.
    case skip(reason: String)
    /// Fall back to the last checkpoint, with the learning rate times `rateFactor`.
    case restore(reason: String)
  }

  /// So many skipped steps in a row, or restores of one checkpoint, are no accident any more.
  package static let mostInARow = 10
  /// What each restore makes of the learning rate.
  static let rateFactor = 0.5

  private let policy: TrainingConfiguration.OnNonFinite
  private var skippedInARow = 0
  /// Skipped steps since the start of the program.
  package private(set) var skipped = 0
  /// The step of the checkpoint that was restored last, and how often.
  private var restored: (step: Int, count: Int) = (-1, 0)

  package init(_ policy: TrainingConfiguration.OnNonFinite) { self.policy = policy }

  /// - Parameters:
  ///   - step: 1 for the first of the run.
  ///   - checkpoint: the last one, if there is one.
  /// - Throws: `AgreedFailure` if the run ends here.
  package mutating func decide(loss: Double, gradientNorm: Double, step: Int, checkpoint: String?) throws -> Decision {
    guard !(loss.isFinite && gradientNorm.isFinite) else {
      skippedInARow = 0
      return .proceed
    }
    let (name, value) = loss.isFinite ? ("gradient's norm", gradientNorm) : ("loss", loss)
    let reason = "the \(name) is \(value.isNaN ? "not a number" : "infinite")"
    switch policy {
    case .stop:
      throw Self.failure("Step \(step): \(reason); the parameters are left as they were.", checkpoint)
    case .skip:
      skipped += 1
      skippedInARow += 1
      guard skippedInARow < Self.mostInARow else {
        throw Self.failure(
          "Step \(step): \(reason), for the \(skippedInARow)th step in a row; all of them were skipped.", checkpoint)
      }
      return .skip(reason: reason)
    case .restore:
      return .restore(reason: reason)
    }
  }

  /// Counts a restore of the checkpoint after `step` steps.
  ///
  /// - Throws: `AgreedFailure` if it was restored too often.
  package mutating func countRestore(to step: Int, failedStep: Int, reason: String, checkpoint: String) throws {
    restored = restored.step == step ? (step, restored.count + 1) : (step, 1)
    guard restored.count <= Self.mostInARow else {
      throw Self.failure(
        "Step \(failedStep): \(reason), after \(Self.mostInARow) restores of the same checkpoint with ever lower learning rates.",
        checkpoint)
    }
  }

  private static func failure(_ problem: String, _ checkpoint: String?) -> AgreedFailure {
    AgreedFailure(
      error: KitiError(
        .failed, problem,
        remedy: "Lower optimizer.learningRate or set training.clipNorm"
          + (checkpoint.map { "; the last checkpoint is \($0)." } ?? ". No checkpoint had been written yet.")),
      rank: 0)
  }
}
