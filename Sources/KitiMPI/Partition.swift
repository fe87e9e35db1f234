import CMPI

/// Where each rank's block lies in a buffer, in elements.
struct Partition {
  let counts: [Int]
  let displacements: [Int]

  init(counts: [Int], displacements: [Int]) {
    self.counts = counts
    self.displacements = displacements
  }

  /// Blocks one after another, in the order of ranks.
  init(_ counts: [Int]) {
    var end = 0
    self.init(
      counts: counts,
      displacements: counts.map { count in
        defer { end += count }
        return end
      })
  }

  var rawCounts: [Int32] { counts.map(Int32.init) }
  var rawDisplacements: [Int32] { displacements.map(Int32.init) }

  func cut<T>(_ values: [T]) -> [[T]] {
    zip(counts, displacements).map { count, start in Array(values[start..<(start + count)]) }
  }
}

/// The blocks of a partition as derived datatypes, for counts and places beyond MPI's `int`.
///
/// Empty blocks have a count of zero. `free()` must be called once the operation is over.
struct BlockTypes {
  private(set) var counts: [Int32]
  private(set) var types: [OpaquePointer?]

  init(_ partition: Partition?, of kind: ElementKind, size: Int) throws(MPIError) {
    counts = [Int32](repeating: 0, count: size)
    types = [OpaquePointer?](repeating: kiti_type_byte(), count: size)
    guard let partition else { return }
    for rank in 0..<size where partition.counts[rank] > 0 {
      do throws(MPIError) {
        types[rank] = try DerivedType.make(
          partition.counts[rank], of: kind, displacement: partition.displacements[rank])
      } catch {
        free()
        throw error
      }
      counts[rank] = 1
    }
  }

  func free() {
    for (count, type) in zip(counts, types) where count > 0 {
      if let type { DerivedType.free(type) }
    }
  }
}
