import CMPI

// Blocks whose sizes differ by rank. They lie one after another, in the order of ranks.
extension Communicator {
  /// Collects a block of any size from every rank on the root.
  ///
  /// Costs one small broadcast more than MPI's own, since all ranks must know whether the counts fit MPI's.
  ///
  /// - Parameters:
  ///   - send: this rank's block, `counts[rank]` elements.
  ///   - receive: all blocks, on the root; not looked at elsewhere.
  ///   - counts: elements of each rank, on the root; not looked at elsewhere.
  public func gather<T: MPIElement>(
    _ send: UnsafeBufferPointer<T>, into receive: UnsafeMutableBufferPointer<T>?, counts: [Int], root: Int
  ) throws(MPIError) {
    try requireUsable("MPI_Gatherv")
    try requireRoot(root, "MPI_Gatherv")
    if rank == root {
      try require("the counts", counts, fill: receive?.count ?? 0, "MPI_Gatherv")
      try require("the root's send buffer", holds: send.count, elements: counts[rank], "MPI_Gatherv")
    }
    let total = try broadcast(receive?.count ?? 0, root: root)
    guard total <= LargeCount.limit else {
      return try exchange(
        send.baseAddress, sent(send.count, to: root), receive?.baseAddress,
        rank == root ? Partition(counts) : nil, ElementKind(T.self))
    }
    let partition = rank == root ? Partition(counts) : nil
    try MPIError.check(
      MPI_Gatherv(
        placeholder(UnsafeRawPointer(send.baseAddress)), Int32(send.count), T.mpiDatatype,
        placeholder(UnsafeMutableRawPointer(receive?.baseAddress)), partition?.rawCounts,
        partition?.rawDisplacements, T.mpiDatatype, Int32(root), handle),
      "MPI_Gatherv")
  }

  /// The arrays of all ranks, of any counts, on the root; nil elsewhere.
  public func gather<T: MPIElement>(varying values: [T], root: Int) throws(MPIError) -> [[T]]? {
    let counts = try gather(values.count, root: root)
    guard let counts else {
      try values.withUnsafeBufferPointer { (send) throws(MPIError) in
        try gather(send, into: nil, counts: [], root: root)
      }
      return nil
    }
    let all: [T] = try makeArray(counts.reduce(0, +)) { (receive) throws(MPIError) in
      try values.withUnsafeBufferPointer { (send) throws(MPIError) in
        try gather(send, into: receive, counts: counts, root: root)
      }
    }
    return Partition(counts).cut(all)
  }

  /// The texts of all ranks, in the order of ranks, on the root; nil elsewhere.
  public func gather(_ text: String, root: Int) throws(MPIError) -> [String]? {
    try gather(varying: Array(text.utf8), root: root)?.map { String(decoding: $0, as: UTF8.self) }
  }

  /// Collects a block of any size from every rank on every rank.
  ///
  /// - Parameters:
  ///   - send: this rank's block, `counts[rank]` elements; elsewhere in memory than `receive`.
  ///   - receive: all blocks.
  ///   - counts: elements of each rank, the same on every rank.
  public func allgather<T: MPIElement>(
    _ send: UnsafeBufferPointer<T>, into receive: UnsafeMutableBufferPointer<T>, counts: [Int]
  ) throws(MPIError) {
    try requireUsable("MPI_Allgatherv")
    try require("the counts", counts, fill: receive.count, "MPI_Allgatherv")
    try require("the send buffer", holds: send.count, elements: counts[rank], "MPI_Allgatherv")
    guard receive.count > 0 else { return }
    let partition = Partition(counts)
    guard receive.count <= LargeCount.limit else {
      let toEveryone = Partition(
        counts: [Int](repeating: send.count, count: size), displacements: [Int](repeating: 0, count: size))
      return try exchange(
        send.baseAddress, toEveryone, receive.baseAddress, partition, ElementKind(T.self))
    }
    try MPIError.check(
      MPI_Allgatherv(
        placeholder(UnsafeRawPointer(send.baseAddress)), Int32(send.count), T.mpiDatatype,
        receive.baseAddress, partition.rawCounts, partition.rawDisplacements, T.mpiDatatype, handle),
      "MPI_Allgatherv")
  }

  /// The arrays of all ranks, of any counts, in the order of ranks.
  public func allgather<T: MPIElement>(varying values: [T]) throws(MPIError) -> [[T]] {
    let counts = try allgather(values.count)
    let all: [T] = try makeArray(counts.reduce(0, +)) { (receive) throws(MPIError) in
      try values.withUnsafeBufferPointer { (send) throws(MPIError) in
        try allgather(send, into: receive, counts: counts)
      }
    }
    return Partition(counts).cut(all)
  }

  /// The texts of all ranks, in the order of ranks.
  public func allgather(_ text: String) throws(MPIError) -> [String] {
    try allgather(varying: Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Gives the root's block i, of any size, to rank i.
  ///
  /// Costs one small broadcast more than MPI's own, since all ranks must know whether the counts fit MPI's.
  ///
  /// - Parameters:
  ///   - send: all blocks, on the root; not looked at elsewhere.
  ///   - counts: elements for each rank, on the root; not looked at elsewhere.
  ///   - receive: this rank's block, `counts[rank]` elements.
  public func scatter<T: MPIElement>(
    _ send: UnsafeBufferPointer<T>?, counts: [Int], into receive: UnsafeMutableBufferPointer<T>, root: Int
  ) throws(MPIError) {
    try requireUsable("MPI_Scatterv")
    try requireRoot(root, "MPI_Scatterv")
    if rank == root {
      try require("the counts", counts, fill: send?.count ?? 0, "MPI_Scatterv")
      try require("the root's receive buffer", holds: receive.count, elements: counts[rank], "MPI_Scatterv")
    }
    let total = try broadcast(send?.count ?? 0, root: root)
    guard total <= LargeCount.limit else {
      return try exchange(
        send?.baseAddress, rank == root ? Partition(counts) : nil, receive.baseAddress,
        sent(receive.count, to: root), ElementKind(T.self))
    }
    let partition = rank == root ? Partition(counts) : nil
    try MPIError.check(
      MPI_Scatterv(
        placeholder(UnsafeRawPointer(send?.baseAddress)), partition?.rawCounts, partition?.rawDisplacements,
        T.mpiDatatype, placeholder(UnsafeMutableRawPointer(receive.baseAddress)), Int32(receive.count),
        T.mpiDatatype, Int32(root), handle),
      "MPI_Scatterv")
  }

  /// The root's array number `rank`; what the others pass does not matter.
  public func scatter<T: MPIElement>(varying values: [[T]], root: Int) throws(MPIError) -> [T] {
    // The number of arrays travels before it is checked, so that a wrong one is an error on every rank.
    let parts = try broadcast(values.count, root: root)
    try require("the root's list of arrays", holds: parts, elements: size, "MPI_Scatterv")
    let counts = values.map(\.count)
    let own = try scatter(counts, root: root)[0]
    return try makeArray(own) { (receive) throws(MPIError) in
      try Array(values.joined()).withUnsafeBufferPointer { (send) throws(MPIError) in
        try scatter(rank == root ? send : nil, counts: counts, into: receive, root: root)
      }
    }
  }

  /// Sends a block of any size from every rank to every rank.
  ///
  /// Costs one small allreduce more than MPI's own, since all ranks must know whether the counts fit MPI's.
  ///
  /// - Parameters:
  ///   - send: the blocks for all ranks; `sendCounts[i]` elements go to rank i.
  ///   - receive: the blocks from all ranks, elsewhere in memory; `receiveCounts[i]` elements come from rank i.
  public func allToAll<T: MPIElement>(
    _ send: UnsafeBufferPointer<T>, sendCounts: [Int], into receive: UnsafeMutableBufferPointer<T>,
    receiveCounts: [Int]
  ) throws(MPIError) {
    try requireUsable("MPI_Alltoallv")
    try require("the send counts", sendCounts, fill: send.count, "MPI_Alltoallv")
    try require("the receive counts", receiveCounts, fill: receive.count, "MPI_Alltoallv")
    let outgoing = Partition(sendCounts)
    let incoming = Partition(receiveCounts)
    let largest = try allreduce(Swift.max(send.count, receive.count), .maximum)
    guard largest <= LargeCount.limit else {
      return try exchange(send.baseAddress, outgoing, receive.baseAddress, incoming, ElementKind(T.self))
    }
    try MPIError.check(
      MPI_Alltoallv(
        placeholder(UnsafeRawPointer(send.baseAddress)), outgoing.rawCounts, outgoing.rawDisplacements,
        T.mpiDatatype, placeholder(UnsafeMutableRawPointer(receive.baseAddress)), incoming.rawCounts,
        incoming.rawDisplacements, T.mpiDatatype, handle),
      "MPI_Alltoallv")
  }

  /// Array number `rank` of every rank, in the order of ranks; each rank passes one array for each rank.
  public func allToAll<T: MPIElement>(varying values: [[T]]) throws(MPIError) -> [[T]] {
    try require("the list of arrays", holds: values.count, elements: size, "MPI_Alltoallv")
    let sendCounts = values.map(\.count)
    let receiveCounts = try allToAll(sendCounts)
    let all: [T] = try makeArray(receiveCounts.reduce(0, +)) { (receive) throws(MPIError) in
      try Array(values.joined()).withUnsafeBufferPointer { (send) throws(MPIError) in
        try allToAll(send, sendCounts: sendCounts, into: receive, receiveCounts: receiveCounts)
      }
    }
    return Partition(receiveCounts).cut(all)
  }

  /// One block that goes to, or comes from, one rank only.
  private func sent(_ count: Int, to partner: Int) -> Partition {
    var counts = [Int](repeating: 0, count: size)
    counts[partner] = count
    return Partition(counts: counts, displacements: [Int](repeating: 0, count: size))
  }

  /// Moves blocks between all ranks when MPI's own calls cannot count them: every block is one element of a
  /// datatype that holds its size and place.
  private func exchange(
    _ send: UnsafeRawPointer?, _ outgoing: Partition?, _ receive: UnsafeMutableRawPointer?,
    _ incoming: Partition?, _ kind: ElementKind
  ) throws(MPIError) {
    let outgoing = try BlockTypes(outgoing, of: kind, size: size)
    defer { outgoing.free() }
    let incoming = try BlockTypes(incoming, of: kind, size: size)
    defer { incoming.free() }
    let noDisplacements = [Int32](repeating: 0, count: size)
    try MPIError.check(
      MPI_Alltoallw(
        placeholder(send), outgoing.counts, noDisplacements, outgoing.types, placeholder(receive),
        incoming.counts, noDisplacements, incoming.types, handle),
      "MPI_Alltoallw")
  }
}
