import Foundation

/// What a run's `metrics.jsonl` says, read back.
///
/// The run may still go on, or have been killed in the middle of a line: lines that are not whole are counted and left
/// out, and so are lines and keys that this version does not know.
public struct RunRecord: Sendable {
  /// A start of the run; each resuming is another one.
  public struct Start: Decodable, Sendable {
    public var name: String
    /// Steps done before it.
    public var step: Int
    public var ranks: Int
    public var hosts: [String]
    public var seed: String
    public var parameters: Int
    public var globalBatch: Int
    public var version: String
    public var mpi: String
    public var instructionSet: String
    /// ISO 8601.
    public var started: String
  }

  public struct Step: Decodable, Sendable {
    public var step: Int
    public var epoch: Int
    /// Of the run so far.
    public var samples: Int
    /// Nil where it was not a finite number.
    public var loss: Double?
    public var learningRate: Double
    public var samplesPerSecond: Double
    public var collisionRate: Double?
    /// Every some steps.
    public var collisions: [Layer]?
    public var computeShare: Double?
    public var communicationShare: Double?
    public var hiddenShare: Double?
    /// `skipped` where the update was left out.
    public var update: String?
  }

  /// The collisions of one layer in one step.
  public struct Layer: Decodable, Sendable {
    public var layer: String
    public var rate: Double
    public var relativeSpeed: Double
    public var freePath: Double?
  }

  /// Metrics over the whole test split; shares are of 1.
  public struct Evaluation: Decodable, Sendable {
    public var step: Int
    public var loss: Double?
    public var accuracy: Double?
    public var relativeL2: Double?
    public var samples: Int
  }

  /// Mean seconds a step in some steps, of the median rank and of each.
  public struct Timing: Decodable, Sendable {
    public var step: Int
    public var steps: Int
    public var slowestRank: Int?
    public var slowestHost: String?
    /// 0.25: a quarter longer than the median.
    public var slowestExcess: Double?
    /// Of each rank, in the order of ranks, where they are few.
    public var ranks: [RankSeconds]?
  }

  public struct RankSeconds: Decodable, Sendable {
    public var rank: Int
    public var loading, compute, communication, update, other: Double

    /// In the order of `PhaseSeconds.names`.
    public var values: [Double] { [loading, compute, communication, update, other] }
  }

  /// A fall back to a checkpoint, from a step whose numbers were not finite.
  public struct Restore: Decodable, Sendable {
    public var step: Int
    public var failedStep: Int
    public var reason: String
    public var learningRateFactor: Double
  }

  public private(set) var starts: [Start] = []
  public private(set) var steps: [Step] = []
  public private(set) var evaluations: [Evaluation] = []
  public private(set) var timings: [Timing] = []
  public private(set) var restores: [Restore] = []
  /// Lines that could not be read.
  public private(set) var damagedLines = 0
  /// Whether the last line is one of them: the run is writing it, or was killed while it did.
  public private(set) var endsInsideALine = false

  /// - Throws: `KitiError` of kind `.usage` if the folder is none of a run, `.badData` if its file holds nothing of
  ///   one.
  public init(_ folder: RunFolder) throws {
    let path = folder.metricsPath
    guard let contents = FileManager.default.contents(atPath: path) else {
      let what = folder.exists ? "this is no run's folder: it holds no metrics.jsonl." : "there is no such folder."
      throw KitiError(.usage, "\(folder.path): \(what)", remedy: "Name the folder that 'kiti-dist train' made.")
    }
    let decoder = JSONDecoder()
    let lines = contents.split(separator: UInt8(ascii: "\n"))
    for (index, line) in lines.enumerated() {
      do { try take(Data(line), decoder) } catch {
        damagedLines += 1
        endsInsideALine = index == lines.count - 1
      }
    }
    guard !starts.isEmpty else {
      throw KitiError(
        .badData, "\(path): no line says how a run began.",
        remedy: "Name the folder that 'kiti-dist train' made; if this is it, the file is damaged.")
    }
  }

  private struct Kind: Decodable { var kind: String }

  private mutating func take(_ line: Data, _ decoder: JSONDecoder) throws {
    switch try decoder.decode(Kind.self, from: line).kind {
    case "run": starts.append(try decoder.decode(Start.self, from: line))
    case "step": steps.append(try decoder.decode(Step.self, from: line))
    case "evaluation": evaluations.append(try decoder.decode(Evaluation.self, from: line))
    case "timing": timings.append(try decoder.decode(Timing.self, from: line))
    case "restore": restores.append(try decoder.decode(Restore.self, from: line))
    default: break
    }
  }

  /// Seconds of each step, from its samples and their rate.
  public var stepSeconds: [Double] {
    var last = 0
    return steps.map { step in
      defer { last = step.samples }
      return step.samplesPerSecond > 0 ? Double(max(0, step.samples - last)) / step.samplesPerSecond : 0
    }
  }
}

extension RunRecord {
  /// What one rank did with the mean step of the run, in the order of `PhaseSeconds.names`; empty without timings of
  /// each rank. Of the last start, since ranks may have changed.
  public var meanRankSeconds: [(rank: Int, seconds: [Double])] {
    let count = starts.last?.ranks ?? 0
    let first = starts.last?.step ?? 0
    var sums = Array(repeating: Array(repeating: 0.0, count: PhaseSeconds.names.count), count: count)
    var total = 0
    for timing in timings where timing.step > first {
      guard let ranks = timing.ranks, ranks.count == count else { continue }
      for (index, rank) in ranks.enumerated() {
        for (phase, seconds) in rank.values.enumerated() { sums[index][phase] += seconds * Double(timing.steps) }
      }
      total += timing.steps
    }
    guard total > 0 else { return [] }
    return sums.enumerated().map { rank, seconds in (rank, seconds.map { $0 / Double(total) }) }
  }

  /// Times at which a rank stood out, the worst first.
  public var stragglers: [Timing] {
    timings.filter { ($0.slowestExcess ?? 0) > PhaseTimings.noticeable.excess }
      .sorted { ($0.slowestExcess ?? 0) > ($1.slowestExcess ?? 0) }
  }
}
