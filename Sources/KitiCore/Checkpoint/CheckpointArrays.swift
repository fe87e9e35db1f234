import KitiHDF5
import KitiMPI

/// One array of a checkpoint and its place in memory, on all ranks or on its owner alone.
struct CheckpointArray {
  /// The data set's absolute path: `/model/head/weight`, `/optimizer/mean/head/weight`.
  let path: String
  let shape: [Int]
  let count: Int
  /// Whether all ranks hold the same values; else only the owner has any.
  let isReplicated: Bool
  /// What holds the values, and where in it they begin.
  private let memory: AlignedBuffer<Float>
  private let offset: Int

  init(
    path: String, shape: [Int], count: Int, in memory: AlignedBuffer<Float>, at offset: Int = 0, isReplicated: Bool = true
  ) {
    self.path = path
    self.shape = shape
    self.count = count
    self.isReplicated = isReplicated
    self.memory = memory
    self.offset = offset
  }

  /// The only way to the values: a pointer alone would not keep the memory alive.
  func withValues<Result>(_ body: (UnsafeMutableBufferPointer<Float>) throws -> Result) rethrows -> Result {
    precondition(offset + count <= memory.count, "the values of \(path) are on another rank")
    return try withExtendedLifetime(memory) {
      try body(UnsafeMutableBufferPointer(start: memory.pointer + offset, count: count))
    }
  }

  /// XXH3 of the values' bytes, which are little-endian on every machine this builds for.
  var hash: UInt64 { withValues { CheckpointSeal.hash(UnsafeRawBufferPointer($0)) } }
}

/// All arrays of a checkpoint, the parameters and then each state of the optimizer, and how ranks divide them.
///
/// A rank's share is a run of whole arrays of about the same number of bytes as the others': no rank needs another one
/// to move or to hash it, so a failure of one leaves none waiting.
struct CheckpointArrays {
  let arrays: [CheckpointArray]
  /// The groups they lie in, which exist also when empty.
  let groups: [String]
  /// The rank whose share an array is, in the order of `arrays`.
  let owners: [Int]

  static let model = "/model"
  static let optimizer = "/optimizer"
  static let residual = "/residual"
  static let checksum = "xxh3"

  /// The states of a sharded optimizer, and their arrays in this rank's share.
  private let sharded: [(buffer: AlignedBuffer<Float>, arrays: Range<Int>, shards: CheckpointShards)]

  /// - Parameters:
  ///   - shard: which part of the optimizer's state this rank holds.
  ///   - otherState: arrays that are whole on every rank.
  ///   - residual: what compression keeps on this rank; nil if there is none, or if it is not to be written.
  /// - Throws: `KitiError`, kind `.failed`, if a state is not as long as the shard or the store.
  init(
    _ store: ParameterStore, _ optimizerState: [(name: String, buffer: AlignedBuffer<Float>)], _ shard: OptimizerShard,
    otherState: [(name: String, buffer: AlignedBuffer<Float>)], residual: AlignedBuffer<Float>?,
    _ communicator: Communicator
  ) throws {
    try Self.requireLengths(optimizerState, store, shard)
    try Self.requireLengths(otherState, store, OptimizerShard(whole: store.count))
    let states = optimizerState + otherState
    let sections =
      [(Self.model, store.values, false)]
      + states.enumerated().map { index, state in
        ("\(Self.optimizer)/\(state.name)", state.buffer, shard.layout != nil && index < optimizerState.count)
      }
    let named = Array(zip(store.parameters + store.statistics, store.ranges + store.statisticsRanges))
    // An optimizer knows no statistics.
    let contents = sections.map { _, buffer, isSharded in
      isSharded ? Array(named.prefix(store.parameters.count)) : named.filter { $0.1.upperBound <= buffer.count }
    }
    var owners = Self.owners(of: contents.flatMap { $0.map(\.0.count) }, ranks: communicator.size)
    var arrays: [CheckpointArray] = []
    var sharded: [(buffer: AlignedBuffer<Float>, arrays: Range<Int>, shards: CheckpointShards)] = []
    for ((prefix, buffer, isSharded), content) in zip(sections, contents) {
      let section = arrays.count..<arrays.count + content.count
      let mine = owners[section].map { $0 == communicator.rank }
      // Of a sharded state, a rank has the whole arrays of its share only, and only while it reads or writes.
      let share =
        isSharded ? AlignedBuffer(count: zip(mine, content).reduce(0) { $0 + ($1.0 ? $1.1.0.count : 0) }) : buffer
      if isSharded, let layout = shard.layout {
        let shards = CheckpointShards(
          ranges: store.ranges, owners: Array(owners[section]), shard: shard, layout: layout, communicator: communicator)
        sharded.append((buffer, section, shards))
      }
      var end = 0
      for ((parameter, range), isMine) in zip(content, mine) {
        arrays.append(
          CheckpointArray(
            path: "\(prefix)/\(parameter.path)", shape: parameter.shape, count: parameter.count, in: share,
            at: isSharded ? (isMine ? end : share.count) : range.lowerBound, isReplicated: !isSharded))
        if isMine { end += parameter.count }
      }
    }
    var groups = [Self.model, Self.optimizer] + sections.dropFirst().map { $0.0 }
    if let residual {
      groups.append(Self.residual)
      for rank in 0..<communicator.size {
        arrays.append(
          CheckpointArray(
            path: "\(Self.residual)/\(rank)", shape: [store.count], count: store.count,
            in: rank == communicator.rank ? residual : AlignedBuffer(count: 0), isReplicated: false))
        owners.append(rank)
      }
    }
    (self.arrays, self.owners, self.groups, self.sharded) = (arrays, owners, groups, sharded)
  }

  private static func requireLengths(
    _ states: [(name: String, buffer: AlignedBuffer<Float>)], _ store: ParameterStore, _ shard: OptimizerShard
  ) throws {
    for (name, buffer) in states
    where buffer.count != shard.count && (shard.layout != nil || buffer.count != store.values.count) {
      throw KitiError(
        .failed, "The optimizer's state \(name) has \(buffer.count) numbers, and its parameters \(shard.count).",
        remedy: "A checkpoint needs the whole state, or that of the rank's shard.")
    }
  }

  private static func owners(of counts: [Int], ranks: Int) -> [Int] {
    let total = counts.reduce(0, +)
    var before = 0
    return counts.map { count in
      defer { before += count }
      // The rank in whose part of all numbers the array's middle lies.
      return min(ranks - 1, (before + count / 2) * ranks / max(1, total))
    }
  }

  func share(of rank: Int) -> [CheckpointArray] {
    zip(arrays, owners).filter { $0.1 == rank }.map { $0.0 }
  }

  /// The hashes of all arrays, each computed by its owner. Collective.
  func hashes(_ communicator: Communicator) throws -> [UInt64] {
    let mine = zip(arrays, owners).map { array, owner in owner == communicator.rank ? array.hash : 0 }
    return try communicator.allreduce(mine, .sum)
  }

  /// Makes the arrays of a sharded state whole on their owners. Collective.
  func collectShards() throws {
    for (buffer, range, shards) in sharded { try shards.collect(buffer, into: Array(arrays[range])) }
  }

  /// Gives every rank what it has to hold of the arrays that their owners have. Collective.
  func distribute(_ communicator: Communicator) throws {
    for (buffer, range, shards) in sharded { try shards.distribute(Array(arrays[range]), into: buffer) }
    for (array, owner) in zip(arrays, owners) where array.isReplicated {
      try array.withValues { try communicator.broadcast($0, root: owner) }
    }
  }
}

/// The data sets of a file that hold numbers.
enum CheckpointTree {
  /// All data sets in a group and in the groups in it, by name.
  static func dataSets(in group: Group) throws(HDF5Error) -> [DataSet] {
    var found: [DataSet] = []
    var waiting = [group]
    while let group = waiting.popLast() {
      for child in try group.children() {
        switch child.kind {
        case .group: waiting.append(try group.group(child.name))
        case .dataSet: found.append(try group.dataSet(child.name))
        case .other: break
        }
      }
    }
    return found.sorted { $0.path < $1.path }
  }

  /// The data set's checksum, `nil` if it has none.
  static func checksum(of dataSet: DataSet) throws(HDF5Error) -> UInt64? {
    let name = CheckpointArrays.checksum
    return try dataSet.attributes.exists(name) ? try dataSet.attributes.read(name) : nil
  }
}
