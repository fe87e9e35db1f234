import ArgumentParser

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Make, import and look at data sets.",
    subcommands: [DataMakeCommand.self, DataImportCommand.self, DataInspectCommand.self])
}

struct DataMakeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "make", abstract: "Make a data set by solving equations, with all ranks.",
    subcommands: [DataMakeBurgersCommand.self])
}
