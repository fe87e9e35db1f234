import Glibc
import Synchronization

/// Memory in huge pages that many blocks share, each of which is smaller than such a page.
///
/// Passes over a batch's activations with pages of 4 KiB spend much of their time looking up addresses, above all in a
/// virtual machine, whether one array fills a huge page or many do together.
final class HugePages: Sendable {
  static let pageSize = 1 << 21
  /// Address space that is taken at once. The system gives memory page by page, as it is first written to.
  private static let size = 16 * pageSize
  private static let current = Mutex<HugePages?>(nil)

  private nonisolated(unsafe) let start: UnsafeMutableRawPointer
  private let used = Mutex(0)

  private init?() {
    guard let start = Self.allocate(Self.size) else { return nil }
    self.start = start
  }

  deinit { free(start) }

  /// Memory of its own, in huge pages as far as it fills them and the system has some to give.
  static func allocate(_ bytes: Int) -> UnsafeMutableRawPointer? {
    guard let start = aligned_alloc(pageSize, bytes) else { return nil }
    madvise(start, bytes / pageSize * pageSize, MADV_HUGEPAGE)
    return start
  }

  /// A block of shared memory, and what must be kept for as long as it is used.
  ///
  /// - Parameter bytes: a multiple of 64, at most a page.
  /// - Returns: nil if there is no memory.
  static func block(_ bytes: Int) -> (start: UnsafeMutableRawPointer, pages: HugePages)? {
    current.withLock { current in
      if let pages = current, let start = pages.take(bytes) { return (start, pages) }
      guard let pages = HugePages(), let start = pages.take(bytes) else { return nil }
      current = pages
      return (start, pages)
    }
  }

  private func take(_ bytes: Int) -> UnsafeMutableRawPointer? {
    used.withLock { used in
      guard used + bytes <= Self.size else { return nil }
      defer { used += bytes }
      return start + used
    }
  }

  /// Takes a block back: at once where it is the last one, else when none of the others is used any more.
  func giveBack(_ block: UnsafeMutableRawPointer, _ bytes: Int) {
    used.withLock { used in
      if block + bytes == start + used { used -= bytes }
    }
  }
}
