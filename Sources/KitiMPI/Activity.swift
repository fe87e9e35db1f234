import Glibc
import Synchronization

/// The call of MPI or of a file library that this process's main thread is in: what a watchdog needs to know.
///
/// The main thread, the one that started MPI, writes two words at the beginning of a call and one at its end, without
/// locks; any thread reads them. Calls of other threads leave no trace.
package enum Activity {
  package enum Kind: UInt8, Sendable {
    /// Not in a library.
    case none
    /// In MPI, perhaps waiting for other ranks.
    case communication
    /// In a file library, perhaps waiting for a disk or, in a parallel file, for other ranks.
    case file
  }

  package struct Reading: Sendable, Equatable {
    package var kind: Kind
    /// Grows with each beginning and each end: two readings with the same number saw the same call.
    package var changes: UInt64
    /// The call that is under way, or the last one; empty before the first.
    package var operation: String
  }

  private static let mainThread = Atomic<UInt>(0)
  private static let name = Atomic<UInt>(0)
  /// The number of changes, and the kind in the lowest two bits.
  private static let word = Atomic<UInt64>(0)

  /// Calls of this thread count from now on.
  static func watchThisThread() { mainThread.store(UInt(pthread_self()), ordering: .relaxed) }

  @inline(__always)
  package static func begin(_ kind: Kind, _ operation: StaticString) {
    guard UInt(pthread_self()) == mainThread.load(ordering: .relaxed) else { return }
    name.store(UInt(bitPattern: operation.utf8Start), ordering: .relaxed)
    word.store(next | UInt64(kind.rawValue), ordering: .releasing)
  }

  @inline(__always)
  package static func end() {
    guard UInt(pthread_self()) == mainThread.load(ordering: .relaxed) else { return }
    word.store(next, ordering: .releasing)
  }

  // Only one thread writes: it needs no read-modify-write.
  @inline(__always)
  private static var next: UInt64 { (word.load(ordering: .relaxed) & ~3) &+ 4 }

  package static var reading: Reading {
    let bits = word.load(ordering: .acquiring)
    // Static strings end with a zero byte and live as long as the program.
    let text = UnsafePointer<CChar>(bitPattern: name.load(ordering: .relaxed)).map { String(cString: $0) } ?? ""
    return Reading(kind: Kind(rawValue: UInt8(bits & 3)) ?? .none, changes: bits >> 2, operation: text)
  }
}
