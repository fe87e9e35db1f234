import ArgumentParser
import KitiCore

@main
struct KitiDist: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "kiti-dist", abstract: "Data-parallel training of KITI networks.")
}
