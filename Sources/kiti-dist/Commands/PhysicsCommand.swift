import ArgumentParser
import Foundation
import KitiCore
import KitiMPI

struct PhysicsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "physics", abstract: "Check the collisions against kinetic theory.", subcommands: [RelaxCommand.self])
}

struct RelaxCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "relax",
    abstract: "Relaxation of a homogeneous gas with the training kernel, against the closed form.",
    discussion: """
      A gas of two temperatures collides with itself, every pair with the same probability p. Each step multiplies the \
      excess of its fourth moment, <|v|^4> - (d+2)/d <|v|^2>^2, by 1 - p(d-1)/(2d); the excess of a Maxwellian is 0. \
      Under mpirun each rank has its share of the particles.
      """)

  @Option(help: ArgumentHelp("Dimensions of the velocities.", valueName: "d"))
  var dimensions: Int

  @Option(help: ArgumentHelp("Particles, over all ranks.", valueName: "n"))
  var particles = 1_000_000

  @Option(help: ArgumentHelp("Collision steps.", valueName: "k"))
  var steps = 8

  @Option(help: ArgumentHelp("Probability that a pair collides.", valueName: "p"))
  var probability = 1.0

  @Option(help: "Seed of all random numbers.")
  var seed: UInt64 = 1

  @Option(help: ArgumentHelp("Write a plot (.svg) or the moments (.csv).", valueName: "file"))
  var output: String?

  @Flag(help: "One JSON line instead of text.")
  var json = false

  func validate() throws {
    if dimensions < 1 || steps < 1 { throw ValidationError("--dimensions and --steps: give at least 1.") }
    if particles < 2 || particles > 1_000_000_000 {
      throw ValidationError("--particles \(particles): give 2 to 1000000000.")
    }
    if !(probability > 0 && probability <= 1) {
      throw ValidationError("--probability \(probability): give a number above 0, at most 1.")
    }
    if let output, !output.hasSuffix(".svg"), !output.hasSuffix(".csv") {
      throw ValidationError("--output \(output): give a name that ends in .svg or .csv.")
    }
  }

  func run() throws {
    let world = try Launch.world()
    try world.agreeing {
      guard particles >= 2 * world.size else {
        throw KitiError(
          .usage, "--particles \(particles): \(world.size) ranks need at least two each.",
          remedy: "Give more particles or start fewer ranks.")
      }
    }
    let started = MPI.wallTime
    let gas = GasRelaxation(
      dimensions: dimensions, particles: particles, steps: steps, probability: probability, seed: seed)
    let result = try gas.run(communicator: world)
    let seconds = MPI.wallTime - started
    try world.onFirstRank { try write(result) }
    guard world.rank == 0 else { return }
    print(json ? line(result, ranks: world.size, seconds: seconds).json : table(result))
  }

  private func write(_ result: GasRelaxation.Result) throws {
    guard let output else { return }
    let title = "\(particles) particles in \(dimensions) dimension\(dimensions == 1 ? "" : "s"), p = \(probability)"
    let text = output.hasSuffix(".svg") ? result.svg(title: title) : result.csv
    do { try Data(text.utf8).write(to: URL(fileURLWithPath: output), options: .atomic) } catch {
      throw KitiError(
        .failed, "\(output) could not be written: \((error as NSError).localizedDescription)",
        remedy: "Check the folder, its permissions and free space.")
    }
  }

  private func line(_ result: GasRelaxation.Result, ranks: Int, seconds: Double) -> MetricsLine {
    var line = MetricsLine(kind: "physics")
    line.set("dimensions", dimensions)
    line.set("particles", particles)
    line.set("steps", steps)
    line.set("probability", probability)
    line.set("measuredFactor", result.measuredFactor)
    line.set("expectedFactor", result.expectedFactor)
    line.set("relativeError", result.relativeError)
    line.set("collisionRate", result.collisionRate)
    line.set("momentumDrift", result.momentumDrift)
    line.set("energyDrift", result.energyDrift)
    line.set("ranks", ranks)
    line.set("seconds", seconds)
    return line
  }

  private func table(_ result: GasRelaxation.Result) -> String {
    func row(_ words: [String]) -> String {
      words.map { String(repeating: " ", count: max(0, 13 - $0.count)) + $0 }.joined()
    }
    func number(_ value: Double) -> String { String(format: "%.6g", value) }
    var lines = [row(["step", "<v^2>", "<v^4>", "excess", "closed form", "factor"])]
    for (index, moments) in result.moments.enumerated() {
      let factor = index == 0 ? "" : String(format: "%.5f", moments.excess / result.moments[index - 1].excess)
      lines.append(
        row([
          "\(moments.step)", number(moments.second), number(moments.fourth), number(moments.excess),
          number(moments.expected), factor,
        ]))
    }
    lines.append(
      String(
        format: "factor a step: measured %.5f, closed form %.5f, relative error %.3f %%", result.measuredFactor,
        result.expectedFactor, result.relativeError * 100))
    lines.append(
      String(
        format: "pairs accepted %.2f %%, momentum drift %.1e, energy drift %.1e", result.collisionRate * 100,
        result.momentumDrift, result.energyDrift))
    if let output { lines.append("written: \(output)") }
    return lines.joined(separator: "\n")
  }
}
