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
  /// Something that the program must refuse.
  struct Refusal {
    var arguments: [String]
    var ranks: Int?
    /// What its report must hold.
    var fragments: [String]
  }

  /// Checks that each job ends with this status and one report, and that they change nothing on the disk.
  ///
  /// All run at the same time: what is refused does no work.
  func assertRefused(_ refusals: [Refusal], status: Int32, file: StaticString = #filePath, line: UInt = #line) throws {
    let before = Snapshot(folder)
    let jobs = try refusals.map { try program.start($0.arguments, ranks: $0.ranks) }
    for (refusal, job) in zip(refusals, jobs) {
      assertReport(job.wait(file: file, line: line), status: status, naming: refusal.fragments, file: file, line: line)
    }
    XCTAssertEqual(Snapshot(folder).differences(from: before), [], "on the disk", file: file, line: line)
  }

  /// The same for one command, alone and on two ranks unless told otherwise.
  func assertRefused(
    _ arguments: [String], ranks: [Int?] = [nil, 2], status: Int32, naming fragments: String..., file: StaticString = #filePath,
    line: UInt = #line
  ) throws {
    let refusals = ranks.map { Refusal(arguments: arguments, ranks: $0, fragments: fragments) }
    try assertRefused(refusals, status: status, file: file, line: line)
  }

  func assertReport(
    _ outcome: Outcome, status: Int32, naming fragments: [String], file: StaticString = #filePath, line: UInt = #line
  ) {
    XCTAssertEqual(outcome.status, status, outcome.text, file: file, line: line)
    XCTAssertEqual(outcome.reports.count, 1, "reports: \(outcome.text)", file: file, line: line)
    for fragment in fragments {
      XCTAssertTrue(outcome.errors.contains(fragment), "'\(fragment)' is missing: \(outcome.errors)", file: file, line: line)
    }
    XCTAssertFalse(outcome.errors.contains("MPI_ABORT was invoked"), outcome.errors, file: file, line: line)
  }
}
