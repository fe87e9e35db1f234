import Foundation

/// A ring of batch buffers between a thread that fills them and one that uses them.
///
/// The condition's lock guards the counters, and the counters say whose a slot is: slot `n % slots.count` belongs
/// to the user from the publication of batch n until it asks for batch n + 1, and to the reader otherwise.
final class BatchRing: @unchecked Sendable {
  /// The memory of one batch.
  final class Slot {
    let inputSize: Int
    let targetSize: Int
    let inputs: AlignedBuffer<Float>
    let targets: AlignedBuffer<Float>
    let indices: AlignedBuffer<Int>
    var count = 0

    init(capacity: Int, of dataSet: any SampleSource) {
      inputSize = dataSet.inputShape.reduce(1, *)
      targetSize = dataSet.targetShape.reduce(1, *)
      inputs = AlignedBuffer(count: capacity * inputSize)
      targets = AlignedBuffer(count: capacity * targetSize)
      indices = AlignedBuffer(count: capacity)
    }
  }

  private let slots: [Slot]
  private let batchCount: Int
  private let condition = NSCondition()
  /// Batches that were filled, that were asked for, and that are no longer in use.
  private var published = 0
  private var taken = 0
  private var released = 0
  private var stopped = false
  private var ended = false
  private var failure: (any Error)?

  init(slots: [Slot], batchCount: Int) {
    self.slots = slots
    self.batchCount = batchCount
  }

  var isStopped: Bool { condition.withLock { stopped } }

  /// For the reader: the slot of the next batch, once it is free; `nil` once stopped.
  func waitForFreeSlot() -> Slot? {
    condition.withLock {
      while published - released == slots.count && !stopped { condition.wait() }
      return stopped ? nil : slots[published % slots.count]
    }
  }

  /// Hands over the slot that `waitForFreeSlot` gave.
  func publish() {
    condition.withLock {
      published += 1
      condition.broadcast()
    }
  }

  /// The last call of the reader.
  func end(_ error: (any Error)?) {
    condition.withLock {
      failure = error
      ended = true
      condition.broadcast()
    }
  }

  /// For the user: gives up the batch before, and waits for the next one.
  func take() throws -> Batch {
    try condition.withLock {
      released = taken
      condition.broadcast()
      while published == taken && !ended && !stopped { condition.wait() }
      guard !stopped else {
        throw KitiError(.failed, "A batch was asked of a loader that has been stopped.", remedy: "")
      }
      guard published > taken else {
        throw failure
          ?? KitiError(.failed, "All \(batchCount) batches were taken, and one more was asked for.", remedy: "")
      }
      let slot = slots[taken % slots.count]
      taken += 1
      return Batch(
        count: slot.count, inputs: UnsafePointer(slot.inputs.pointer), targets: UnsafePointer(slot.targets.pointer),
        indices: UnsafePointer(slot.indices.pointer))
    }
  }

  /// Returns when the reader has ended. A file system that hangs must not hang the program's end too, so the
  /// wait is bounded; the slots live as long as the reader holds the ring.
  func stop() {
    let limit = Date(timeIntervalSinceNow: 10)
    condition.withLock {
      stopped = true
      condition.broadcast()
      while !ended && condition.wait(until: limit) {}
    }
  }
}
