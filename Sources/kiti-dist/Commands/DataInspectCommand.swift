import ArgumentParser
import KitiCore

struct DataInspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Contents of a data set; reads all of it.",
    discussion: "Leaves with status 65 if it is damaged, is no data set, or holds values that are not finite.")

  @Argument(help: "The data set file.")
  var file: String

  func run() throws {
    try Launch.world().onFirstRank {
      let inspection = try DataSetInspection(path: file)
      show(inspection)
      try inspection.requireFiniteValues()
    }
  }

  private func show(_ inspection: DataSetInspection) {
    let counts = inspection.sampleCounts
    let titles = ["file", "kind", "size", "samples"]
    let width = (titles + inspection.attributes.map(\.name)).map(\.count).max() ?? 0
    func line(_ title: String, _ value: String) {
      print(title + String(repeating: " ", count: width + 2 - title.count) + value)
    }
    line("file", inspection.path)
    line("kind", inspection.kind)
    line("size", Console.bytes(inspection.fileBytes))
    line("samples", "\(counts[.train] ?? 0) training, \(counts[.test] ?? 0) test")
    for attribute in inspection.attributes where attribute.name != "kind" && attribute.name != "classes" {
      line(attribute.name, attribute.value)
    }
    print()
    if !inspection.classes.isEmpty {
      let classes = Table.text(
        header: ["class", "name", "training", "test"],
        rows: inspection.classes.enumerated().map { [String($0), $1.name, String($1.train), String($1.test)] })
      print(classes + "\n")
    }
    let arrays = Table.text(
      header: ["array", "shape", "chunk", "minimum", "maximum", "mean", "deviation", "not finite"],
      rows: inspection.arrays.map {
        [
          $0.path, shape($0.shape), $0.chunkShape.map(shape) ?? "none", Console.number($0.minimum),
          Console.number($0.maximum), Console.number($0.mean), Console.number($0.standardDeviation),
          String($0.nonFiniteCount),
        ]
      })
    print(arrays)
  }

  private func shape(_ extents: [Int]) -> String { extents.map(String.init).joined(separator: " × ") }
}
