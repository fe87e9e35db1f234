import Foundation
import KitiMPI

/// What a run leaves behind: metrics, evaluations, checkpoints.
extension Trainer {
  func prepareFolder() throws {
    try communicator.onFirstRank {
      if resumePoint == nil { try folder.create() } else { try folder.makeFolders() }
      try folder.write(configuration)
      metrics = try MetricsLog(path: folder.metricsPath, keepingSteps: resumePoint?.state.step)
    }
    try watch.openTimeline()
    var line = MetricsLine(kind: "run")
    line.set("name", configuration.name)
    line.set("step", state.step)
    line.set("ranks", communicator.size)
    line.set("hosts", Array(Set(watch.hosts)).sorted())
    line.set("seed", "\(configuration.seed)")
    line.set("parameters", description.parameterCount)
    line.set("globalBatch", description.globalBatch)
    line.set("version", KitiVersion.program)
    line.set("mpi", MPI.libraryVersion)
    line.set("instructionSet", InstructionSet.name)
    line.set("started", ISO8601DateFormatter().string(from: Date()))
    try metrics?.write(line)
  }

  func record(_ report: StepReport) throws {
    guard communicator.rank == 0 else { return }
    var line = MetricsLine(kind: "step")
    line.set("step", report.step)
    line.set("epoch", report.epoch)
    line.set("samples", report.samples)
    line.set("loss", report.loss)
    line.set("learningRate", report.learningRate)
    line.set("gradientNorm", report.gradientNorm)
    line.set("samplesPerSecond", (report.samplesPerSecond * 10).rounded() / 10)
    if let rate = report.collisionRate { line.set("collisionRate", rate) }
    // A line for each layer is long, and the drifts are measured on these steps only.
    if !report.collisions.isEmpty, (report.step - 1) % Int(CollisionResidual.driftInterval) == 0 {
      line.set("collisions", report.collisions.map(\.line))
    }
    if let communication = report.communication {
      line.set(communication, compute: report.computeSeconds, of: report.seconds)
    }
    if report.isSkipped { line.set("update", "skipped") }
    try metrics?.write(line)
    observer?.stepEnds(report)
  }

  func evaluate() throws {
    watch.recorder.enter(.evaluation)
    let start = MPI.wallTime
    try agreeOnStatistics()
    work.weightAverage?.swap()
    defer { work.weightAverage?.swap() }
    let result = try evaluation.run(.test, communicator: communicator)
    let first = result.values[0]
    let isBest = state.bestMetric.map { first.metric.isBetter(first.value, than: $0) } ?? true
    if isBest { state.bestMetric = first.value }
    let report = EvaluationReport(
      step: state.step, epoch: (state.step - 1) / plan.stepsPerEpoch, metrics: result.values,
      remarks: configuration.training.evaluationRemarks, samples: result.samples, seconds: MPI.wallTime - start,
      isBest: isBest)
    lastEvaluation = report
    guard communicator.rank == 0 else { return }
    var line = MetricsLine(kind: "evaluation")
    line.set("step", report.step)
    line.set("epoch", report.epoch)
    line.set(report.metrics, remarks: report.remarks)
    line.set("samples", report.samples)
    try metrics?.write(line)
    observer?.evaluationEnds(report)
  }

  func save() throws {
    watch.recorder.enter(.checkpoint)
    let start = MPI.wallTime
    try consistency.check(step: state.step)
    try agreeOnStatistics()
    state.elapsedSeconds = clock.elapsed
    state.collisionLengths = collisions.state
    let path = checkpoints.path(step: state.step)
    try Checkpoint.write(
      to: path, store: work.store, optimizerState: work.optimizer.state, shard: work.averager.shard,
      otherState: work.otherState, residual: work.averager.residual, state: state, configuration: configuration.yaml,
      communicator: communicator)
    try communicator.onFirstRank { try checkpoints.commit(step: state.step) }
    lastCheckpoint = path
    observer?.checkpointIsWritten(path: path, seconds: MPI.wallTime - start)
  }

  func recordTimings() throws {
    guard let timings = try watch.timings(step: state.step) else { return }
    try metrics?.write(timings.line)
    if let notice = watch.notice(of: timings) { observer?.notice(notice) }
  }

  /// Each rank has gathered running statistics from its own samples; an evaluation or a checkpoint is of one model.
  func agreeOnStatistics() throws {
    let store = work.store
    try communicator.average(store.statisticsBuffer)
    guard let average = work.weightAverage else { return }
    try communicator.average(
      UnsafeMutableBufferPointer(start: average.average.pointer + store.count, count: store.values.count - store.count))
  }
}
