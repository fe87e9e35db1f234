import KitiHDF5
import KitiMPI

/// One array of a checkpoint and its place in memory.
struct CheckpointArray {
  /// The data set's absolute path: `/model/head/weight`, `/optimizer/mean/head/weight`.
  let path: String
  let shape: [Int]
  let count: Int
  let values: UnsafeMutablePointer<Float>

  /// XXH3 of the values' bytes, which are little-endian on every machine this builds for.
  var hash: UInt64 { CheckpointSeal.hash(UnsafeRawBufferPointer(start: values, count: count * 4)) }
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
      guard buffer.count == store.count else {
        throw KitiError(
          .failed, "The optimizer's state \(name) has \(buffer.count) numbers, and the parameters \(store.count).",
          remedy: "A checkpoint needs the whole state on every rank.")
      }
      sections.append(("\(Self.optimizer)/\(name)", buffer))
    }
    groups = [Self.model, Self.optimizer] + sections.dropFirst().map { $0.0 }
    arrays = sections.flatMap { prefix, buffer in
      zip(store.parameters, store.ranges).map { parameter, range in
        CheckpointArray(
          path: "\(prefix)/\(parameter.path)", shape: parameter.shape, count: parameter.count,
          values: buffer.pointer + range.lowerBound)
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
      try communicator.broadcast(UnsafeMutableBufferPointer(start: array.values, count: array.count), root: owner)
    }
  }
}

/// The data sets of a file that hold numbers.
enum CheckpointTree {
  /// All data sets in a group and in the groups in it, by name. Damaged structure may lead in circles: after
  /// `limit` objects it is an error.
  static func dataSets(in group: Group, limit: Int = 1_000_000) throws(HDF5Error) -> [DataSet] {
    var found: [DataSet] = []
    var seen = 0
    var waiting = [group]
    while let group = waiting.popLast() {
      let children = try group.children()
      seen += children.count
      guard seen <= limit else {
        throw HDF5Error(.damaged, file: group.file.path, object: group.path, "the groups lead in circles.")
      }
      for child in children {
        switch child.kind {
        case .group: waiting.append(try group.group(child.name))
        case .dataSet: found.append(try group.dataSet(child.name))
        case .other: break
        }
      }
    }
    return found.sorted { $0.path < $1.path }
  }

  /// The data set's checksum, `nil` if it has none. Asks for the shape first: a damaged one must not decide how much
  /// memory is taken.
  static func checksum(of dataSet: DataSet) throws(HDF5Error) -> UInt64? {
    let attributes = dataSet.attributes
    guard try attributes.exists(CheckpointArrays.checksum) else { return nil }
    let description = try attributes.description(of: CheckpointArrays.checksum)
    guard description.kind == .uint64, description.shape.isEmpty else { return nil }
    return try attributes.read(CheckpointArrays.checksum)
  }
}
