import CXXHash
import KitiMPI

/// Checks that all ranks hold the same parameters, to the bit.
public struct ParameterConsistency {
  private let store: ParameterStore
  private let communicator: Communicator

  public init(store: ParameterStore, communicator: Communicator) {
    self.store = store
    self.communicator = communicator
  }

  /// XXH3, 64 bits, of all parameters.
  public var hash: UInt64 { XXH3_64bits(store.values.pointer, store.count * MemoryLayout<Float>.stride) }

  /// Compares the hash across ranks. Collective; 8 bytes a rank.
  ///
  /// - Throws: `AgreedFailure` that names the ranks which differ from rank 0 and the first parameter in which they do.
  public func check(step: Int) throws {
    guard communicator.size > 1 else { return }
    let hashes = try communicator.allgather(hash)
    let others = hashes.indices.filter { hashes[$0] != hashes[0] }
    guard !others.isEmpty else { return }
    let own = zip(store.parameters, store.ranges).map {
      XXH3_64bits(store.values.pointer + $1.lowerBound, $0.count * MemoryLayout<Float>.stride)
    }
    let all = try communicator.allgather(own)
    let count = own.count
    let first = (0..<count).reversed().first { index in
      others.contains { all[$0 * count + index] != all[index] }
    }
    let name = first.map { store.parameters[$0].path } ?? "none by name"
    throw AgreedFailure(
      error: KitiError(
        .failed,
        "After step \(step) rank\(others.count > 1 ? "s" : "") \(others.map(String.init).joined(separator: ", ")) hold "
          + "other parameters than rank 0; the first that differs is '\(name)'.",
        remedy: "Training on would average different models: resume from the last checkpoint, and check these ranks' "
          + "memory and that all nodes run the same build."),
      rank: 0)
  }
}
