import ArgumentParser
import Foundation
import KitiCore
import KitiMPI

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Show a run as one HTML page, and merge its timelines.",
    discussion: """
      The page holds the run's curves, collisions, times, last steps and the condensation of its newest checkpoint, and \
      needs no other file: report.html in the run's folder. The run may still go on. Where 'kiti-dist train --timeline' \
      has written timelines, timeline.json beside the page holds those of all ranks, on rank 0's clock: \
      https://ui.perfetto.dev and chrome://tracing show it.
      """)

  @Argument(help: ArgumentHelp("The run's folder.", valueName: "run"))
  var path: String

  @Option(help: ArgumentHelp("The page; report.html in the run's folder unless told.", valueName: "file"))
  var output: String?

  func run() throws {
    try Launch.world().onFirstRank {
      let folder = RunFolder(path: path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path)
      let record = try RunRecord(folder)
      let output = output ?? "\(folder.path)/report.html"
      let parent = (output as NSString).deletingLastPathComponent as NSString
      let timelinePath = parent.appendingPathComponent("timeline.json")
      let timeline = try MergedTimeline.write(run: folder.path, to: timelinePath)
      let configuration = FileManager.default.contents(atPath: folder.configurationPath)
      let report = ReportPage(
        record: record, configuration: configuration.map { String(decoding: $0, as: UTF8.self) }, timeline: timeline,
        condensation: condensation(folder))
      try report.page.write(to: output)
      for rank in timeline?.cutOff ?? [] {
        Console.notice("the timeline of rank \(rank) was cut off; its whole lines were taken")
      }
      print("\(output): \(record.steps.count) steps, \(record.evaluations.count) evaluations")
      guard let timeline else { return }
      let ranks = "\(timeline.ranks.count) rank\(timeline.ranks.count == 1 ? "" : "s")"
      print("\(timelinePath): \(timeline.events) events of \(ranks)")
    }
  }

  /// Of the newest checkpoint that can be read; nil if there is none. The page is worth having without.
  private func condensation(_ folder: RunFolder) -> (state: TrainingState, layers: [LayerCondensation])? {
    do {
      let newest = try CheckpointFolder(runFolder: folder.path, keep: 1).newest()
      return try newest.map { try Checkpoint.condensation($0.path) }
    } catch {
      Console.notice("the page is without condensation: \(error)")
      return nil
    }
  }
}
