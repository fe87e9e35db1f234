import Foundation
import XCTest

/// How a child process ended, and what it said.
struct Outcome {
  /// The exit status, or 128 and the signal that ended the process, as shells have it.
  let status: Int32
  let output: String
  let errors: String

  /// What the program reported as errors, without mpirun's own words.
  var reports: [String] {
    errors.split(separator: "\n").filter { $0.contains("kiti-dist: error:") }.map(String.init)
  }

  /// For messages of assertions.
  var text: String { "status \(status)\n\(output)\(errors)" }
}

/// A child process with all processes that it starts: their end is certain, by bound or by `end`.
///
/// Each job has an environment variable of its own, by which its processes are found wherever they are in the tree:
/// mpirun gives each rank a process group of its own, and the ranks of a killed mpirun are nobody's children.
final class Job {
  let process: pid_t
  private let token: String
  private let folder: URL
  private let deadline: Date
  private var status: Int32?

  /// - Parameters:
  ///   - directory: where the process starts, and where its output is kept.
  ///   - seconds: after this time all processes of the job are killed.
  init(_ executable: String, _ arguments: [String], environment: [String: String], directory: URL, seconds: Double) throws {
    token = UUID().uuidString
    folder = directory.appendingPathComponent(".job-\(token)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    deadline = Date(timeIntervalSinceNow: seconds)
    var variables = environment
    variables[Self.variable] = token
    // What a killed launcher or rank leaves behind goes with the test's folder.
    variables["TMPDIR"] = folder.path
    variables["OMPI_MCA_btl_vader_backing_directory"] = folder.path
    process = try Self.spawn(
      executable, arguments, variables.map { "\($0.key)=\($0.value)" }, directory: directory.path,
      output: folder.appendingPathComponent("output").path, errors: folder.appendingPathComponent("errors").path)
  }

  deinit { end() }

  private static let variable = "KITI_TEST_JOB"

  private static func spawn(
    _ executable: String, _ arguments: [String], _ environment: [String], directory: String, output: String, errors: String
  ) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT, 0o644)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY | O_CREAT, 0o644)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    posix_spawnattr_setpgroup(&attributes, 0)
    var process: pid_t = 0
    // env changes the folder and becomes the program: the process stays the same.
    let words = (["env", "-C", directory, executable] + arguments).map { strdup($0) } + [nil]
    let variables = environment.map { strdup($0) } + [nil]
    defer { (words + variables).forEach { free($0) } }
    let failure = posix_spawn(&process, "/usr/bin/env", &actions, &attributes, words, variables)
    guard failure == 0 else { throw POSIXError(POSIXErrorCode(rawValue: failure) ?? .EIO) }
    return process
  }

  var output: String { Self.text(folder.appendingPathComponent("output")) }
  var errors: String { Self.text(folder.appendingPathComponent("errors")) }

  private static func text(_ file: URL) -> String { String(decoding: (try? Data(contentsOf: file)) ?? Data(), as: UTF8.self) }

  /// Waits for the end; a job that takes longer than it may is killed, and that is a failure.
  func wait(file: StaticString = #filePath, line: UInt = #line) -> Outcome {
    while !hasEnded {
      if Date() > deadline {
        XCTFail("the job did not end in time\n\(output)\(errors)", file: file, line: line)
        end()
        break
      }
      usleep(5_000)
    }
    let outcome = Outcome(status: status ?? -1, output: output, errors: errors)
    for complaint in ["HDF5-DIAG", "Fatal error", "Signal:"] where outcome.errors.contains(complaint) {
      XCTFail("a library or the language had to complain: \(outcome.text)", file: file, line: line)
    }
    return outcome
  }

  /// Waits until something is true of the running job; false if it ended or ran out of time before.
  func waits(until isTrue: () -> Bool) -> Bool {
    while !isTrue() {
      if hasEnded || Date() > deadline { return isTrue() }
      usleep(2_000)
    }
    return true
  }

  var hasEnded: Bool {
    if status != nil { return true }
    var word: Int32 = 0
    guard waitpid(process, &word, WNOHANG) == process else { return false }
    let signal = word & 0x7f
    status = signal == 0 ? (word >> 8) & 0xff : 128 + signal
    return true
  }

  func send(_ signal: Int32) {
    if !hasEnded { kill(process, signal) }
  }

  /// The process of a rank under mpirun.
  func process(ofRank rank: Int) -> pid_t? {
    members.first { $0.variables.contains("OMPI_COMM_WORLD_RANK=\(rank)") }?.process
  }

  /// Kills whatever still runs, and waits for it to be gone.
  func end() {
    for _ in 0..<500 {
      let running = members.map(\.process)
      if hasEnded && running.isEmpty { return }
      for process in running { kill(process, SIGKILL) }
      usleep(10_000)
    }
  }

  /// Waits for all processes to be gone without their being killed; false at the job's bound.
  func isGone() -> Bool {
    while !members.isEmpty {
      if Date() > deadline { return false }
      usleep(10_000)
    }
    return true
  }

  /// The processes of this job that run.
  private var members: [(process: pid_t, variables: [Substring])] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { name in
      guard let process = pid_t(name), process != getpid(),
        let bytes = FileManager.default.contents(atPath: "/proc/\(name)/environ")
      else { return nil }
      let variables = String(decoding: bytes, as: UTF8.self).split(separator: "\0")
      return variables.contains("\(Self.variable)=\(token)") ? (process, variables) : nil
    }
  }
}
