import Foundation
import KitiCore
import Synchronization
import XCTest

final class AlignedBufferTests: XCTestCase {
  /// Sizes in bytes around a cache line, a page and a huge page.
  private static let sizes = [0, 1, 64, 65, 4_096, 100_000, (1 << 21) - 64, 1 << 21, (1 << 21) + 1, 5 << 20]

  func testBlocksBeginOnCacheLinesWithZerosAndDoNotOverlap() {
    var buffers: [AlignedBuffer<UInt8>] = []
    // More than one piece of shared address space.
    for round in 0..<12 {
      for size in Self.sizes {
        let buffer = AlignedBuffer<UInt8>(count: size)
        XCTAssertEqual(UInt(bitPattern: buffer.pointer) % 64, 0)
        XCTAssertTrue(buffer.buffer.allSatisfy { $0 == 0 }, "\(size) bytes, round \(round)")
        buffer.buffer.update(repeating: UInt8(1 + buffers.count % 255))
        buffers.append(buffer)
      }
    }
    for (index, buffer) in buffers.enumerated() {
      XCTAssertTrue(buffer.buffer.allSatisfy { $0 == UInt8(1 + index % 255) }, "block \(index) was written to by another")
    }
  }

  func testMemoryThatWasUsedBeforeIsZero() {
    var start: UInt?
    for _ in 0..<3 {
      let buffer = AlignedBuffer<Float>(count: 10_000)
      XCTAssertTrue(buffer.buffer.allSatisfy { $0 == 0 })
      buffer.buffer.update(repeating: 1)
      // The last block is taken back at once.
      if let start { XCTAssertEqual(UInt(bitPattern: buffer.pointer), start) }
      start = UInt(bitPattern: buffer.pointer)
    }
  }

  func testMemoryOfBlocksThatAreGoneIsGivenBack() throws {
    let before = try residentBytes()
    // 2 GiB in all, of which at most four blocks at a time; none of them is the last one when it goes.
    var kept: [AlignedBuffer<UInt8>] = []
    for _ in 0..<2_048 {
      kept.append(AlignedBuffer(count: 1 << 20))
      if kept.count > 3 { kept.removeFirst() }
    }
    XCTAssertLessThan(try residentBytes() - before, 128 << 20)
  }

  func testThreadsGetBlocksOfTheirOwn() {
    let failures = Atomic(0)
    DispatchQueue.concurrentPerform(iterations: 8) { thread in
      var buffers: [AlignedBuffer<UInt8>] = []
      for index in 0..<200 {
        let buffer = AlignedBuffer<UInt8>(count: 1 + index * 37 % 5_000)
        if !buffer.buffer.allSatisfy({ $0 == 0 }) { failures.add(1, ordering: .relaxed) }
        buffer.buffer.update(repeating: UInt8(thread + 1))
        if index % 3 != 0 { buffers.append(buffer) }
      }
      for buffer in buffers where !buffer.buffer.allSatisfy({ $0 == UInt8(thread + 1) }) { failures.add(1, ordering: .relaxed) }
    }
    XCTAssertEqual(failures.load(ordering: .relaxed), 0)
  }

  private func residentBytes() throws -> Int {
    let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
    return try XCTUnwrap(Int(fields[1])) * Int(sysconf(Int32(_SC_PAGESIZE)))
  }
}
