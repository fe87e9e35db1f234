import Foundation
import KitiMPI
import Synchronization

/// A thread that moves buckets while another computes.
///
/// It sleeps unless buckets are under way, and only it calls MPI then: MPI must have been started for threads that take
/// turns (`serialized`), and the computing thread must not call MPI between the first `release` of a step and
/// `complete`.
///
/// The two may share one core: between looks at its messages the thread gives the core away, until someone waits for
/// it.
final class CommunicationThread: @unchecked Sendable {
  private let exchange: any BucketExchange
  private let times: BucketTimes
  private let condition = NSCondition()
  private let released = Atomic<Int>(0)
  private let isAwaited = Atomic<Bool>(false)
  // Guarded by the condition.
  private var finished = 0
  private var isStopped = false
  private var failure: MPIError?
  private var meter = BusyMeter()

  /// Between two looks at the messages.
  private static let pauseMicroseconds: UInt32 = 20

  /// - Parameter times: learns when buckets leave and arrive; for the caller after `complete`.
  init(_ exchange: any BucketExchange, _ times: BucketTimes) throws {
    guard MPI.providedThreadLevel >= .serialized else {
      throw KitiError(
        .failed, "parallel.progress is thread, and this MPI lets only the thread that started it communicate.",
        remedy: "Set parallel.progress to poll, or use an MPI that was built with thread support.")
    }
    self.exchange = exchange
    self.times = times
    let thread = Thread { [self] in run() }
    thread.name = "communication"
    thread.start()
  }

  /// Begins with an array; nothing is under way.
  func begin(_ work: BucketWork, on numbers: UnsafeMutablePointer<Float>) {
    condition.withLock {
      exchange.begin(work, on: numbers)
      times.reset()
      released.store(0, ordering: .releasing)
      finished = 0
    }
  }

  /// Lets the first `count` buckets leave.
  func release(_ count: Int) {
    guard count > released.load(ordering: .relaxed) else { return }
    condition.withLock {
      released.store(count, ordering: .releasing)
      condition.broadcast()
    }
  }

  /// Returns when all released buckets are there, with the time in which any was under way since the last call.
  func complete() throws -> Double {
    isAwaited.store(true, ordering: .releasing)
    defer { isAwaited.store(false, ordering: .releasing) }
    return try condition.withLock {
      while finished < released.load(ordering: .acquiring), failure == nil { condition.wait() }
      if let failure { throw failure }
      return meter.take()
    }
  }

  /// Ends the thread once nothing is under way.
  func stop() {
    condition.withLock {
      isStopped = true
      condition.broadcast()
    }
  }

  private func run() {
    while let count = waitForWork() {
      condition.withLock { meter.note(isIdle: false) }
      do throws(MPIError) {
        let done = try move(count)
        condition.withLock {
          finished = done
          meter.note(isIdle: true)
          condition.broadcast()
        }
      } catch {
        return condition.withLock {
          failure = error
          condition.broadcast()
        }
      }
    }
  }

  private func waitForWork() -> Int? {
    condition.withLock {
      while finished == released.load(ordering: .acquiring), !isStopped { condition.wait() }
      return isStopped ? nil : released.load(ordering: .acquiring)
    }
  }

  /// Moves until nothing is under way, and takes up what is released meanwhile.
  private func move(_ count: Int) throws(MPIError) -> Int {
    var count = count
    while true {
      times.note(released: count, arrived: exchange.arrived)
      try exchange.release(count)
      let isIdle = try exchange.advance()
      times.note(released: count, arrived: exchange.arrived)
      let now = released.load(ordering: .acquiring)
      if now > count {
        count = now
      } else if isIdle {
        return count
      } else if !isAwaited.load(ordering: .acquiring) {
        usleep(Self.pauseMicroseconds)
      }
    }
  }
}

/// Adds up the time in which something is under way.
struct BusyMeter {
  private var since: Double?
  private var seconds = 0.0

  mutating func note(isIdle: Bool) {
    if isIdle {
      if let since { seconds += MPI.wallTime - since }
      since = nil
    } else if since == nil {
      since = MPI.wallTime
    }
  }

  /// The time so far, and begins anew.
  mutating func take() -> Double {
    defer { seconds = 0 }
    return seconds
  }
}
