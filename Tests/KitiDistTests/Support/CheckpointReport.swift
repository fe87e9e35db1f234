import Foundation
import XCTest

/// What `inspect --verify --json` says of a checkpoint.
struct CheckpointReport: Decodable {
  struct State: Decodable, Equatable {
    var step, epoch, stepInEpoch, samplesInEpoch, worldSize, globalBatch: Int
    var seed: String
    var bestMetric: Double?
  }

  struct Array: Decodable, Equatable {
    var path, checksum: String
    var shape: [Int]
  }

  var state: State
  var parameters: Int
  var arrays: [Array]
  var optimizerStates: [String]
}

extension Program {
  /// Checks every byte of a checkpoint.
  func inspect(_ checkpoint: String, file: StaticString = #filePath, line: UInt = #line) throws -> CheckpointReport {
    let outcome = try succeed(["inspect", checkpoint, "--verify", "--json"], file: file, line: line)
    return try JSONDecoder().decode(CheckpointReport.self, from: Data(outcome.output.utf8))
  }
}

/// Checks that two checkpoints hold the same arrays, bit for bit.
func assertSameArrays(
  _ left: CheckpointReport, _ right: CheckpointReport, _ message: String = "", file: StaticString = #filePath,
  line: UInt = #line
) {
  XCTAssertEqual(left.arrays, right.arrays, message, file: file, line: line)
  XCTAssertFalse(left.arrays.isEmpty, message, file: file, line: line)
}

extension ProgramTestCase {
  /// Checks every byte of all checkpoints of a run.
  func assertAllCheckpointsAreIntact(_ run: String, file: StaticString = #filePath, line: UInt = #line) throws {
    let jobs = try checkpointNames(run).map {
      try program.start(["inspect", path("\(run)/checkpoints/\($0)"), "--verify"])
    }
    for job in jobs {
      let outcome = job.wait(file: file, line: line)
      XCTAssertEqual(outcome.status, 0, outcome.text, file: file, line: line)
    }
  }
}
