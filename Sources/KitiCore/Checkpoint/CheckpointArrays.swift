import KitiHDF5
import KitiMPI

/// One array of a checkpoint and its place in memory.
struct CheckpointArray {
  /// The data set's absolute path: `/model/head/weight`, `/optimizer/mean/head/weight`.
  let path: String
  let shape: [Int]
  let count: Int
  /// What holds the values, and where in it they begin.
  private let memory: AlignedBuffer<Float>
  private let offset: Int

  init(path: String, shape: [Int], count: Int, in memory: AlignedBuffer<Float>, at offset: Int = 0) {
    self.path = path
    self.shape = shape
    self.count = count
    self.memory = memory
    self.offset = offset
  }

  /// The only way to the values: a pointer alone would not keep the memory alive.
  func withValues<Result>(_ body: (UnsafeMutableBufferPointer<Float>) throws -> Result) rethrows -> Result {
    try withExtendedLifetime(memory) {
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
  static let checksum = "xxh3"

  /// - Throws: `KitiError`, kind `.failed`, if a state is not as long as the store.
  init(_ store: ParameterStore, _ optimizerState: [(name: String, buffer: AlignedBuffer<Float>)], ranks: Int) throws {
    var sections = [(Self.model, store.values)]
    for (name, buffer) in optimizerState {
      guard buffer.count == store.count || buffer.count == store.values.count else {
        throw KitiError(
          .failed, "The optimizer's state \(name) has \(buffer.count) numbers, and the parameters \(store.count).",
          remedy: "A checkpoint needs the whole state on every rank.")
      }
      sections.append(("\(Self.optimizer)/\(name)", buffer))
    }
    groups = [Self.model, Self.optimizer] + sections.dropFirst().map { $0.0 }
    arrays = sections.flatMap { prefix, buffer in
      let all = zip(store.parameters + store.statistics, store.ranges + store.statisticsRanges)
      return all.filter { $0.1.upperBound <= buffer.count }.map { parameter, range in
        CheckpointArray(
          path: "\(prefix)/\(parameter.path)", shape: parameter.shape, count: parameter.count,
          in: buffer, at: range.lowerBound)
      }
    }
    let total = arrays.reduce(0) { $0 + $1.count }
    var before = 0
    owners = arrays.map { array in
      defer { before += array.count }
      // The rank in whose part of all numbers the array's middle lies.
      return min(ranks - 1, (before + array.count / 2) * ranks / max(1, total))
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

  /// Copies every array from its owner to all other ranks. Collective.
  func broadcast(_ communicator: Communicator) throws {
    for (array, owner) in zip(arrays, owners) {
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
