/// A model's predictions for a job and for the powers of two around it.
public struct ScalingPlan: Sendable {
  /// The job itself, with as many samples on each rank as were measured.
  public let job: StepPrediction
  /// As many samples on each rank, whatever their number.
  public let weak: [StepPrediction]
  /// As many samples in all.
  public let strong: [StepPrediction]
  public let globalBatch: Int

  public static let largestTable = 4_096

  /// - Parameters:
  ///   - placement: of the job.
  ///   - globalBatch: of strong scaling; nil for the job's samples.
  ///   - largest: up to how many ranks the tables go, or to the job's.
  public init(
    _ model: ScalingModel, placement: Placement, globalBatch: Int? = nil, largest: Int = ScalingPlan.largestTable
  ) {
    let ranks = (0..<Int.bitWidth - 2).lazy.map { 1 << $0 }.prefix { $0 <= max(largest, placement.ranks) }
    let placements = Set(Array(ranks) + [placement.ranks]).sorted().map {
      Placement(ranks: $0, ranksPerNode: placement.ranksPerNode)
    }
    let batch = globalBatch ?? model.phases.samples * model.accumulation * placement.ranks
    job = model.weakStep(placement)
    weak = placements.map { model.weakStep($0) }
    strong = placements.map { model.strongStep($0, globalBatch: batch) }
    self.globalBatch = batch
  }

  /// The first row in which communication that does not hide takes more than a hundredth of the step.
  public static func exposedFrom(_ rows: [StepPrediction]) -> Int? {
    rows.first { $0.exposed > 0.01 * $0.seconds }?.placement.ranks
  }
}
