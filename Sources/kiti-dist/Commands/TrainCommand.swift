import ArgumentParser
import Foundation
import KitiCore
import KitiMPI

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train what a configuration describes.",
    discussion: """
      SIGUSR1, SIGTERM or SIGINT make all ranks write a checkpoint after the current step and leave with status 75; \
      the same command with --resume goes on.
      """)

  @Argument(help: "The configuration, a YAML file.")
  var config: String

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Change a key of the configuration, such as model.width=32.", valueName: "key=value"))
  var overrides: [String] = []

  @Option(help: "The run's folder; runs/NAME with the configuration's name unless told.")
  var output: String?

  @Option(
    defaultAsFlag: "",
    help: ArgumentHelp(
      "Go on from the newest checkpoint of DIR, or of the output folder, where a run that has none begins anew.",
      valueName: "dir"))
  var resume: String?

  @Option(help: ArgumentHelp("Stop after this many steps of the run, with a checkpoint.", valueName: "n"))
  var maxSteps: Int?

  @Option(
    help: """
      How the run is shown: live (a line that is rewritten), lines (one an evaluation), or auto; under mpirun auto \
      means lines.
      """)
  var progress = ProgressStyle.auto

  @Flag(help: "Write each rank's timeline into the run's folder (Chrome trace format); 'kiti-dist report' merges them.")
  var timeline = false

  @Flag(help: "Print the resolved configuration, the model, memory and bytes sent per step; start nothing.")
  var dryRun = false

  /// The command line without what only decides the configuration.
  var wordsBesideConfiguration: [String] {
    ["train"] + (output.map { ["--output", $0] } ?? []) + (resume.map { ["--resume", $0] } ?? [])
      + (maxSteps.map { ["--max-steps", "\($0)"] } ?? []) + (timeline ? ["--timeline"] : [])
      + (dryRun ? ["--dry-run"] : [])
  }

  func validate() throws {
    if let maxSteps, maxSteps < 1 { throw ValidationError("--max-steps \(maxSteps): give at least 1.") }
    if let resume, !resume.isEmpty, output != nil {
      throw ValidationError("--resume DIR and --output both name the run's folder: give one of them.")
    }
  }

  func run() throws {
    let world = try Launch.world()
    let configuration = try world.agreeing { try Configuration.load(path: config, overrides: overrides) }
    let folder = RunFolder(path: named(resume) ?? output ?? "runs/\(configuration.name)")
    var isResuming = false
    try world.onFirstRank {
      isResuming = resume != nil && (folder.exists || named(resume) != nil)
      if isResuming, !folder.exists {
        throw KitiError(
          .usage, "--resume \(folder.path): there is no such folder.",
          remedy: "Name the folder of a run, or leave DIR out to begin one if there is none.")
      }
      if !isResuming, !dryRun, folder.exists {
        throw KitiError(
          .usage, "The output folder '\(folder.path)' exists.",
          remedy: "Give another one with --output, or continue its run with --resume.")
      }
    }
    isResuming = try world.broadcast(isResuming ? 1 : 0, root: 0) == 1
    StopSignals.install()
    let trainer = try Trainer(
      configuration: configuration, folder: folder, resume: isResuming, timeline: timeline, communicator: world,
      observer: world.rank == 0 ? TrainingDisplay(progress) : nil)
    if dryRun {
      if world.rank == 0 { RunSummary.print(trainer) }
      return
    }
    let outcome = try trainer.run(maxSteps: maxSteps)
    try conclude(outcome, trainer, world, folder)
  }

  private func conclude(
    _ outcome: Trainer.Outcome, _ trainer: Trainer, _ world: Communicator, _ folder: RunFolder
  ) throws {
    let isFirst = world.rank == 0
    switch outcome {
    case .finished:
      guard isFirst else { return }
      if let evaluation = trainer.lastEvaluation {
        print("\(Console.sentence(evaluation)) over \(evaluation.samples) samples")
      } else {
        print("nothing left to do: the run has all its \(trainer.description.totalSteps) steps")
      }
      if let checkpoint = trainer.lastCheckpoint { print("checkpoint \(checkpoint)") }
    case .reachedLimit:
      if isFirst { print("stopped at --max-steps; go on with: kiti-dist train \(config) --resume \(folder.path)") }
    case .stopped(let signal):
      if isFirst {
        Console.notice(
          "stopped by signal \(signal) after a checkpoint; go on with: kiti-dist train \(config) --resume "
            + folder.path)
      }
      throw ExitCode(KitiError.Kind.stoppedEarly.exitStatus)
    }
  }

  private func named(_ folder: String?) -> String? { folder.flatMap { $0.isEmpty ? nil : $0 } }
}
