import Glibc

/// A zero-filled block of memory that starts on a cache line and keeps its address for life.
///
/// Workspaces, parameters and gradients live in these, so that kernels can hold plain pointers and the
/// training step allocates nothing.
public final class AlignedBuffer<Element: BitwiseCopyable>: @unchecked Sendable {
  public let pointer: UnsafeMutablePointer<Element>
  public let count: Int

  /// - Parameter count: number of elements; 0 is allowed.
  public init(count: Int) {
    let bytes = max(64, (count * MemoryLayout<Element>.stride + 63) / 64 * 64)
    guard let raw = aligned_alloc(64, bytes) else {
      fatalError("out of memory: a workspace of \(bytes / 1_048_576) MiB could not be had")
    }
    memset(raw, 0, bytes)
    pointer = raw.bindMemory(to: Element.self, capacity: max(count, 1))
    self.count = count
  }

  deinit { free(pointer) }

  public var buffer: UnsafeMutableBufferPointer<Element> { UnsafeMutableBufferPointer(start: pointer, count: count) }

  /// Size in bytes.
  public var byteCount: Int { count * MemoryLayout<Element>.stride }
}
