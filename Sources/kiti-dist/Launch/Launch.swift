import ArgumentParser
import Foundation
import KitiCore
import KitiMPI

/// Start and end of the process: MPI, one report of an error, exit status.
enum Launch {
  /// Whether a launcher (mpirun, srun with PMIx) started this process as one of a job's.
  private static var isUnderLauncher: Bool {
    let environment = ProcessInfo.processInfo.environment
    return environment["PMIX_RANK"] != nil || environment["OMPI_COMM_WORLD_RANK"] != nil
  }

  /// The world of ranks; starts MPI at the first call.
  static func world() throws -> Communicator {
    // A communication thread may come to call MPI in turn with this one. The level costs nothing before the highest, at
    // which the library takes locks; and what the configuration wants is not known before ranks can agree on it.
    if !MPI.isRunning { try MPI.start(threadLevel: .serialized) }
    return .world
  }

  /// In a job, ranks agree before one of them gives up; alone, MPI is not even started.
  static func agreeing<Result>(_ body: () throws -> Result) throws -> Result {
    guard isUnderLauncher else { return try body() }
    let world = try world()
    var parserError: (any Error)?
    do {
      return try world.agreeing {
        do { return try body() } catch where !(error is KitiError) {
          parserError = error
          throw KitiError(.usage, parserMessage(error), remedy: "")
        }
      }
    } catch let failure as AgreedFailure {
      // A request for help fails to parse on every rank and is no failure.
      if let parserError, KitiDist.exitCode(for: parserError) == .success { throw parserError }
      throw failure
    }
  }

  /// Ranks that were started with different command lines would wait for each other for ever.
  private static func requireSameCommand(_ command: any ParsableCommand) throws {
    guard isUnderLauncher else { return }
    // The trainer compares configurations, and names the key that differs.
    let words = (command as? TrainCommand)?.wordsBesideConfiguration ?? Array(CommandLine.arguments.dropFirst())
    let lines = try world().allgather(words.joined(separator: " "))
    guard let other = lines.indices.first(where: { lines[$0] != lines[0] }) else { return }
    try world().onFirstRank {
      throw KitiError(
        .usage, "Ranks 0 and \(other) were started with different commands: '\(lines[0])' and '\(lines[other])'.",
        remedy: "Start all ranks with the same command line.")
    }
  }

  /// What the parser says of a wrong command line, without its own mark of an error.
  private static func parserMessage(_ error: any Error) -> String {
    let text = KitiDist.fullMessage(for: error)
    let mark = "Error: "
    return text.hasPrefix(mark) ? String(text.dropFirst(mark.count)) : text
  }

  /// Parses and runs a command, then leaves with its status.
  static func run(_ parse: () throws -> any ParsableCommand) -> Never {
    do {
      var command = try parse()
      try requireSameCommand(command)
      try command.run()
      leave(0)
    } catch let failure as AgreedFailure {
      if !MPI.isRunning || Communicator.world.rank == 0 {
        Console.error((failure.rank > 0 ? "rank \(failure.rank): " : "") + failure.error.description)
      }
      leave(failure.error.kind.exitStatus)
    } catch let error as KitiError {
      leaveAlone(error.description, error.kind.exitStatus)
    } catch let status as ExitCode {
      leave(status.rawValue)
    } catch {
      let status = KitiDist.exitCode(for: error)
      if status == .success {
        if !MPI.isRunning || Communicator.world.rank == 0 { print(KitiDist.fullMessage(for: error)) }
        leave(0)
      }
      // The parser knows its own errors; everything else is a failure of the work.
      let isUsage = status == .validationFailure
      leaveAlone(
        isUsage ? parserMessage(error) : "\(error)",
        isUsage ? KitiError.Kind.usage.exitStatus : KitiError.Kind.failed.exitStatus)
    }
  }

  /// An error that the other ranks do not know of: they may be waiting for this one, so the whole job ends.
  private static func leaveAlone(_ message: String, _ status: Int32) -> Never {
    if MPI.isRunning, Communicator.world.size > 1 {
      Console.error("rank \(Communicator.world.rank) (\(MPI.processorName)): \(message)")
      MPI.abort(status: status)
    }
    Console.error(message)
    leave(status)
  }

  private static func leave(_ status: Int32) -> Never {
    if MPI.isRunning {
      do { try MPI.finish() } catch {
        Console.error("\(error)")
        exit(KitiError.Kind.failed.exitStatus)
      }
    }
    exit(status)
  }
}
