import Glibc

/// A zero-filled block of memory that starts on a cache line and keeps its address for life.
///
/// Workspaces, parameters and gradients live in these, so that kernels can hold plain pointers and the
/// training step allocates nothing.
public final class AlignedBuffer<Element: BitwiseCopyable>: @unchecked Sendable {
  public let pointer: UnsafeMutablePointer<Element>
  public let count: Int

  /// Large blocks ask for pages of this size: passes over a batch's activations with pages of 4 KiB spend much of their
  /// time looking up addresses, above all in a virtual machine.
  private static var hugePage: Int { 1 << 21 }

  /// - Parameter count: number of elements; 0 is allowed.
  public init(count: Int) {
    let bytes = max(64, (count * MemoryLayout<Element>.stride + 63) / 64 * 64)
    let isLarge = bytes >= Self.hugePage
    guard let raw = aligned_alloc(isLarge ? Self.hugePage : 64, bytes) else {
      fatalError("out of memory: a workspace of \(bytes / 1_048_576) MiB could not be had")
    }
    // Where the system has no huge pages to give, small ones do the same.
    if isLarge { madvise(raw, bytes / Self.hugePage * Self.hugePage, MADV_HUGEPAGE) }
    memset(raw, 0, bytes)
    pointer = raw.bindMemory(to: Element.self, capacity: max(count, 1))
    self.count = count
  }

  deinit { free(pointer) }

  public var buffer: UnsafeMutableBufferPointer<Element> { UnsafeMutableBufferPointer(start: pointer, count: count) }

  /// Size in bytes.
  public var byteCount: Int { count * MemoryLayout<Element>.stride }
}
