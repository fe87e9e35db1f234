import ArgumentParser
import KitiCore

@main
struct KitiDist: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kiti-dist",
    abstract: "Data-parallel training of networks whose residual connections are particle collisions.",
    discussion: """
      Runs alone, under 'mpirun -np N kiti-dist …', or under 'srun --mpi=pmix kiti-dist …'.

      Exit status: 0 done; 1 failed; 64 wrong command line or configuration; 65 bad data or a damaged file; \
      75 stopped early after a checkpoint, run again to go on.
      """,
    version: KitiVersion.program,
    subcommands: [
      TrainCommand.self, EvaluateCommand.self, DataCommand.self, InspectCommand.self, CondenseCommand.self,
      BenchCommand.self, PhysicsCommand.self, PlanCommand.self, ReportCommand.self,
    ])

  static func main() {
    ProcessorCheck.requireInstructionSet()
    Launch.run {
      try Launch.agreeing { try KitiDist.parseAsRoot() }
    }
  }
}
