import Synchronization

/// A stretch of a rank's time.
package struct Span: BitwiseCopyable, Equatable {
  package enum Kind: UInt8, BitwiseCopyable { case phase, communication }

  /// On the rank's own monotonic clock, in nanoseconds.
  package var start: Int64
  package var end: Int64
  package var step: Int
  package var kind: Kind
  package var phase: RunPhase
  /// Of a communication: its number and its bytes.
  package var number: Int
  package var bytes: Int

  package init(
    start: Int64, end: Int64, step: Int, kind: Kind, phase: RunPhase, number: Int = 0, bytes: Int = 0
  ) {
    self.start = start
    self.end = end
    self.step = step
    self.kind = kind
    self.phase = phase
    self.number = number
    self.bytes = bytes
  }
}

/// The last spans of a rank, in memory of a fixed size: the main thread adds, a watchdog's thread may copy.
package final class SpanRing: @unchecked Sendable {
  private let spans: AlignedBuffer<Span>
  /// Spans added since the beginning; the lock guards the memory as well.
  private let added = Mutex(0)

  package init(capacity: Int = 4096) { spans = AlignedBuffer(count: capacity) }

  package var capacity: Int { spans.count }
  package var count: Int { added.withLock { $0 } }

  package func add(_ span: Span) {
    added.withLock {
      spans.pointer[$0 % spans.count] = span
      $0 += 1
    }
  }

  /// The spans from number `first` on that are still here, oldest first.
  package func spans(from first: Int = 0) -> [Span] {
    added.withLock { count in
      (max(first, count - spans.count)..<max(first, count)).map { spans.pointer[$0 % spans.count] }
    }
  }
}
