import ArgumentParser
import Foundation
import KitiCore
import KitiMPI

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Show a run as one HTML page, and merge its timelines.",
    discussion: """
      The page holds the run's curves, collisions, times and last steps, and needs no other file: report.html in the \
      run's folder. The run may still go on. Where 'kiti-dist train --timeline' has written timelines, timeline.json \
      beside the page holds those of all ranks, on rank 0's clock: https://ui.perfetto.dev and chrome://tracing show it.
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
      let page = ReportPage(
        record: record, configuration: configuration.map { String(decoding: $0, as: UTF8.self) }, timeline: timeline)
      try write(page.html, to: output)
      for rank in timeline?.cutOff ?? [] {
        Console.notice("the timeline of rank \(rank) was cut off; its whole lines were taken")
      }
      print("\(output): \(record.steps.count) steps, \(record.evaluations.count) evaluations")
      guard let timeline else { return }
      let ranks = "\(timeline.ranks.count) rank\(timeline.ranks.count == 1 ? "" : "s")"
      print("\(timelinePath): \(timeline.events) events of \(ranks)")
    }
  }

  private func write(_ page: String, to output: String) throws {
    try FileManager.default.makeParent(of: output)
    do { try Data(page.utf8).write(to: URL(fileURLWithPath: output), options: .atomic) } catch {
      throw KitiError(
        .failed, "\(output) could not be written: \((error as NSError).localizedDescription)",
        remedy: "Check free space and permissions of its folder, or name another file with --output.")
    }
  }
}
