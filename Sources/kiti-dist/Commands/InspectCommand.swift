import ArgumentParser
import Foundation
import KitiCore

/// `kiti-dist inspect CHECKPOINT [--verify] [--json]`
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what a checkpoint holds, and whether it is undamaged.",
    discussion: """
      Every byte of the file is checked against the file's own hash first. The exit status is 65 if anything differs \
      from what was written.
      """)

  @Argument(
    help: ArgumentHelp("A checkpoint, or a run's folder for its latest one.", valueName: "checkpoint"),
    completion: .file())
  var path: String

  @Flag(help: "Also compare each array with its own checksum, and say that the file is undamaged.")
  var verify = false

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    try Launch.world().onFirstRank {
      let contents = try Checkpoint.contents(try checkpoint(), verify: verify)
      print(json ? try InspectReport.json(contents) : InspectReport.text(contents))
    }
  }

  /// The file that is meant: in a run's folder, what `latest` points to, damaged or not.
  private func checkpoint() throws -> String {
    let link = (path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path) + "/latest"
    if (try? FileManager.default.destinationOfSymbolicLink(atPath: link)) != nil { return link }
    let (checkpoint, warning) = try CheckpointFolder.resolve(path)
    if let warning { FileHandle.standardError.write(Data("warning: \(warning)\n".utf8)) }
    return checkpoint
  }
}

/// The contents of a checkpoint in the two forms in which they are printed.
enum InspectReport {
  static func text(_ contents: CheckpointContents) -> String {
    let state = contents.state
    let states = contents.optimizerStates.isEmpty ? "none" : contents.optimizerStates.joined(separator: ", ")
    let facts: [(String, String)] = [
      ("file", contents.path),
      ("written by", "\(contents.program), format \(contents.formatVersion)"),
      ("size", "\(contents.byteCount) bytes"),
      ("model", "\(contents.parameterCount) parameters"),
      ("optimizer", "\(contents.optimizerCount) numbers; states: \(states)"),
      ("step", "\(state.step)"),
      ("epoch", "\(state.epoch), of which \(state.stepInEpoch) steps and \(state.samplesInEpoch) samples are done"),
      ("seed", "\(state.seed)"),
      ("ranks", "\(state.worldSize), with \(state.globalBatch) samples a step over all"),
      (
        "learning rate",
        "as scheduled" + (state.learningRateFactor == 1 ? "" : ", times \(state.learningRateFactor)")
      ),
      ("best metric", state.bestMetric.map { "\($0)" } ?? "none yet"),
      ("training time", duration(state.elapsedSeconds)),
    ]
    let configuration = contents.configuration.split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0.isEmpty ? "" : "  \($0)" }.joined(separator: "\n")
    let verdict = contents.isVerified
      ? "Verified: every byte of the file and each of \(contents.arrays.count) arrays are as they were written." : ""
    return facts.map { pad($0.0, 15) + $0.1 }.joined(separator: "\n") + "\n\n" + table(contents) + "\n\nconfiguration\n"
      + configuration.trimmingCharacters(in: .newlines) + (verdict.isEmpty ? "" : "\n\n" + verdict)
  }

  private static func table(_ contents: CheckpointContents) -> String {
    let header = ["array", "shape", "type", "minimum", "maximum", "mean", "not finite", "checksum (XXH3)"]
    let rows = contents.arrays.map { array in
      [
        array.path, "[\(array.shape.map(String.init).joined(separator: ", "))]", array.type,
        array.minimum.map { short(Double($0)) } ?? "-", array.maximum.map { short(Double($0)) } ?? "-",
        array.mean.map { short($0) } ?? "-", "\(array.notFiniteCount)", digits(array.checksum),
      ]
    }
    return Table.text(header: header, rows: rows, left: [0, 1, 2, 7])
  }

  private static func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
  }

  private static func short(_ value: Double) -> String { String(format: "%.4g", value) }

  private static func digits(_ hash: UInt64) -> String { String(format: "%016llx", hash) }

  private static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e12 else { return "\(seconds) s" }
    guard seconds >= 60 else { return String(format: "%.1f s", seconds) }
    let whole = Int(seconds)
    return String(format: "%d h %02d min %02d s", whole / 3600, whole / 60 % 60, whole % 60)
  }

  /// Numbers that JSON cannot hold are null; checksums and the seed are texts, since many readers keep only 53 bits.
  static func json(_ contents: CheckpointContents) throws -> String {
    try Report(
      path: contents.path, program: contents.program, formatVersion: contents.formatVersion, bytes: contents.byteCount,
      verified: contents.isVerified, parameters: contents.parameterCount, optimizerNumbers: contents.optimizerCount,
      optimizerStates: contents.optimizerStates, state: State(contents.state), configuration: contents.configuration,
      arrays: contents.arrays.map(Array.init)
    ).jsonText
  }

  private struct Report: Encodable {
    var path, program: String
    var formatVersion, bytes: Int
    var verified: Bool
    var parameters, optimizerNumbers: Int
    var optimizerStates: [String]
    var state: State
    var configuration: String
    var arrays: [Array]
  }

  private struct State: Encodable {
    var step, epoch, stepInEpoch, samplesInEpoch, worldSize, globalBatch: Int
    var seed: String
    var bestMetric, elapsedSeconds, learningRateFactor: Double?

    init(_ state: TrainingState) {
      (step, epoch, stepInEpoch) = (state.step, state.epoch, state.stepInEpoch)
      (samplesInEpoch, worldSize, globalBatch) = (state.samplesInEpoch, state.worldSize, state.globalBatch)
      seed = "\(state.seed)"
      func finite(_ value: Double) -> Double? { value.isFinite ? value : nil }
      bestMetric = state.bestMetric.flatMap(finite)
      elapsedSeconds = finite(state.elapsedSeconds)
      learningRateFactor = finite(state.learningRateFactor)
    }
  }

  private struct Array: Encodable {
    var path: String
    var shape: [Int]
    var type, checksum: String
    var minimum, maximum: Float?
    var mean: Double?
    var notFinite: Int

    init(_ array: CheckpointContents.Array) {
      (path, shape, type) = (array.path, array.shape, array.type)
      (minimum, maximum, mean, notFinite) = (array.minimum, array.maximum, array.mean, array.notFiniteCount)
      checksum = digits(array.checksum)
    }
  }
}
