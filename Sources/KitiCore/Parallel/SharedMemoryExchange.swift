import KitiMPI
import Synchronization

/// Sums between the ranks of one host through memory that they share: no message, no lock, and no copy but what the sums
/// themselves need.
///
/// Each rank has a window of a few buckets that all can read. A bucket goes through three stages, and each rank takes it
/// from one to the next when it looks, as far as the others have come:
///
/// 1. *staged*: what the other ranks own of this rank's numbers lies in its window;
/// 2. *summed*: this rank has added up its own part, and lays it in its window as well;
/// 3. *done*: it has taken over the other ranks' parts, and needs nothing of their windows any more.
///
/// Three counters a rank, which only it writes and which only grow, say how far it has come. A place in the window is
/// free again when all ranks are done with the bucket before in it. While buckets are cut small the windows stay in the
/// processors' caches, however large the array is.
///
/// The order of summation is that of `DirectExchange`, a balanced tree over the ranks, to the last bit.
final class SharedMemoryExchange: BucketExchange {
  /// Buckets of which a rank can be ahead of the slowest one.
  static let window = 8

  private let layout: BucketLayout
  private let memory: SharedMemory
  private let me: Int
  private let treeSum: RankTreeSum
  private let windows: [RankWindow]
  private var work = BucketWork.sum
  private var numbers: UnsafeMutablePointer<Float>?
  /// Buckets of all arrays before this one.
  private var before = 0
  private var released = 0
  private var staged = 0
  private var summed = 0
  private var done = 0

  /// Nil on all ranks where they cannot share memory. Collective.
  init?(layout: BucketLayout, communicator: Communicator) throws(MPIError) {
    let bucket = min(layout.bucketSize, layout.count)
    let slots = min(Self.window, layout.bucketCount)
    guard
      let memory = try SharedMemory(
        bytesPerRank: RankWindow.byteCount(slots: slots, bucket: bucket), communicator: communicator)
    else { return nil }
    self.layout = layout
    self.memory = memory
    me = communicator.rank
    treeSum = RankTreeSum(ranks: layout.ranks)
    windows = (0..<layout.ranks).map { RankWindow(memory.region(of: $0), slots: slots, bucket: bucket) }
  }

  func begin(_ work: BucketWork, on numbers: UnsafeMutablePointer<Float>) {
    before += done
    self.work = work
    self.numbers = numbers
    (released, staged, summed, done) = (0, 0, 0, 0)
  }

  func release(_ count: Int) {
    released = max(released, count)
    moveOn()
  }

  var arrived: Int { done }

  func advance() -> Bool {
    moveOn()
    return done == released
  }

  func complete() throws(MPIError) {
    try memory.wait("sum through shared memory") { advance() }
  }

  /// What other ranks read of this rank's window.
  func bytesSent(_ work: BucketWork) -> Int { layout.countSent(work, from: me) * MemoryLayout<Float>.stride }

  // MARK: - Stages of a bucket

  /// Takes buckets on as far as the other ranks have come.
  private func moveOn() {
    while staged < released, all(.done, have: before + staged + 1 - windows[me].slots) {
      stage(staged)
      staged += 1
      windows[me].set(.staged, before + staged)
    }
    while summed < staged, work == .collectParts || all(.staged, have: before + summed + 1) {
      if work != .collectParts { sum(summed) }
      summed += 1
      windows[me].set(.summed, before + summed)
    }
    while done < summed, work == .sumOwnParts || all(.summed, have: before + done + 1) {
      if work != .sumOwnParts { collect(done) }
      done += 1
      windows[me].set(.done, before + done)
    }
  }

  private func all(_ stage: RankWindow.Stage, have count: Int) -> Bool {
    windows.allSatisfy { $0.count(stage) >= count }
  }

  private func stage(_ bucket: Int) {
    guard let numbers else { return }
    let (whole, own) = (layout.bucket(bucket), layout.part(of: bucket, rank: me))
    let slot = windows[me].slot(before + bucket)
    if work == .collectParts {
      (slot + (own.lowerBound - whole.lowerBound)).update(from: numbers + own.lowerBound, count: own.count)
      return
    }
    slot.update(from: numbers + whole.lowerBound, count: own.lowerBound - whole.lowerBound)
    (slot + (own.upperBound - whole.lowerBound)).update(
      from: numbers + own.upperBound, count: whole.upperBound - own.upperBound)
  }

  private func sum(_ bucket: Int) {
    guard let numbers else { return }
    let own = layout.part(of: bucket, rank: me)
    let start = own.lowerBound - layout.bucket(bucket).lowerBound
    let (me, windows, index) = (me, windows, before + bucket)
    let mine = numbers + own.lowerBound
    treeSum(ranks: layout.ranks, count: own.count, into: mine) { rank, offset, count, sum, isFirst in
      let piece = rank == me ? mine : windows[rank].slot(index) + start
      accumulate(piece + offset, count: count, in: sum, isFirst: isFirst)
    }
    if work == .sum { (windows[me].slot(index) + start).update(from: mine, count: own.count) }
  }

  private func collect(_ bucket: Int) {
    guard let numbers else { return }
    let start = layout.bucket(bucket).lowerBound
    // Ranks begin with their neighbours, so that they do not all read from the same one.
    for distance in 1..<layout.ranks {
      let rank = (me + distance) % layout.ranks
      let part = layout.part(of: bucket, rank: rank)
      let sums = windows[rank].slot(before + bucket) + (part.lowerBound - start)
      (numbers + part.lowerBound).update(from: sums, count: part.count)
    }
  }
}

/// What one rank lets the others see: how far it has come, and a ring of buckets.
private struct RankWindow {
  enum Stage: Int, CaseIterable { case staged, summed, done }

  let slots: Int

  private let memory: UnsafeMutableRawPointer
  private let bucket: Int

  /// Counters lie on cache lines of their own, two apart: processors fetch lines in pairs.
  private static let spacing = 128
  private static var head: Int { Stage.allCases.count * spacing }

  static func byteCount(slots: Int, bucket: Int) -> Int { head + slots * bucket * MemoryLayout<Float>.stride }

  /// - Parameters:
  ///   - memory: `byteCount` bytes. Zeros, as it is at first, are counters at zero.
  ///   - bucket: numbers of a bucket.
  init(_ memory: UnsafeMutableRawPointer, slots: Int, bucket: Int) {
    self.memory = memory
    self.slots = slots
    self.bucket = bucket
  }

  /// Buckets, over all arrays, that the rank has taken so far. What it wrote before can be read after.
  func count(_ stage: Stage) -> Int { counter(stage).pointee.load(ordering: .acquiring) }

  /// Only the rank itself may.
  func set(_ stage: Stage, _ count: Int) { counter(stage).pointee.store(count, ordering: .releasing) }

  private func counter(_ stage: Stage) -> UnsafeMutablePointer<Atomic<Int>> {
    (memory + stage.rawValue * Self.spacing).assumingMemoryBound(to: Atomic<Int>.self)
  }

  /// Where the bucket with this number, counted over all arrays, lies.
  func slot(_ index: Int) -> UnsafeMutablePointer<Float> {
    (memory + Self.head).assumingMemoryBound(to: Float.self) + index % slots * bucket
  }
}
