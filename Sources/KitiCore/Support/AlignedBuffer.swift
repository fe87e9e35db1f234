import Glibc

/// A zero-filled block of memory that starts on a cache line and keeps its address for life.
///
/// Workspaces, parameters and gradients live in these, so that kernels can hold plain pointers and the
/// training step allocates nothing.
public final class AlignedBuffer<Element: BitwiseCopyable>: @unchecked Sendable {
  public let pointer: UnsafeMutablePointer<Element>
  public let count: Int
  /// What the block lies in; nil where it has memory of its own.
  private let pages: HugePages?

  /// - Parameter count: number of elements; 0 is allowed.
  public init(count: Int) {
    self.count = count
    let bytes = Self.size(count)
    let shared = bytes < HugePages.pageSize ? HugePages.block(bytes) : nil
    guard let start = shared?.start ?? HugePages.allocate(bytes) else {
      fatalError("out of memory: a workspace of \(bytes / 1_048_576) MiB could not be had")
    }
    memset(start, 0, bytes)
    pointer = start.bindMemory(to: Element.self, capacity: max(count, 1))
    pages = shared?.pages
  }

  deinit {
    if let pages { pages.giveBack(UnsafeMutableRawPointer(pointer), Self.size(count)) } else { free(pointer) }
  }

  /// Bytes that a block takes: whole cache lines.
  private static func size(_ count: Int) -> Int { max(64, roundedUp(count * MemoryLayout<Element>.stride, 64)) }

  public var buffer: UnsafeMutableBufferPointer<Element> { UnsafeMutableBufferPointer(start: pointer, count: count) }

  /// Size in bytes.
  public var byteCount: Int { count * MemoryLayout<Element>.stride }
}
