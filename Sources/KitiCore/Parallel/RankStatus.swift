import KitiMPI
import Synchronization

/// What this rank's main thread is doing: it writes without locks, a watchdog's thread reads.
final class RankStatus: Sendable {
  private let stepWord = Atomic<Int>(0)
  private let phaseWord = Atomic<UInt8>(RunPhase.starting.rawValue)
  private let changeCount = Atomic<UInt64>(0)

  /// Optimizer steps done or begun.
  var step: Int { stepWord.load(ordering: .relaxed) }
  var phase: RunPhase { RunPhase(rawValue: phaseWord.load(ordering: .relaxed)) ?? .starting }
  /// Grows with each change of phase.
  var changes: UInt64 { changeCount.load(ordering: .acquiring) }

  func set(step: Int) { stepWord.store(step, ordering: .relaxed) }

  // One thread writes: it needs no read-modify-write.
  func set(phase: RunPhase) {
    phaseWord.store(phase.rawValue, ordering: .relaxed)
    changeCount.store(changeCount.load(ordering: .relaxed) &+ 1, ordering: .releasing)
  }
}

/// What a rank tells others of itself.
package struct RankReport: Equatable, Sendable {
  package var step: Int
  package var phase: RunPhase
  package var kind: Activity.Kind
  /// The library call that is under way, or the last one.
  package var operation: String
  /// Since the last change of phase or call.
  package var unchangedSeconds: Double

  package init(step: Int, phase: RunPhase, kind: Activity.Kind, operation: String, unchangedSeconds: Double) {
    self.step = step
    self.phase = phase
    self.kind = kind
    self.operation = operation
    self.unchangedSeconds = unchangedSeconds
  }

  /// Whether the rank has reached an operation that others must reach as well.
  var isWaiting: Bool { kind == .communication || kind == .none && phase.isCollective }
  /// Whether it is where nothing but itself, other ranks or a disk can keep it: time there counts.
  var isInOperation: Bool { isWaiting || kind == .file }
}

extension RankReport {
  /// Bytes of a report on the wire.
  static let byteCount = 8 + 8 + 1 + 1 + operationBytes
  private static let operationBytes = 46

  package var bytes: [UInt8] {
    var result = withUnsafeBytes(of: Int64(step).littleEndian) { Array($0) }
    result += withUnsafeBytes(of: unchangedSeconds.bitPattern.littleEndian) { Array($0) }
    result += [phase.rawValue, kind.rawValue]
    let text = Array(operation.utf8.prefix(Self.operationBytes))
    return result + text + [UInt8](repeating: 0, count: Self.operationBytes - text.count)
  }

  /// Nil if the bytes are no report: they came from a network.
  package init?(bytes: some Collection<UInt8>) {
    let bytes = Array(bytes)
    guard bytes.count == Self.byteCount, let phase = RunPhase(rawValue: bytes[16]),
      let kind = Activity.Kind(rawValue: bytes[17])
    else { return nil }
    let words = bytes.withUnsafeBytes { raw in
      (raw.loadUnaligned(as: UInt64.self), raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }
    let seconds = Double(bitPattern: UInt64(littleEndian: words.1))
    guard seconds.isFinite, seconds >= 0 else { return nil }
    self.init(
      step: Int(Int64(bitPattern: UInt64(littleEndian: words.0))), phase: phase, kind: kind,
      operation: String(decoding: bytes[18...].prefix { $0 != 0 }, as: UTF8.self), unchangedSeconds: seconds)
  }
}
