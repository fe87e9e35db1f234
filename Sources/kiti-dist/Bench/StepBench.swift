import KitiCore
import KitiMPI

/// A model with its optimizer on random data, as the trainer would run it.
final class StepBench {
  /// What the model is to learn.
  enum Targets {
    /// Normal numbers in the shape of the outputs.
    case likeOutputs
    /// Numbers of classes.
    case classes(Int)
  }

  private let work: TrainingStep
  private let communicator: Communicator
  private let batch: Int
  private let learningRate: Double
  private let inputs: AlignedBuffer<Float>
  private let targets: AlignedBuffer<Float>
  private let indices: AlignedBuffer<Int>
  private(set) var done = 0
  private(set) var seconds = 0.0
  /// What the processor worked for this thread in all runs so far, waiting in MPI included.
  private(set) var processorSeconds = 0.0
  /// Of all runs so far, on this rank.
  private(set) var communication = CommunicationReport(exposedSeconds: 0, hiddenSeconds: 0, bytesSent: 0)

  /// - Parameter optimizer: of so many parameters, which are this rank's shard.
  init(
    model: any Model, objective: any Objective, targets kind: Targets, optimizer: (Int) -> any Optimizer,
    learningRate: Double, communicator: Communicator, parallel: ParallelConfiguration
  ) throws {
    self.communicator = communicator
    self.learningRate = learningRate
    batch = model.capacity
    let store = ParameterStore(model, seed: 1)
    let averager = try GradientAverager(store: store, communicator: communicator, configuration: parallel)
    work = TrainingStep(
      model: model, objective: objective, store: store, optimizer: optimizer(averager.shard.count), averager: averager)
    inputs = AlignedBuffer(count: batch * model.inputShape.reduce(1, *))
    indices = AlignedBuffer(count: batch)
    for index in 0..<batch { indices.pointer[index] = index }
    let stream = RandomStream(seed: 7, stream: UInt64(communicator.rank), domain: .dataSet)
    stream.fillNormals(inputs.buffer, at: .init(item: 0))
    switch kind {
    case .likeOutputs:
      targets = AlignedBuffer(count: batch * model.outputShape.reduce(1, *))
      stream.fillNormals(targets.buffer, at: .init(item: 1))
    case .classes(let classes):
      targets = AlignedBuffer(count: batch)
      stream.fillUniforms(targets.buffer, at: .init(item: 1))
      for index in 0..<batch { targets.pointer[index] = (targets.pointer[index] * Float(classes)).rounded(.down) }
    }
  }

  var collisionRate: Double {
    let collisions = work.model.collisions
    let candidates = collisions.reduce(0) { $0 + $1.candidatePairs }
    return candidates == 0 ? 0 : Double(collisions.reduce(0) { $0 + $1.acceptedPairs }) / Double(candidates)
  }

  var computeSeconds: Double { seconds - communication.exposedSeconds }

  /// Seconds for some steps, from the first rank's start to the last rank's end.
  @discardableResult
  func run(steps: Int) throws -> Double {
    try communicator.barrier()
    work.resetTimes()
    let start = MPI.wallTime
    let processorStart = threadProcessorTime()
    for _ in 0..<steps {
      let pass = Pass(
        isTraining: true, seed: 1, step: UInt64(done), rank: communicator.rank, sampleIndices: indices.pointer)
      _ = work.accumulate(
        inputs: inputs.pointer, targets: targets.pointer, count: batch, pass: pass,
        globalCount: batch * communicator.size, isLast: true)
      _ = try work.average()
      done += 1
      try work.update(learningRate: learningRate, step: done)
    }
    processorSeconds += threadProcessorTime() - processorStart
    let elapsed = try communicator.allreduce(MPI.wallTime - start, .maximum)
    seconds += elapsed
    communication.add(work.communication)
    return elapsed
  }
}

extension StepBench {
  static let discussion = """
    With a collision scheme, steps without collisions are measured in turns with those that have them. collisionShare \
    is the median over pairs of steps of the extra time, collisionShareLow and collisionShareHigh bound it with a \
    confidence of 95 %, and collisionShareOfProcessor is the same median for the time that the processor worked, \
    without what the system gave to others.
    """

  /// Measures steps of what `make` makes and prints one line.
  ///
  /// - Parameter batch: unless the options say another.
  static func measure(
    _ name: String, _ options: BenchOptions, batch: Int,
    make: (CollisionOptions, _ batch: Int, Communicator, ParallelConfiguration) throws -> StepBench
  ) throws {
    let world = try Launch.world()
    let parallel = try world.agreeing { try options.parallel() }
    let batch = options.batch ?? batch
    let subject = try make(CollisionOptions(scheme: options.scheme), batch, world, parallel)
    let plain =
      options.scheme == .none ? nil : try make(CollisionOptions(scheme: .none), batch, world, parallel)
    for bench in [subject, plain].compactMap({ $0 }) { try bench.run(steps: min(options.steps, 4)) }
    let turns = try StepTurns(subject, plain, count: options.steps)
    guard world.rank == 0 else { return }
    let mean = turns.seconds.reduce(0, +) / Double(options.steps)
    var line = MetricsLine(kind: "bench")
    line.set("bench", name)
    line.set("scheme", options.scheme.rawValue)
    line.set("batch", batch)
    line.set("steps", options.steps)
    line.set("samplesPerSecond", Double(world.size * batch) / mean)
    line.set("msPerStep", mean * 1e3)
    line.set("medianMsPerStep", median(turns.seconds) * 1e3)
    if plain != nil {
      line.set("plainMsPerStep", median(turns.plainSeconds) * 1e3)
      let range = medianRange(turns.shares)
      line.set("collisionShare", median(turns.shares))
      line.set("collisionShareLow", range.lowerBound)
      line.set("collisionShareHigh", range.upperBound)
      line.set("collisionShareOfProcessor", median(turns.processorShares))
      line.set("collisionRate", subject.collisionRate)
    }
    line.set(subject.communication, compute: subject.computeSeconds, of: subject.seconds, steps: subject.done)
    line.set("ranks", world.size)
    line.set("threads", options.threads)
    line.set("instructionSet", InstructionSet.name)
    line.set("peakMiB", peakMemory())
    print(options.json ? line.json : line.table)
  }
}

/// Steps of two networks in turns, one step each, so that the machine's speed drifts as little as can be within a pair.
struct StepTurns {
  private(set) var seconds: [Double] = []
  private(set) var plainSeconds: [Double] = []
  /// Extra time of the subject's step over that of the plain one, of each pair.
  private(set) var shares: [Double] = []
  /// The same for the time that the processor worked.
  private(set) var processorShares: [Double] = []

  /// - Parameter plain: nil to measure the subject alone.
  init(_ subject: StepBench, _ plain: StepBench?, count: Int) throws {
    for turn in 0..<count {
      guard let plain else {
        seconds.append(try subject.run(steps: 1))
        continue
      }
      let before = (subject.processorSeconds, plain.processorSeconds)
      // Whoever comes first finds the caches as the other left them: they take that place in turns too.
      if turn % 2 == 1 { plainSeconds.append(try plain.run(steps: 1)) }
      seconds.append(try subject.run(steps: 1))
      if turn % 2 == 0 { plainSeconds.append(try plain.run(steps: 1)) }
      shares.append(seconds[turn] / plainSeconds[turn] - 1)
      processorShares.append(
        (subject.processorSeconds - before.0) / (plain.processorSeconds - before.1) - 1)
    }
  }
}
