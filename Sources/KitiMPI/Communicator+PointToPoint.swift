import CMPI

// A nil source is any rank, a nil tag is any tag. Messages between two ranks with one tag arrive in the order
// they were sent. Tags are 0 … 2³¹−1.
extension Communicator {
  /// Sends a buffer to a rank; may wait until the other side receives.
  public func send<T: MPIElement>(
    _ buffer: UnsafeBufferPointer<T>, to destination: Int, tag: Int = 0
  ) throws(MPIError) {
    try requireUsable("MPI_Send")
    let destination = try rawPartner(destination, "destination", "MPI_Send")
    let tag = try rawTag(tag, "MPI_Send")
    let block = try Block(buffer.count, of: ElementKind(T.self), wholeOperation: buffer.count)
    try MPIError.check(
      MPI_Send(
        placeholder(UnsafeRawPointer(buffer.baseAddress)), block.count, block.datatype, destination, tag,
        handle),
      "MPI_Send")
  }

  /// Sends an array to a rank; may wait until the other side receives.
  public func send<T: MPIElement>(
    _ values: [T], to destination: Int, tag: Int = 0
  ) throws(MPIError) {
    try values.withUnsafeBufferPointer { (buffer) throws(MPIError) in
      try send(buffer, to: destination, tag: tag)
    }
  }

  /// Receives a message into a buffer, of which a short message fills only the beginning.
  ///
  /// - Returns: where the message came from and its size.
  /// - Throws: `MPIError` of class `.truncate` if the message does not fit; it is gone then.
  @discardableResult
  public func receive<T: MPIElement>(
    into buffer: UnsafeMutableBufferPointer<T>, from source: Int?, tag: Int? = 0
  ) throws(MPIError) -> Status {
    try requireUsable("MPI_Recv")
    let source = try rawSource(source, "MPI_Recv")
    let tag = try rawAnyTag(tag, "MPI_Recv")
    let block = try Block(buffer.count, of: ElementKind(T.self), wholeOperation: buffer.count)
    var status = MPI_Status()
    try MPIError.check(
      MPI_Recv(
        placeholder(UnsafeMutableRawPointer(buffer.baseAddress)), block.count, block.datatype, source, tag,
        handle, &status),
      "MPI_Recv")
    return try Status(status)
  }

  /// Receives a message of any size.
  ///
  /// - Throws: `MPIError` of class `.count` if its bytes are not whole elements of `type`; it is gone then.
  public func receive<T: MPIElement>(
    _ type: T.Type, from source: Int?, tag: Int? = 0
  ) throws(MPIError) -> (values: [T], status: Status) {
    try requireUsable("MPI_Mprobe")
    var message: OpaquePointer?
    var raw = MPI_Status()
    // A matched probe: no other thread can take the message between finding and receiving it.
    try MPIError.check(
      MPI_Mprobe(
        rawSource(source, "MPI_Mprobe"), rawAnyTag(tag, "MPI_Mprobe"), handle, &message, &raw),
      "MPI_Mprobe")
    let status = try Status(raw)
    guard let count = status.count(of: type) else {
      let _: [UInt8] = try receiveMatched(&message, status.byteCount)
      throw MPIError(
        invalid: .count, in: "MPI_Mrecv",
        "a message of \(status.byteCount) bytes from rank \(status.source) with tag \(status.tag) "
          + "is not a whole number of \(type) elements")
    }
    return (try receiveMatched(&message, count), status)
  }

  private func receiveMatched<T: MPIElement>(
    _ message: inout OpaquePointer?, _ count: Int
  ) throws(MPIError) -> [T] {
    var matched = message
    defer { message = matched }
    return try makeArray(count) { (buffer) throws(MPIError) in
      let block = try Block(count, of: ElementKind(T.self), wholeOperation: count)
      try MPIError.check(
        MPI_Mrecv(
          placeholder(UnsafeMutableRawPointer(buffer.baseAddress)), block.count, block.datatype, &matched, nil
        ),
        "MPI_Mrecv")
    }
  }

  /// Sends to one rank and receives from another at the same time, which cannot deadlock in a ring.
  ///
  /// - Parameter receive: elsewhere in memory than `send`; a short message fills only the beginning.
  @discardableResult
  public func sendReceive<T: MPIElement>(
    _ send: UnsafeBufferPointer<T>, to destination: Int, sendTag: Int = 0,
    into receive: UnsafeMutableBufferPointer<T>, from source: Int?, receiveTag: Int? = 0
  ) throws(MPIError) -> Status {
    try requireUsable("MPI_Sendrecv")
    let destination = try rawPartner(destination, "destination", "MPI_Sendrecv")
    let source = try rawSource(source, "MPI_Sendrecv")
    let sendTag = try rawTag(sendTag, "MPI_Sendrecv")
    let receiveTag = try rawAnyTag(receiveTag, "MPI_Sendrecv")
    let outgoing = try Block(send.count, of: ElementKind(T.self), wholeOperation: send.count)
    let incoming = try Block(receive.count, of: ElementKind(T.self), wholeOperation: receive.count)
    var status = MPI_Status()
    try MPIError.check(
      MPI_Sendrecv(
        placeholder(UnsafeRawPointer(send.baseAddress)), outgoing.count, outgoing.datatype, destination,
        sendTag, placeholder(UnsafeMutableRawPointer(receive.baseAddress)), incoming.count,
        incoming.datatype, source, receiveTag, handle, &status),
      "MPI_Sendrecv")
    return try Status(status)
  }

  /// Waits for a message that could be received and tells about it without receiving it.
  public func probe(from source: Int?, tag: Int? = 0) throws(MPIError) -> Status {
    try requireUsable("MPI_Probe")
    var status = MPI_Status()
    try MPIError.check(
      MPI_Probe(rawSource(source, "MPI_Probe"), rawAnyTag(tag, "MPI_Probe"), handle, &status), "MPI_Probe")
    return try Status(status)
  }

  /// Tells about a message that could be received now without receiving it, nil if there is none.
  public func probeNow(from source: Int?, tag: Int? = 0) throws(MPIError) -> Status? {
    try requireUsable("MPI_Iprobe")
    var status = MPI_Status()
    var found: Int32 = 0
    try MPIError.check(
      MPI_Iprobe(rawSource(source, "MPI_Iprobe"), rawAnyTag(tag, "MPI_Iprobe"), handle, &found, &status),
      "MPI_Iprobe")
    return found != 0 ? try Status(status) : nil
  }

  func rawPartner(
    _ partner: Int, _ role: StaticString, _ operation: StaticString
  ) throws(MPIError) -> Int32 {
    guard partner >= 0, partner < size else {
      throw MPIError(
        invalid: .rank, in: operation,
        "\(role) \(partner) is no rank of this communicator, which has the ranks 0 … \(size - 1)")
    }
    return Int32(partner)
  }

  private func rawSource(_ source: Int?, _ operation: StaticString) throws(MPIError) -> Int32 {
    guard let source else { return MPI_ANY_SOURCE }
    return try rawPartner(source, "source", operation)
  }

  func rawTag(_ tag: Int, _ operation: StaticString) throws(MPIError) -> Int32 {
    guard tag >= 0, let raw = Int32(exactly: tag) else {
      throw MPIError(invalid: .tag, in: operation, "tag \(tag) is outside 0 … \(Int32.max)")
    }
    return raw
  }

  private func rawAnyTag(_ tag: Int?, _ operation: StaticString) throws(MPIError) -> Int32 {
    guard let tag else { return MPI_ANY_TAG }
    return try rawTag(tag, operation)
  }
}
