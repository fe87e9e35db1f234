import Foundation
import KitiMPI

/// Where watchdogs talk while main threads are stuck in MPI: datagrams (UDP over IPv4) between sockets whose
/// addresses were exchanged by MPI at start.
///
/// Why not MPI itself: it is what hangs; and its threads may be asked of by one thread only. Why not streams (TCP): a
/// stopped process's kernel goes on acknowledging, a cut link keeps a stream open for minutes, and a full one blocks
/// its writer. Datagrams have no state to lose and never block, each holds a rank's whole status, so that a lost one
/// costs an interval, and a stopped process, a dead host and a cut link all look alike: silence. Silence alone ends
/// nothing, so that a firewall which drops the datagrams costs words of a report and no run: ranks give up when an
/// operation takes too long, which each sees by itself.
///
/// A job on one host listens on the loopback interface only. Datagrams carry a random number of the job; others are
/// ignored.
package struct WatchdogChannel: Sendable {
  package enum Message: Equatable {
    case status(RankReport)
    /// A rank is about to abort the job: write the tail of the timeline now.
    case alarm
    /// To a rank's own socket, so that its thread looks up.
    case wake
  }

  let rank: Int
  let size: Int
  /// In the order of ranks.
  let hosts: [String]
  private let socket: Int32
  private let token: UInt64
  private let addresses: [[sockaddr_in]]

  /// Opens the socket and exchanges addresses. Collective.
  package init(communicator: Communicator) throws {
    (rank, size) = (communicator.rank, communicator.size)
    hosts = try communicator.allgather(MPI.processorName)
    token = try communicator.broadcast(UInt64.random(in: 1...UInt64.max), root: 0)
    let (host, isOnlyHost) = try communicator.host()

    let opened = try communicator.agreeing { try Self.open(loopbackOnly: isOnlyHost) }
    socket = opened.socket
    let own = isOnlyHost ? [] : Self.interfaceAddresses()
    let words = [UInt32(host), UInt32(opened.port)] + own + [UInt32](repeating: 0, count: Self.addressCount - own.count)
    let all = try communicator.allgather(words)
    addresses = (0..<communicator.size).map { peer in
      let entry = Array(all[(peer * words.count)..<((peer + 1) * words.count)])
      // Every address is tried every time: which one leads to a host with several networks is not known beforehand.
      let local = entry[0] == UInt32(host) ? [INADDR_LOOPBACK.bigEndian] : []
      return (local + entry[2...].filter { $0 != 0 }).map { Self.address($0, port: UInt16(entry[1])) }
    }
  }

  package func close() { Glibc.close(socket) }

  // MARK: - Messages

  private static let headerBytes = 8 + 4 + 1

  package func send(_ message: Message, to peer: Int) {
    var bytes = withUnsafeBytes(of: token.littleEndian) { Array($0) }
    bytes += withUnsafeBytes(of: UInt32(rank).littleEndian) { Array($0) }
    switch message {
    case .status(let report): bytes += [0] + report.bytes
    case .alarm: bytes += [1]
    case .wake: bytes += [2]
    }
    for var address in addresses[peer] {
      // What cannot be sent is as good as lost.
      _ = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          sendto(socket, bytes, bytes.count, Int32(MSG_DONTWAIT), $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
    }
  }

  /// Waits for messages, at most so long, and returns those that have come; foreign and malformed ones are dropped.
  package func receive(timeout: Double) -> [(from: Int, message: Message)] {
    var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    guard poll(&entry, 1, Int32((timeout * 1000).rounded(.up))) > 0 else { return [] }
    var result: [(from: Int, message: Message)] = []
    var buffer = [UInt8](repeating: 0, count: 256)
    // A bound, so that a flood of foreign datagrams does not keep the thread from its work.
    for _ in 0..<(4 * size + 16) {
      let count = recv(socket, &buffer, buffer.count, Int32(MSG_DONTWAIT))
      guard count >= 0 else { break }
      if let message = decode(buffer.prefix(count)) { result.append(message) }
    }
    return result
  }

  private func decode(_ bytes: ArraySlice<UInt8>) -> (from: Int, message: Message)? {
    guard bytes.count >= Self.headerBytes else { return nil }
    let (token, sender) = bytes.withUnsafeBytes { raw in
      (
        UInt64(littleEndian: raw.loadUnaligned(as: UInt64.self)),
        UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
      )
    }
    guard token == self.token, sender < size else { return nil }
    switch bytes[12] {
    case 0: return RankReport(bytes: bytes[Self.headerBytes...]).map { (Int(sender), .status($0)) }
    case 1: return (Int(sender), .alarm)
    case 2: return (Int(sender), .wake)
    default: return nil
    }
  }

  // MARK: - Sockets

  private static let addressCount = 4

  private static func open(loopbackOnly: Bool) throws -> (socket: Int32, port: UInt16) {
    func failure(_ what: String) -> KitiError {
      KitiError(
        .failed, "The watchdog could not \(what): \(String(cString: strerror(errno))).",
        remedy: "Set parallel.watchdogSeconds to 0 to train without it.")
    }
    let socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { throw failure("open a datagram socket") }
    var address = Self.address(loopbackOnly ? INADDR_LOOPBACK.bigEndian : INADDR_ANY, port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, length) == 0 && getsockname(socket, $0, &length) == 0
      }
    }
    guard isBound else {
      let error = failure("give its datagram socket a port")
      Glibc.close(socket)
      throw error
    }
    return (socket, UInt16(bigEndian: address.sin_port))
  }

  /// - Parameter ip: in network byte order.
  private static func address(_ ip: UInt32, port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = ip
    address.sin_port = port.bigEndian
    return address
  }

  /// The IPv4 addresses of this host's interfaces that are up, without the loopback's; in network byte order.
  private static func interfaceAddresses() -> [UInt32] {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return [] }
    defer { freeifaddrs(list) }
    var result: [UInt32] = []
    for entry in sequence(first: list, next: { $0?.pointee.ifa_next }) {
      guard let entry = entry?.pointee, let address = entry.ifa_addr, address.pointee.sa_family == AF_INET,
        entry.ifa_flags & UInt32(IFF_UP) != 0, entry.ifa_flags & UInt32(IFF_LOOPBACK) == 0
      else { continue }
      result.append(address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_addr.s_addr })
    }
    return Array(result.prefix(addressCount))
  }
}
