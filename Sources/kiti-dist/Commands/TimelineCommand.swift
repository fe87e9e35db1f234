import ArgumentParser
import KitiCore

struct TimelineCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "timeline", abstract: "Merge the timelines of a run's ranks into one file.",
    discussion: """
      'kiti-dist train --timeline' writes one for each rank. chrome://tracing and https://ui.perfetto.dev show the merged \
      file with a process for each rank, all on rank 0's clock.
      """)

  @Argument(help: ArgumentHelp("The run's folder.", valueName: "run"))
  var folder: String

  @Option(help: "The merged file; timeline.json in the run's folder unless told.")
  var output: String?

  func run() throws {
    let output = output ?? "\(folder)/timeline.json"
    var merged: MergedTimeline?
    try Launch.world().onFirstRank { merged = try MergedTimeline.write(run: folder, to: output) }
    guard let merged else { return }
    for rank in merged.cutOff { Report.notice("the timeline of rank \(rank) was cut off; its whole lines were taken") }
    print("\(output): \(merged.events) events of \(merged.ranks.count) rank\(merged.ranks.count == 1 ? "" : "s")")
  }
}
