import KitiMPI

/// Sums gradients over all ranks while the backward pass goes on.
///
/// The gradient store is cut into buckets, ranges in the order in which the pass finishes them. A bucket leaves as soon
/// as the pass is beyond it; all ranks announce the same prefixes, so the order is the same everywhere. Each rank's
/// gradients are already divided by the samples of the global step, so that the sum is the mean over them, whatever
/// each rank's share.
///
/// With a sharded optimizer only the first half of the work is done here: each rank gets the sums of its own parts
/// (`shard`), and `collectValues` shares the parameters that follow from them. With local steps gradients stay where
/// they are.
public final class GradientAverager: GradientObserver {
  /// Bytes that leave this rank in a step.
  public let bytesPerStep: Int
  /// What this rank's optimizer updates.
  public let shard: OptimizerShard
  /// What whoever started the run should know about the way sums are made.
  public let notice: String?
  /// What rounding has taken from this rank's gradients so far: part of a run's state. Nil without compression.
  public var residual: AlignedBuffer<Float>? { (exchange as? DirectExchange)?.residual }

  private let store: ParameterStore
  private let communicator: Communicator
  /// Hears of each bucket; where a thread of its own moves them, once all have arrived.
  public weak var observer: (any CommunicationObserver)?
  private let layout: BucketLayout
  /// Nil where gradients stay.
  private let exchange: (any BucketExchange)?
  private let thread: CommunicationThread?
  private let work: BucketWork
  /// One number a rank, for norms.
  private let partials: AlignedBuffer<Double>
  private var isOpen = false
  private let times: BucketTimes
  private var meter = BusyMeter()
  private var exposedSeconds = 0.0
  private var busySeconds = 0.0
  private var bytesSent = 0
  private var failure: MPIError?

  /// - Throws: `KitiError` if the configuration asks for a thread of its own and MPI allows none.
  public init(store: ParameterStore, communicator: Communicator, configuration: ParallelConfiguration) throws {
    self.store = store
    self.communicator = communicator
    let layout = BucketLayout(count: store.count, bucketMiB: configuration.bucketMiB, ranks: communicator.size)
    self.layout = layout
    let isSharded = configuration.shardOptimizer && communicator.size > 1
    work = isSharded ? .sumOwnParts : .sum
    shard = isSharded ? OptimizerShard(layout, rank: communicator.rank) : OptimizerShard(whole: store.count)
    let stays = configuration.localSteps > 1 || communicator.size == 1 && !configuration.keepsSampleSums
    var notice: String?
    exchange = stays ? nil : try configuration.exchange(layout, communicator) { notice = $0 }
    self.notice = notice
    if let exchange = exchange as? SampleSumExchange { store.keepSampleSums(in: exchange.sums) }
    let times = BucketTimes(layout)
    self.times = times
    thread = configuration.progress == .thread ? try exchange.map { try CommunicationThread($0, times) } : nil
    partials = AlignedBuffer(count: communicator.size)
    let collected = isSharded ? exchange?.bytesSent(.collectParts) ?? 0 : 0
    bytesPerStep = (exchange?.bytesSent(work) ?? 0) + collected
  }

  deinit { thread?.stop() }

  /// Since the last `resetTimes`.
  public var report: CommunicationReport {
    CommunicationReport(
      exposedSeconds: exposedSeconds, hiddenSeconds: max(0, busySeconds - exposedSeconds), bytesSent: bytesSent)
  }

  public func resetTimes() {
    exposedSeconds = 0
    busySeconds = 0
    bytesSent = 0
  }

  public func gradientsFinished(_ count: Int) {
    guard let exchange, failure == nil else { return }
    let start = MPI.wallTime
    defer { exposedSeconds += MPI.wallTime - start }
    let buckets = layout.bucketsWithin(count)
    if let thread {
      if !isOpen { thread.begin(work, on: store.gradients.pointer) }
      isOpen = true
      return thread.release(buckets)
    }
    if !isOpen {
      exchange.begin(work, on: store.gradients.pointer)
      times.reset()
    }
    isOpen = true
    if observer != nil { times.note(released: buckets, arrived: exchange.arrived) }
    do throws(MPIError) {
      try exchange.release(buckets)
      // The library moves messages only inside its calls.
      if buckets > 0 { meter.note(isIdle: try exchange.advance()) }
      report(exchange, released: buckets)
    } catch {
      failure = error
    }
  }

  /// Waits until the gradients of all ranks are summed, or this rank's own parts of them. Collective.
  public func finish() throws {
    guard let exchange else { return }
    gradientsFinished(store.count)
    if let failure { throw failure }
    let start = MPI.wallTime
    defer { exposedSeconds += MPI.wallTime - start }
    if let thread {
      busySeconds += try thread.complete()
      if let observer { times.report(to: observer) }
    } else {
      try exchange.complete()
      report(exchange, released: layout.bucketCount)
      meter.note(isIdle: true)
      busySeconds += meter.take()
    }
    bytesSent += exchange.bytesSent(work)
    isOpen = false
  }

  /// Tells the observer which buckets have arrived since it heard last.
  private func report(_ exchange: any BucketExchange, released: Int) {
    guard let observer else { return }
    times.note(released: released, arrived: exchange.arrived)
    times.report(to: observer)
  }

  /// The norm of the gradients, the same on every rank. Collective.
  ///
  /// Sharded, each rank adds up the squares of its parts, and every rank adds these sums in the order of ranks.
  public func gradientNorm() throws -> Double {
    let own = shard.pieces.reduce(0) {
      $0 + sumOfSquares(store.gradients.pointer + $1.range.lowerBound, count: $1.range.count)
    }
    guard shard.layout != nil else { return own.squareRoot() }
    return try sumInOrder(own).squareRoot()
  }

  /// Replaces what each rank has added up over its shard by the sums over all ranks. Collective; nothing to do where
  /// each rank has the whole store.
  public func sumOverShards(_ numbers: UnsafeMutableBufferPointer<Double>) throws {
    guard shard.layout != nil, !numbers.isEmpty else { return }
    let start = MPI.wallTime
    defer { exposedSeconds += MPI.wallTime - start }
    try communicator.allreduce(inPlace: numbers, .sum)
  }

  /// Shares the parameters that each rank has updated, and clears the gradients of the others'. Collective; nothing to
  /// do unless the optimizer is sharded.
  public func collectValues() throws {
    guard let exchange, shard.layout != nil else { return }
    let start = MPI.wallTime
    var end = 0
    for piece in shard.pieces {
      (store.gradients.pointer + end).update(repeating: 0, count: piece.range.lowerBound - end)
      end = piece.range.upperBound
    }
    (store.gradients.pointer + end).update(repeating: 0, count: store.count - end)
    exchange.begin(.collectParts, on: store.values.pointer)
    try exchange.release(layout.bucketCount)
    try exchange.complete()
    let seconds = MPI.wallTime - start
    exposedSeconds += seconds
    busySeconds += seconds
    bytesSent += exchange.bytesSent(.collectParts)
  }

  /// The sum of a number of each rank, added in the order of ranks: the library's order does not matter where all but
  /// one are zero.
  private func sumInOrder(_ number: Double) throws -> Double {
    let start = MPI.wallTime
    defer { exposedSeconds += MPI.wallTime - start }
    partials.buffer.update(repeating: 0)
    partials.pointer[communicator.rank] = number
    try communicator.allreduce(inPlace: partials.buffer, .sum)
    return partials.buffer.reduce(0, +)
  }
}

/// What communication cost this rank.
public struct CommunicationReport: Sendable {
  /// For which the computing thread started, moved or waited for messages.
  public var exposedSeconds: Double
  /// For which buckets were under way, from the departure of the first to the arrival of the last, while this rank
  /// computed. When polling, an arrival counts from the next look at the messages.
  public var hiddenSeconds: Double
  /// Bytes that left this rank.
  public var bytesSent: Int

  public init(exposedSeconds: Double, hiddenSeconds: Double, bytesSent: Int) {
    self.exposedSeconds = exposedSeconds
    self.hiddenSeconds = hiddenSeconds
    self.bytesSent = bytesSent
  }

  public mutating func add(_ other: CommunicationReport) {
    exposedSeconds += other.exposedSeconds
    hiddenSeconds += other.hiddenSeconds
    bytesSent += other.bytesSent
  }

  /// The share of communication that was hidden behind computing; 0 without any.
  public var hiddenShare: Double {
    exposedSeconds + hiddenSeconds > 0 ? hiddenSeconds / (exposedSeconds + hiddenSeconds) : 0
  }
}

extension ParallelConfiguration {
  /// Whether gradients of samples are added up apart, in double precision.
  package var keepsSampleSums: Bool { compression == .none && reduction == .ordered && !shardOptimizer }

  /// Whether ranks of one host would share memory.
  package func asksForSharedMemory(_ ranks: Int) -> Bool {
    sharedMemory && compression == .none && !keepsSampleSums && ranks > 1
  }

  /// What moves the buckets that this asks for: memory where ranks share it, else messages. MPI's own allreduce only
  /// sums whole buckets, in an order of its own. Collective.
  ///
  /// - Parameter notice: hears of it where ranks of one host have to send messages for want of memory to share.
  func exchange(
    _ layout: BucketLayout, _ communicator: Communicator, notice: (String) -> Void = { _ in }
  ) throws(MPIError) -> any BucketExchange {
    if keepsSampleSums { return SampleSumExchange(layout: layout, communicator: communicator) }
    if asksForSharedMemory(layout.ranks), try communicator.host().isOnlyOne {
      if let exchange = try SharedMemoryExchange(layout: layout, communicator: communicator) { return exchange }
      notice(
        "The ranks of this host could not share memory: gradients go by messages, which is slower. Is /dev/shm too "
          + "small, or not the same for all ranks? Containers have an option for its size; smaller parallel.bucketMiB "
          + "needs less of it.")
    }
    if compression == .none, !shardOptimizer {
      return AllreduceExchange(layout: layout, communicator: communicator)
    }
    return DirectExchange(layout: layout, communicator: communicator, isCompressed: compression == .bf16)
  }
}
