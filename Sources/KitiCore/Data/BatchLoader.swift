import Foundation

/// Reads this rank's micro-batches ahead, on a thread of its own, into a ring of buffers made once.
///
/// Micro-batches come in the order epoch, step, part of the step, from any place on: the batches of a resumed run
/// are the tail of those of the first. In the steady state nothing is allocated. For one consuming thread.
public final class BatchLoader {
  /// How many batches there are from the start to the end of the last epoch, empty ones included.
  public let batchCount: Int

  private let ring: BatchRing

  /// Starts reading.
  ///
  /// - Parameters:
  ///   - plan: for as many samples as the split has.
  ///   - capacity: the most samples of a batch.
  ///   - startEpoch: the first epoch.
  ///   - startStep: the first step in it; `stepsPerEpoch` for the beginning of the next one.
  ///   - endEpoch: the epoch after the last one.
  ///   - buffers: batches in memory, the one in use included; 2 or more to read ahead.
  /// - Throws: `KitiError` of kind `.usage` when the plan is for another number of samples, a batch is larger than
  ///   `capacity`, or start and end are no places of the plan.
  public init(
    dataSet: any SampleSource, split: DataSplit, plan: SamplingPlan, capacity: Int, startEpoch: Int, startStep: Int,
    endEpoch: Int, buffers: Int = 3
  ) throws {
    guard plan.sampleCount == dataSet.sampleCount(split) else {
      throw KitiError(
        .usage,
        "The sampling plan is for \(plan.sampleCount) samples, and \(dataSet.path), /\(split.rawValue), has "
          + "\(dataSet.sampleCount(split)).",
        remedy: "Train on the data set that the run began with.")
    }
    guard capacity >= plan.largestLocalCount, buffers >= 1 else {
      throw KitiError(
        .usage,
        "\(buffers) buffers of \(capacity) samples cannot hold batches of \(plan.largestLocalCount) samples.",
        remedy: "Make room for the largest batch of a rank.")
    }
    guard startEpoch >= 0, (0...plan.stepsPerEpoch).contains(startStep), endEpoch <= UInt32.max else {
      throw KitiError(
        .usage,
        "Epoch \(startEpoch), step \(startStep), is no place in epochs of \(plan.stepsPerEpoch) steps.",
        remedy: "Begin at a step that the epoch has.")
    }
    let first = startEpoch * plan.stepsPerEpoch + startStep
    let steps = first..<max(first, endEpoch * plan.stepsPerEpoch)
    batchCount = steps.count * plan.accumulation
    ring = BatchRing(
      slots: (0..<buffers).map { _ in BatchRing.Slot(capacity: capacity, of: dataSet) }, batchCount: batchCount)
    let reader = BatchReader(dataSet: dataSet, split: split, plan: plan, steps: steps, ring: ring)
    // The thread keeps the ring and the data set alive, not the loader, whose end is the thread's.
    let thread = Thread { reader.run() }
    thread.name = "kiti-loader"
    thread.start()
  }

  deinit { stop() }

  /// The next batch, when it has been read; the one before is given up.
  ///
  /// - Throws: the reading thread's error, after the batches before it; `KitiError` of kind `.failed` after the
  ///   last batch and after `stop`.
  public func next() throws -> Batch { try ring.take() }

  /// Ends the reading thread. Batches are invalid afterwards. Takes no longer than reading one sample, and gives
  /// up waiting for that after ten seconds.
  public func stop() { ring.stop() }
}

/// Fills the ring: what runs on the loader's thread.
private final class BatchReader: @unchecked Sendable {
  /// Until the end.
  private var dataSet: (any SampleSource)?
  private let split: DataSplit
  private let plan: SamplingPlan
  /// Counted from the beginning of epoch 0.
  private let steps: Range<Int>
  private let ring: BatchRing
  private let order: AlignedBuffer<UInt32>
  private let words: AlignedBuffer<UInt32>

  init(dataSet: any SampleSource, split: DataSplit, plan: SamplingPlan, steps: Range<Int>, ring: BatchRing) {
    self.dataSet = dataSet
    self.split = split
    self.plan = plan
    self.steps = steps
    self.ring = ring
    order = AlignedBuffer(count: plan.sampleCount)
    words = AlignedBuffer(count: plan.sampleCount)
  }

  func run() {
    var failure: (any Error)?
    do {
      try readAll()
    } catch {
      failure = error
    }
    // The file ends with MPI at the latest, and once the loader is stopped this thread may outlive it.
    dataSet = nil
    ring.end(failure)
  }

  private func readAll() throws {
    var orderedEpoch = -1
    for step in steps {
      let (epoch, stepInEpoch) = step.quotientAndRemainder(dividingBy: plan.stepsPerEpoch)
      if epoch != orderedEpoch {
        plan.fillOrder(epoch: epoch, order.buffer, words: words.buffer)
        orderedEpoch = epoch
      }
      for micro in 0..<plan.accumulation {
        guard let slot = ring.waitForFreeSlot() else { return }
        guard try fill(slot, plan.localPositions(step: stepInEpoch, micro: micro), epoch: epoch) else { return }
        ring.publish()
      }
    }
  }

  /// Returns false if it was stopped before the batch was complete.
  private func fill(_ slot: BatchRing.Slot, _ positions: Range<Int>, epoch: Int) throws -> Bool {
    slot.count = positions.count
    for place in 0..<positions.count {
      guard !ring.isStopped, let dataSet else { return false }
      let index = Int(order.pointer[positions.lowerBound + place])
      slot.indices.pointer[place] = index
      try dataSet.read(
        split, sample: index, view: .training(seed: plan.seed, epoch: epoch),
        input: .init(start: slot.inputs.pointer + place * slot.inputSize, count: slot.inputSize),
        target: .init(start: slot.targets.pointer + place * slot.targetSize, count: slot.targetSize))
    }
    return true
  }
}
