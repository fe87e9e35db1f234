import Foundation
import KitiHDF5
import Synchronization
import XCTest

final class ThreadTests: FileTestCase {
  func testThreadsReadAndWriteDifferentFilesAtOnce() throws {
    let shape = [64, 32]
    let values = (0..<2).map { which in (0..<shape[0] * shape[1]).map { Float($0 + 10_000 * which) } }
    let readers = try (0..<2).map { which in
      try HDF5File.open(
        try makeFile("\(which).h5") { root in
          try root.createDataSet("a", of: Float.self, shape: shape, chunks: [3, 32]).write(values[which])
        })
    }
    let writer = try HDF5File.create(path("written.h5"))
    let mistakes = Mutex<[String]>([])
    DispatchQueue.concurrentPerform(iterations: 3) { which in
      do {
        for round in 0..<300 {
          if which == 2 {
            try writer.root.createDataSet("group \(round % 7)/\(round)", of: Int64.self, shape: [round]).write(
              [Int64](repeating: Int64(round), count: round))
          } else {
            let row = (round * 13) % 60
            let found = try readers[which].root.dataSet("a").read(Float.self, .rows(row..<row + 4))
            if found != Array(values[which][row * 32..<(row + 4) * 32]) {
              mistakes.withLock { $0.append("file \(which), row \(row)") }
            }
          }
        }
      } catch {
        mistakes.withLock { $0.append("\(error)") }
      }
    }
    XCTAssertEqual(mistakes.withLock { $0 }, [])
    for round in stride(from: 0, to: 300, by: 37) {
      XCTAssertEqual(
        try writer.root.dataSet("group \(round % 7)/\(round)").read(Int64.self),
        [Int64](repeating: Int64(round), count: round))
    }
    try writer.close()
    try readers.forEach { try $0.close() }
  }

  func testOneDataSetSharedByThreadsGivesEachItsOwnRows() throws {
    let path = try makeFile { root in
      try root.createDataSet("a", of: Int32.self, shape: [1000, 2]).write((0..<2000).map { Int32($0) })
    }
    let file = try HDF5File.open(path)
    let dataSet = try file.root.dataSet("a")
    let mistakes = Mutex(0)
    DispatchQueue.concurrentPerform(iterations: 4) { which in
      for round in 0..<500 {
        let row = (round * 7 + which * 211) % 990
        let count = 1 + (round + which) % 9
        let found = try? dataSet.read(Int32.self, .rows(row..<row + count))
        if found != (row * 2..<(row + count) * 2).map({ Int32($0) }) { mistakes.withLock { $0 += 1 } }
      }
    }
    XCTAssertEqual(mistakes.withLock { $0 }, 0)
    try file.close()
  }
}
