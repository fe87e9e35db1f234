import ArgumentParser
import Foundation
import KitiCore
import KitiMPI

struct DataMakeBurgersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "burgers",
    abstract: "Burgers' equation in one dimension: initial field to the field at a later time.",
    discussion: """
      Under mpirun each rank makes its part; the file is the same for any number of ranks. It is complete or absent: \
      it gets its name when it is on disk.
      """)

  @Option(help: ArgumentHelp("Samples to make, those for testing included.", valueName: "n"))
  var samples: Int

  @Option(help: ArgumentHelp("Samples set aside for testing; a sixth unless told.", valueName: "n"))
  var testSamples: Int?

  @Option(help: ArgumentHelp("Points of a sample.", valueName: "s"))
  var resolution: Int

  @Option(help: ArgumentHelp("The data set file to write.", valueName: "file"))
  var output: String

  @Option(help: ArgumentHelp("Viscosity of the equation.", valueName: "nu"))
  var viscosity = 0.1

  @Option(help: "Seed of the initial fields.")
  var seed: UInt64 = 1

  @Option(
    help: ArgumentHelp(
      "Points of the solver's grid, a multiple of the resolution; at least 1024 unless told.", valueName: "n"))
  var grid: Int?

  @Option(help: ArgumentHelp("Time of the later field.", valueName: "t"))
  var endTime = 1.0

  @Flag(help: "Replace an existing file, once the new one is complete.")
  var overwrite = false

  func run() throws {
    let world = try Launch.world()
    StopSignals.install()
    try world.onFirstRank { try FileManager.default.makeParent(of: output) }
    let started = MPI.wallTime
    let display = ProgressLine(isShown: world.rank == 0, total: samples, unit: "samples")
    let recipe = BurgersDataSet(
      samples: samples, testSamples: testSamples, resolution: resolution, viscosity: viscosity, seed: seed,
      gridPoints: grid, endTime: endTime)
    defer { display.clear() }
    let layout = try recipe.write(to: output, overwrite: overwrite, communicator: world) { written in
      display.show(written)
      if let signal = StopSignals.pending {
        throw KitiError(
          .failed, "Stopped by signal \(signal) after \(written) of \(samples) samples; \(output) was not written.",
          remedy: "Run again to make it.")
      }
    }
    guard world.rank == 0 else { return }
    display.clear()
    let seconds = MPI.wallTime - started
    let ranks = world.size == 1 ? "1 rank" : "\(world.size) ranks"
    print(
      """
      \(output): \(layout.trainCount) training and \(layout.testCount) test samples of \(layout.points) points, \
      \(Console.bytes(layout.byteCount)), made in \(String(format: "%.1f", seconds)) s on \(ranks) \
      (\(Int((Double(samples) / seconds).rounded())) samples/s)
      """)
  }
}
