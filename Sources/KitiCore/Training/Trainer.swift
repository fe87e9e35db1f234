import KitiMPI

/// Runs an experiment: sampler → loader → forward → loss → backward → averaging → optimizer → records → checkpoints.
///
/// All methods are collective over the communicator.
public final class Trainer {
  /// How a run ended.
  public enum Outcome: Sendable, Equatable {
    case finished
    /// `maxSteps` was reached; the run can be resumed.
    case reachedLimit
    /// A signal asked to stop; the run can be resumed.
    case stopped(signal: Int32)
  }

  public let configuration: Configuration
  public let description: RunDescription
  /// After the last evaluation.
  public internal(set) var lastEvaluation: EvaluationReport?
  public internal(set) var lastCheckpoint: String?

  let communicator: Communicator
  let folder: RunFolder
  let checkpoints: CheckpointFolder
  let observer: (any TrainingObserver)?
  private let dataSet: any SampleSource
  let plan: SamplingPlan
  let work: TrainingStep
  let evaluation: Evaluation
  let consistency: ParameterConsistency
  private let schedule: LearningRateSchedule
  let collisions: CollisionControl
  let resumePoint: ResumePoint?
  var state: TrainingState
  var metrics: MetricsLog?
  var clock: RunClock
  let watch: RunWatch
  private var nonFinite: NonFiniteGuard

  /// Opens the data, builds model and optimizer, and takes over a checkpoint if there is one to resume. Writes nothing.
  ///
  /// - Parameters:
  ///   - folder: of the run.
  ///   - resume: look for a checkpoint there.
  ///   - timeline: write each rank's timeline into the folder.
  ///   - observer: used on rank 0.
  public init(
    configuration: Configuration, folder: RunFolder, resume: Bool, timeline: Bool = false, communicator: Communicator,
    observer: (any TrainingObserver)?
  ) throws {
    try Trainer.requireSameConfiguration(configuration, communicator)
    self.configuration = configuration
    self.communicator = communicator
    self.folder = folder
    self.observer = communicator.rank == 0 ? observer : nil
    watch = try RunWatch(configuration.parallel, folder: folder, timeline: timeline, communicator: communicator)
    nonFinite = NonFiniteGuard(configuration.training.onNonFinite)
    checkpoints = CheckpointFolder(runFolder: folder.path, keep: configuration.checkpoint.keep)
    dataSet = try communicator.agreeing { try Experiment.dataSet(configuration.data) }
    resumePoint = resume ? try ResumePoint.find(in: checkpoints, for: configuration, communicator: communicator) : nil
    let training = configuration.training
    let samples = dataSet.sampleCount(.train)
    let globalBatch =
      resumePoint?.state.globalBatch
      ?? {
        switch training.batch {
        case .perRank(let count): count * communicator.size * training.accumulation
        case .global(let count): count
        }
      }()
    plan = SamplingPlan(
      sampleCount: samples, globalBatch: globalBatch, accumulation: training.accumulation, rank: communicator.rank,
      worldSize: communicator.size, seed: configuration.seed)
    let capacity = max(1, plan.largestLocalCount)
    let model = try communicator.agreeing { [dataSet] in
      try Experiment.model(configuration, dataSet: dataSet, capacity: capacity)
    }
    let store = ParameterStore(model, seed: configuration.seed)
    if resumePoint == nil { try model.start(from: dataSet, store: store, communicator: communicator) }
    let averager = try communicator.agreeing {
      try GradientAverager(store: store, communicator: communicator, configuration: configuration.parallel)
    }
    let optimizer = Experiment.optimizer(configuration.optimizer, store: store, shard: averager.shard)
    work = TrainingStep(
      model: model, objective: Experiment.objective(training, dataSet: dataSet), store: store, optimizer: optimizer,
      averager: averager,
      parameterAverager: try ParameterAverager(
        store: store, states: optimizer.state.map(\.buffer), communicator: communicator,
        configuration: configuration.parallel),
      reducer: training.syncBatchNorm ? try RankSums(over: communicator) : nil, clipNorm: training.clipNorm,
      weightAverage: training.weightAverage.map { WeightAverage(store: store, decay: $0) },
      keepsStatistics: training.onNonFinite == .skip, recorder: watch.recorder)
    evaluation = Evaluation(
      model: model, objective: work.objective, dataSet: dataSet, views: training.testViews)
    consistency = ParameterConsistency(store: store, communicator: communicator)
    schedule = LearningRateSchedule(
      configuration.optimizer, globalBatch: globalBatch, stepsPerEpoch: plan.stepsPerEpoch, epochs: training.epochs)
    if let resumePoint {
      state = try work.takeOver(resumePoint.path, communicator: communicator)
    } else {
      state = TrainingState(seed: configuration.seed, worldSize: communicator.size, globalBatch: globalBatch)
    }
    collisions = CollisionControl(
      model.collisions, configuration.model.collision, stepsPerEpoch: plan.stepsPerEpoch, epochs: training.epochs,
      lengthFactors: state.collisionLengths)
    clock = RunClock(elapsed: state.elapsedSeconds)
    let optimizerBytes = (optimizer.state + work.otherState).reduce(0) { $0 + $1.buffer.byteCount }
    description = RunDescription(
      name: configuration.name, ranks: communicator.size, parameterCount: store.parameterCount,
      trainingSamples: samples, testSamples: dataSet.sampleCount(.test), globalBatch: globalBatch,
      stepsPerEpoch: plan.stepsPerEpoch, totalSteps: plan.stepsPerEpoch * training.epochs, firstStep: state.step,
      workspaceBytes: model.workspaceBytes,
      stateBytes: 2 * store.values.byteCount + optimizerBytes, bytesSentPerStep: work.averager.bytesPerStep,
      layers: model.summary)
  }

  /// Trains to the end of the last epoch, to `maxSteps` or to a stop signal. A checkpoint is written at each of these.
  ///
  /// - Parameter maxSteps: stop once this many steps of the run are done.
  public func run(maxSteps: Int? = nil) throws -> Outcome {
    defer { watch.end() }
    try prepareFolder()
    observer?.runBegins(description)
    for notice in (resumePoint?.notices ?? []) + [work.averager.notice].compactMap(\.self) { observer?.notice(notice) }
    let total = description.totalSteps
    let limit = min(total, maxSteps ?? total)
    guard state.step < limit else { return state.step >= total ? .finished : .reachedLimit }
    // To fall back to, whenever it may be needed.
    if configuration.training.onNonFinite == .restore, resumePoint == nil { try save() }
    var loader = try makeLoader()
    defer { loader.stop() }
    func timer(_ interval: Interval) -> IntervalTimer {
      IntervalTimer(interval, stepsPerEpoch: plan.stepsPerEpoch, totalSteps: total)
    }
    var evaluations = timer(configuration.training.evaluateEvery)
    var saves = timer(configuration.checkpoint.every)
    let localSteps = configuration.parallel.localSteps
    var due = Due()
    while state.step < limit {
      let isLast = state.step + 1 == limit
      let endsLocalSteps = isLast || (state.step + 1) % localSteps == 0
      switch try step(loader, averages: endsLocalSteps, evaluations: &evaluations, saves: &saves) {
      case .done(let more): due.formUnion(more)
      case .failed(let reason):
        loader.stop()
        try restore(reason: reason)
        loader = try makeLoader()
        due = Due()
        continue
      }
      if state.step % configuration.parallel.timingEvery == 0 { try recordTimings() }
      // Until then ranks differ, and what is due waits.
      guard endsLocalSteps else { continue }
      if state.step % configuration.parallel.checkEvery < localSteps {
        watch.recorder.enter(.consistency)
        try consistency.check(step: state.step)
      }
      if due.evaluation || state.step == total { try evaluate() }
      if due.save || isLast || due.stop { try save() }
      if due.stop, !isLast {
        return .stopped(signal: try communicator.allreduce(StopSignals.pending ?? 0, .maximum))
      }
      due = Due()
    }
    return state.step == total ? .finished : .reachedLimit
  }

  private func makeLoader() throws -> BatchLoader {
    try BatchLoader(
      dataSet: dataSet, split: .train, plan: plan, capacity: work.model.capacity, startEpoch: state.epoch,
      startStep: state.stepInEpoch, endEpoch: configuration.training.epochs)
  }

  // MARK: - One step

  private enum StepResult {
    case done(Due)
    /// The state is as before; the run goes on from its last checkpoint.
    case failed(reason: String)
  }

  /// What is to be done after a step, on all ranks alike.
  private struct Due {
    var evaluation = false
    var save = false
    var stop = false

    mutating func formUnion(_ other: Due) {
      self = Due(
        evaluation: evaluation || other.evaluation, save: save || other.save, stop: stop || other.stop)
    }
  }

  private func step(
    _ loader: BatchLoader, averages: Bool, evaluations: inout IntervalTimer, saves: inout IntervalTimer
  ) throws -> StepResult {
    let start = MPI.wallTime
    var computing = 0.0
    watch.begin(step: state.step + 1)
    work.begin()
    collisions.begin(step: state.step)
    let globalCount = plan.globalCount(step: state.stepInEpoch)
    let gradientCount =
      work.parameterAverager == nil ? globalCount : plan.localPositions(step: state.stepInEpoch).count
    var loss = 0.0
    var done = 0
    for micro in 0..<configuration.training.accumulation {
      watch.recorder.enter(.loading)
      let batch = try loader.next()
      let begin = MPI.wallTime
      let pass = Pass(
        isTraining: true, seed: configuration.seed, step: UInt64(state.step), rank: communicator.rank,
        firstSample: done, sampleIndices: batch.indices)
      loss += work.accumulate(
        inputs: batch.inputs, targets: batch.targets, count: batch.count, pass: pass, globalCount: gradientCount,
        isLast: micro == configuration.training.accumulation - 1)
      computing += MPI.wallTime - begin
      done += batch.count
    }
    let begin = MPI.wallTime
    let gradientNorm = try work.average()
    watch.recorder.enter(.sharing)
    computing += MPI.wallTime - begin
    let isFirst = communicator.rank == 0
    let shared = try share(
      loss: loss, stop: StopSignals.pending != nil, evaluation: isFirst && evaluations.isTimeUp,
      save: isFirst && saves.isTimeUp)
    let learningRate = schedule.rate(step: state.step) * state.learningRateFactor
    let decision = try nonFinite.decide(
      loss: shared.loss / Double(globalCount), gradientNorm: gradientNorm, step: state.step + 1,
      checkpoint: lastCheckpoint ?? resumePoint?.path)
    let updateBegin = MPI.wallTime
    switch decision {
    case .proceed:
      try work.update(learningRate: learningRate, step: state.step + 1)
    case .skip(let reason):
      work.discard()
      observer?.notice(
        "step \(state.step + 1): \(reason); all ranks leave its update out (\(nonFinite.skipped) since this start)")
    case .restore(let reason):
      return .failed(reason: reason)
    }
    if averages { try work.averageParameters(step: state.step + 1) }
    computing += MPI.wallTime - updateBegin
    watch.recorder.enter(.recording)
    advance(by: globalCount)
    let seconds = MPI.wallTime - start
    let communication = work.communication
    try record(
      StepReport(
        step: state.step, totalSteps: description.totalSteps, epoch: (state.step - 1) / plan.stepsPerEpoch,
        samples: (state.step - 1) / plan.stepsPerEpoch * description.trainingSamples
          + (state.samplesInEpoch == 0 ? description.trainingSamples : state.samplesInEpoch),
        loss: shared.loss / Double(globalCount), learningRate: learningRate, gradientNorm: gradientNorm,
        samplesPerSecond: Double(globalCount) / seconds, collisionRate: shared.collisionRate,
        seconds: seconds, computeSeconds: computing - communication.exposedSeconds,
        communication: communicator.size > 1 ? communication : nil, collisions: collisions.reports,
        isSkipped: decision != .proceed))
    watch.stepEnds()
    return .done(
      Due(
        evaluation: evaluations.isDue(step: state.step) || shared.evaluation,
        save: saves.isDue(step: state.step) || shared.save, stop: shared.stop))
  }

  private struct Shared {
    var loss: Double
    var collisionRate: Double?
    var stop: Bool
    var evaluation: Bool
    var save: Bool
  }

  /// What all ranks must know of a step, in one small allreduce: control flow follows it on all of them alike.
  private func share(loss: Double, stop: Bool, evaluation: Bool, save: Bool) throws -> Shared {
    let sums = try collisions.share(
      [loss, stop ? 1 : 0, evaluation ? 1 : 0, save ? 1 : 0], over: communicator)
    return Shared(
      loss: sums[0], collisionRate: collisions.rate, stop: sums[1] > 0, evaluation: sums[2] > 0, save: sums[3] > 0)
  }

  private func advance(by samples: Int) {
    state.step += 1
    state.stepInEpoch += 1
    state.samplesInEpoch += samples
    if state.stepInEpoch == plan.stepsPerEpoch {
      state.epoch += 1
      state.stepInEpoch = 0
      state.samplesInEpoch = 0
    }
  }

  /// Goes back to the last checkpoint, with half the learning rate, and writes that one anew: the lower rate is part
  /// of the state from then on. Metrics of the steps after it are dropped, since the steps will be done again.
  private func restore(reason: String) throws {
    guard let path = lastCheckpoint ?? resumePoint?.path else { return }
    watch.recorder.enter(.checkpoint)
    let failedStep = state.step + 1
    let factor = state.learningRateFactor * NonFiniteGuard.rateFactor
    work.discard()
    state = try work.takeOver(path, communicator: communicator)
    try nonFinite.countRestore(to: state.step, failedStep: failedStep, reason: reason, checkpoint: path)
    state.learningRateFactor = factor
    collisions.restore(state.collisionLengths)
    var line = MetricsLine(kind: "restore")
    line.set("step", state.step)
    line.set("failedStep", failedStep)
    line.set("reason", reason)
    line.set("learningRateFactor", factor)
    try communicator.onFirstRank {
      metrics = try MetricsLog(path: folder.metricsPath, keepingSteps: state.step)
      try metrics?.write(line)
    }
    observer?.notice(
      "step \(failedStep): \(reason); all ranks go back to \(path), with the learning rate times \(factor)")
    try save()
  }

  /// Ranks may be started with different command lines: they must not train different things.
  private static func requireSameConfiguration(_ configuration: Configuration, _ communicator: Communicator) throws {
    let texts = try communicator.allgather(configuration.yaml)
    guard let other = texts.indices.first(where: { texts[$0] != texts[0] }) else { return }
    try communicator.agreeing {
      let first = try Configuration(yaml: texts[0], name: "rank 0")
      let second = try Configuration(yaml: texts[other], name: "rank \(other)")
      throw KitiError(
        .usage,
        "Ranks 0 and \(other) were started with different configurations: "
          + "\(first.firstDifference(from: second) ?? "their texts differ").",
        remedy: "Start all ranks with the same file and the same --set options.")
    }
  }
}
