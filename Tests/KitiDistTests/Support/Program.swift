import Foundation
import XCTest

/// The built program, found beside the test bundle, run alone or under mpirun.
struct Program {
  /// Where it starts.
  let directory: URL

  static let path = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    .appendingPathComponent("kiti-dist").path

  /// Under a launcher the tests themselves are ranks, and cannot launch. Asked of the environment in which the process
  /// began: MPI, once started without a launcher, sets the same variables itself.
  static let isLaunched: Bool = {
    let began = FileManager.default.contents(atPath: "/proc/self/environ") ?? Data()
    return began.split(separator: 0).contains { variable in
      ["OMPI_COMM_WORLD_SIZE=", "PMIX_RANK="].contains { variable.starts(with: $0.utf8) }
    }
  }()

  /// - Parameters:
  ///   - ranks: under mpirun; nil for the program alone.
  ///   - seconds: after which the job is killed.
  func start(
    _ arguments: [String], ranks: Int? = nil, environment: [String: String] = [:], seconds: Double = 90
  ) throws -> Job {
    guard let ranks else { return try launch(Self.path, arguments, environment, seconds) }
    return try launch("mpirun", ["-np", "\(ranks)", Self.path] + arguments, environment, seconds)
  }

  /// Starts one rank for each list of arguments, in one job.
  func start(eachRank lists: [[String]], seconds: Double = 90) throws -> Job {
    let parts = lists.map { ["-np", "1", Self.path] + $0 }
    return try launch("mpirun", Array(parts.joined(separator: [":"])), [:], seconds)
  }

  @discardableResult
  func run(
    _ arguments: [String], ranks: Int? = nil, environment: [String: String] = [:], seconds: Double = 90,
    file: StaticString = #filePath, line: UInt = #line
  ) throws -> Outcome {
    try start(arguments, ranks: ranks, environment: environment, seconds: seconds).wait(file: file, line: line)
  }

  /// Runs the program and requires that it succeeds.
  @discardableResult
  func succeed(
    _ arguments: [String], ranks: Int? = nil, environment: [String: String] = [:], file: StaticString = #filePath,
    line: UInt = #line
  ) throws -> Outcome {
    let outcome = try run(arguments, ranks: ranks, environment: environment, file: file, line: line)
    guard outcome.status == 0 else {
      XCTFail("\(arguments.joined(separator: " ")): \(outcome.text)", file: file, line: line)
      throw Unsuccessful()
    }
    return outcome
  }

  struct Unsuccessful: Error {}

  /// Starts another program in an environment in which MPI can be started.
  func launch(
    _ executable: String, _ arguments: [String], _ environment: [String: String] = [:], _ seconds: Double = 90
  ) throws -> Job {
    var variables = ProcessInfo.processInfo.environment.filter { variable in
      !["OMPI_", "PMIX_", "PMI_", "ORTE_"].contains { variable.key.hasPrefix($0) }
    }
    variables["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
    variables["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
    variables["OMPI_MCA_rmaps_base_oversubscribe"] = "1"
    variables["OMPI_MCA_hwloc_base_binding_policy"] = "none"
    variables.merge(environment) { $1 }
    return try Job(executable, arguments, environment: variables, directory: directory, seconds: seconds)
  }
}
