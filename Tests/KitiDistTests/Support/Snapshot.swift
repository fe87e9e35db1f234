import Foundation
import XCTest

/// Everything below a folder, to the byte, but for what jobs write beside it.
struct Snapshot: Equatable {
  private var entries: [String: Data]

  init(_ folder: URL) {
    entries = [:]
    for case let name as String in FileManager.default.enumerator(atPath: folder.path) ?? .init()
    where !name.hasPrefix(".job-") {
      let path = folder.appendingPathComponent(name).path
      if let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path) {
        entries[name] = Data("-> \(target)".utf8)
      } else {
        entries[name] = FileManager.default.contents(atPath: path) ?? Data("folder".utf8)
      }
    }
  }

  /// What appeared, disappeared or changed since.
  func differences(from earlier: Snapshot) -> [String] {
    Set(entries.keys).union(earlier.entries.keys).filter { entries[$0] != earlier.entries[$0] }.sorted()
  }
}

extension ProgramTestCase {
  /// Checks that a job ends with this status and one report that holds all fragments, and changes nothing on the disk.
  @discardableResult
  func assertRefused(
    _ arguments: [String], ranks: Int? = nil, status: Int32, naming fragments: [String], file: StaticString = #filePath,
    line: UInt = #line
  ) throws -> Outcome {
    let before = Snapshot(folder)
    let outcome = try program.run(arguments, ranks: ranks, file: file, line: line)
    assertReport(outcome, status: status, naming: fragments, file: file, line: line)
    XCTAssertEqual(Snapshot(folder).differences(from: before), [], "on the disk", file: file, line: line)
    return outcome
  }

  func assertReport(
    _ outcome: Outcome, status: Int32, naming fragments: [String], file: StaticString = #filePath, line: UInt = #line
  ) {
    XCTAssertEqual(outcome.status, status, outcome.text, file: file, line: line)
    XCTAssertEqual(outcome.reports.count, 1, "reports: \(outcome.text)", file: file, line: line)
    for fragment in fragments {
      XCTAssertTrue(outcome.errors.contains(fragment), "'\(fragment)' is missing: \(outcome.errors)", file: file, line: line)
    }
    XCTAssertFalse(outcome.errors.contains("Fatal error"), outcome.errors, file: file, line: line)
    XCTAssertFalse(outcome.errors.contains("MPI_ABORT was invoked"), outcome.errors, file: file, line: line)
  }
}
