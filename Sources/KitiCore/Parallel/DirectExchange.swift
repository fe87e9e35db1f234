import KitiMPI

/// Sums over ranks in two steps that this program makes itself: each rank gets the others' numbers of its own part of a
/// bucket and sums them, then it sends the sums to the others.
///
/// - The order of summation is a balanced tree over the ranks (`RankTreeSum`): it depends on the number of ranks, and
///   on nothing else.
/// - In bfloat16 both steps send halves, with error feedback on either side (DoubleSqueeze, Tang et al., arXiv
///   1905.05957, algorithm 1): a rank keeps what rounding took from the numbers that it sent, and the owner of a part
///   what rounding took from the sums; it goes into the next step. Sums are made in fp32, the owner's own numbers are
///   not rounded, and all ranks, the owner too, end with what the halves stand for.
///   An operator of one's own in MPI's allreduce would round again after every rank.
/// - The two steps can be had alone: a sharded optimizer works between them.
///
/// As many bytes leave a rank as in the best allreduce. Messages number 2(N − 1) a bucket, so that with very many ranks
/// buckets should be large; some tens of ranks are no matter.
final class DirectExchange: BucketExchange {
  /// Buckets under way at a time: what messages need beside the arrays is a window of so many buckets.
  static let window = 8

  /// What rounding has taken from this rank's numbers so far, as long as the array; nil in fp32.
  let residual: AlignedBuffer<Float>?

  private let layout: BucketLayout
  private let communicator: Communicator
  private let me: Int
  private let slots: [BucketSlot]
  private let treeSum: RankTreeSum
  private var work = BucketWork.sum
  private var numbers: UnsafeMutablePointer<Float>?
  private var released = 0
  private var started = 0
  private var completed = 0

  /// - Parameter isCompressed: send bfloat16.
  init(layout: BucketLayout, communicator: Communicator, isCompressed: Bool) {
    self.layout = layout
    self.communicator = communicator
    me = communicator.rank
    let count = min(Self.window, layout.bucketCount)
    slots = (0..<count).map { _ in
      BucketSlot(size: min(layout.bucketSize, layout.count), ranks: layout.ranks, isCompressed: isCompressed)
    }
    residual = isCompressed ? AlignedBuffer(count: layout.count) : nil
    treeSum = RankTreeSum(ranks: layout.ranks)
  }

  func begin(_ work: BucketWork, on numbers: UnsafeMutablePointer<Float>) {
    self.work = work
    self.numbers = numbers
    (released, started, completed) = (0, 0, 0)
  }

  func release(_ count: Int) throws(MPIError) {
    released = max(released, count)
    try startWhatFits()
  }

  var arrived: Int { completed }

  func advance() throws(MPIError) -> Bool {
    for bucket in completed..<started {
      let slot = slots[bucket % slots.count]
      guard slot.phase != .done, try slot.requests.poll() else { continue }
      try finishPhase(of: bucket, slot)
    }
    while completed < started, slots[completed % slots.count].phase == .done { completed += 1 }
    try startWhatFits()
    return completed == released
  }

  func complete() throws(MPIError) {
    while try !advance() {}
  }

  func bytesSent(_ work: BucketWork) -> Int {
    let isHalved = residual != nil && work != .collectParts
    let stride = isHalved ? MemoryLayout<UInt16>.stride : MemoryLayout<Float>.stride
    return layout.countSent(work, from: me) * stride
  }

  // MARK: - Phases of a bucket

  private func startWhatFits() throws(MPIError) {
    while started < released, started - completed < slots.count {
      let slot = slots[started % slots.count]
      if work == .collectParts { try spread(started, slot, halves: nil) } else { try gather(started, slot) }
      started += 1
    }
  }

  private func finishPhase(of bucket: Int, _ slot: BucketSlot) throws(MPIError) {
    switch slot.phase {
    case .gathering:
      sum(bucket, slot)
      if work == .sum { try spread(bucket, slot, halves: slot.halves) } else { slot.phase = .done }
    case .spreading:
      if work == .sum, let halves = slot.halves { decode(bucket, halves) }
      slot.phase = .done
    case .done:
      break
    }
  }

  /// Sends the others their parts, and receives this rank's part from them.
  private func gather(_ bucket: Int, _ slot: BucketSlot) throws(MPIError) {
    guard let numbers else { return }
    let (start, own) = (layout.bucket(bucket).lowerBound, layout.part(of: bucket, rank: me))
    for distance in 1..<layout.ranks where !own.isEmpty {
      let rank = peer(-distance)
      if let halves = slot.receivedHalves {
        try receive(halves.pointer + rank * own.count, own.count, rank, bucket, .gathering, slot)
      } else if let whole = slot.receivedWhole {
        try receive(whole.pointer + rank * own.count, own.count, rank, bucket, .gathering, slot)
      }
    }
    if let residual {
      moveInto(numbers + own.lowerBound, from: residual.pointer + own.lowerBound, count: own.count)
    }
    for distance in 1..<layout.ranks {
      let rank = peer(distance)
      let part = layout.part(of: bucket, rank: rank)
      guard !part.isEmpty else { continue }
      if let residual, let halves = slot.halves {
        let target = halves.pointer + (part.lowerBound - start)
        encodeBFloat16(
          numbers + part.lowerBound, feedback: residual.pointer + part.lowerBound, count: part.count, into: target,
          decoded: nil)
        try send(target, part.count, rank, bucket, .gathering, slot)
      } else {
        try send(numbers + part.lowerBound, part.count, rank, bucket, .gathering, slot)
      }
    }
    slot.phase = .gathering
  }

  private func sum(_ bucket: Int, _ slot: BucketSlot) {
    guard let numbers else { return }
    let own = layout.part(of: bucket, rank: me)
    let (me, mine) = (me, numbers + own.lowerBound)
    if let halves = slot.receivedHalves?.pointer {
      treeSum(ranks: layout.ranks, count: own.count, into: mine) { rank, offset, count, sum, isFirst in
        if rank == me {
          accumulate(mine + offset, count: count, in: sum, isFirst: isFirst)
        } else {
          accumulate(halves + (rank * own.count + offset), count: count, in: sum, isFirst: isFirst)
        }
      }
    } else if let whole = slot.receivedWhole?.pointer {
      treeSum(ranks: layout.ranks, count: own.count, into: mine) { rank, offset, count, sum, isFirst in
        let piece = rank == me ? mine + offset : whole + (rank * own.count + offset)
        accumulate(piece, count: count, in: sum, isFirst: isFirst)
      }
    }
  }

  /// Sends this rank's part to the others, and receives theirs.
  ///
  /// - Parameter halves: where the bucket in bfloat16 is sent from and received; nil in fp32, which needs no such
  ///   place.
  private func spread(_ bucket: Int, _ slot: BucketSlot, halves: AlignedBuffer<UInt16>?) throws(MPIError) {
    guard let numbers else { return }
    let (start, own) = (layout.bucket(bucket).lowerBound, layout.part(of: bucket, rank: me))
    for distance in 1..<layout.ranks {
      let rank = peer(-distance)
      let part = layout.part(of: bucket, rank: rank)
      guard !part.isEmpty else { continue }
      if let halves {
        try receive(halves.pointer + (part.lowerBound - start), part.count, rank, bucket, .spreading, slot)
      } else {
        try receive(numbers + part.lowerBound, part.count, rank, bucket, .spreading, slot)
      }
    }
    if let halves, let residual {
      encodeBFloat16(
        numbers + own.lowerBound, feedback: residual.pointer + own.lowerBound, count: own.count,
        into: halves.pointer + (own.lowerBound - start), decoded: numbers + own.lowerBound)
    }
    for distance in 1..<layout.ranks where !own.isEmpty {
      if let halves {
        try send(halves.pointer + (own.lowerBound - start), own.count, peer(distance), bucket, .spreading, slot)
      } else {
        try send(numbers + own.lowerBound, own.count, peer(distance), bucket, .spreading, slot)
      }
    }
    slot.phase = .spreading
  }

  /// Takes over the others' parts; this rank's own is there already.
  private func decode(_ bucket: Int, _ halves: AlignedBuffer<UInt16>) {
    guard let numbers else { return }
    let (whole, own) = (layout.bucket(bucket), layout.part(of: bucket, rank: me))
    decodeBFloat16(halves.pointer, count: own.lowerBound - whole.lowerBound, into: numbers + whole.lowerBound)
    decodeBFloat16(
      halves.pointer + (own.upperBound - whole.lowerBound), count: whole.upperBound - own.upperBound,
      into: numbers + own.upperBound)
  }

  // MARK: - Messages

  /// Ranks begin with their neighbours, so that they do not all send to the same one.
  private func peer(_ distance: Int) -> Int { (me + distance + layout.ranks) % layout.ranks }

  private func tag(_ bucket: Int, _ phase: BucketSlot.Phase) -> Int { 2 * bucket + (phase == .gathering ? 0 : 1) }

  private func send<T: MPIElement>(
    _ source: UnsafeMutablePointer<T>, _ count: Int, _ rank: Int, _ bucket: Int, _ phase: BucketSlot.Phase,
    _ slot: BucketSlot
  ) throws(MPIError) {
    try slot.requests.startSend(
      UnsafeBufferPointer(start: source, count: count), to: rank, tag: tag(bucket, phase), on: communicator)
  }

  private func receive<T: MPIElement>(
    _ target: UnsafeMutablePointer<T>, _ count: Int, _ rank: Int, _ bucket: Int, _ phase: BucketSlot.Phase,
    _ slot: BucketSlot
  ) throws(MPIError) {
    try slot.requests.startReceive(
      into: UnsafeMutableBufferPointer(start: target, count: count), from: rank, tag: tag(bucket, phase),
      on: communicator)
  }
}

/// A bucket under way: its messages and the memory that they need.
final class BucketSlot {
  enum Phase { case gathering, spreading, done }

  var phase = Phase.done
  let requests: RequestSet
  /// This rank's part as the others have it, one after another.
  let receivedWhole: AlignedBuffer<Float>?
  let receivedHalves: AlignedBuffer<UInt16>?
  /// The bucket in bfloat16.
  let halves: AlignedBuffer<UInt16>?

  init(size: Int, ranks: Int, isCompressed: Bool) {
    requests = RequestSet(capacity: 2 * (ranks - 1))
    // Parts differ by a cache line at most.
    let room = size + 16 * ranks
    receivedWhole = isCompressed ? nil : AlignedBuffer(count: room)
    receivedHalves = isCompressed ? AlignedBuffer(count: room) : nil
    halves = isCompressed ? AlignedBuffer(count: size) : nil
  }
}
