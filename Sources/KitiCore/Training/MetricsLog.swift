import Foundation

/// One line of `metrics.jsonl`: keys in the order in which they are set.
public struct MetricsLine: Sendable {
  private var fields: [(key: String, json: String)] = []

  public init() {}

  public init(kind: String) { set("kind", kind) }

  public mutating func set(_ key: String, _ value: String) { fields.append((key, Self.quoted(value))) }
  public mutating func set(_ key: String, _ value: Int) { fields.append((key, "\(value)")) }

  /// JSON has no NaN and no infinity: they become null.
  public mutating func set(_ key: String, _ value: Double) {
    fields.append((key, value.isFinite ? "\(value)" : "null"))
  }

  public mutating func set(_ key: String, _ values: [String]) {
    fields.append((key, "[\(values.map(Self.quoted).joined(separator: ","))]"))
  }

  public mutating func set(_ key: String, _ lines: [MetricsLine]) {
    fields.append((key, "[\(lines.map(\.json).joined(separator: ","))]"))
  }

  /// One line of JSON.
  public var json: String { "{" + fields.map { "\(Self.quoted($0.key)):\($0.json)" }.joined(separator: ",") + "}" }

  /// Keys and values for people, a line each.
  public var table: String {
    let width = fields.map(\.key.count).max() ?? 0
    return fields.map { $0.key + String(repeating: " ", count: width + 2 - $0.key.count) + $0.json }
      .joined(separator: "\n")
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case _ where scalar.value < 0x20: result += String(format: "\\u%04x", scalar.value)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

extension MetricsLine {
  /// What a time was spent on, as shares of it, and the share of communication that was hidden behind computing.
  ///
  /// - Parameters:
  ///   - computeSeconds, seconds: computing and all of the time in which the communication was.
  ///   - steps: in that time; bytes are those of one.
  public mutating func set(
    _ communication: CommunicationReport, compute computeSeconds: Double, of seconds: Double, steps: Int = 1
  ) {
    func share(_ value: Double) -> Double { (value * 1e4).rounded() / 1e4 }
    set("computeShare", share(computeSeconds / seconds))
    set("communicationShare", share(communication.exposedSeconds / seconds))
    set("hiddenShare", share(communication.hiddenShare))
    set("bytesSent", communication.bytesSent / steps)
  }

  /// The metrics under their own keys, then what was special about them.
  public mutating func set(_ values: [MetricValue], remarks: [String]) {
    for value in values { set(value.metric.key, value.value) }
    if !remarks.isEmpty { set("with", remarks) }
  }
}

extension CollisionReport {
  /// What a step's line says of one layer.
  var line: MetricsLine {
    var line = MetricsLine()
    line.set("layer", layer)
    line.set("rate", rate)
    line.set("relativeSpeed", relativeSpeed)
    if let freePath { line.set("freePath", freePath) }
    if let momentumDrift { line.set("momentumDrift", momentumDrift) }
    if let energyDrift { line.set("energyDrift", energyDrift) }
    return line
  }
}

extension PhaseTimings {
  /// Mean seconds a step: of the median rank, and of each rank while they are few.
  var line: MetricsLine {
    let perStep = 1 / Double(max(1, steps))
    func set(_ values: [Double], in line: inout MetricsLine) {
      for (name, value) in zip(PhaseSeconds.names, values) { line.set(name, (value * perStep * 1e9).rounded() / 1e9) }
    }
    var line = MetricsLine(kind: "timing")
    line.set("step", step)
    line.set("steps", steps)
    set(PhaseSeconds.names.indices.map { index in Self.median(ranks.map { $0.values[index] }) }, in: &line)
    if let slowest {
      line.set("slowestRank", slowest.rank)
      line.set("slowestHost", hosts[slowest.rank])
      line.set("slowestExcess", (slowest.excess * 1e4).rounded() / 1e4)
    }
    if ranks.count <= Self.mostRanksListed {
      let lines = ranks.enumerated().map { rank, seconds in
        var line = MetricsLine()
        line.set("rank", rank)
        set(seconds.values, in: &line)
        return line
      }
      line.set("ranks", lines)
    }
    return line
  }

  private static let mostRanksListed = 64
}

/// The file `metrics.jsonl` of a run; only rank 0 has one.
///
/// Each line is written at once, whole, so that what is on disk can be read while the run goes on and survives its end.
public final class MetricsLog {
  private let path: String
  private let handle: FileHandle

  /// Opens the file for appending.
  ///
  /// - Parameter keepingSteps: when a run resumes after this many steps, lines of later steps are dropped: the steps
  ///   will be done again, and the file ends up as if the run had not been interrupted. Nil starts a new file.
  public init(path: String, keepingSteps: Int?) throws {
    self.path = path
    var kept = Data()
    if let keepingSteps, let old = FileManager.default.contents(atPath: path) {
      for line in old.split(separator: UInt8(ascii: "\n")) {
        guard
          let object = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any],
          (object["step"] as? Int ?? 0) <= keepingSteps
        else { continue }
        kept.append(contentsOf: line)
        kept.append(UInt8(ascii: "\n"))
      }
    }
    do {
      try kept.write(to: URL(fileURLWithPath: path), options: .atomic)
      handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      try handle.seekToEnd()
    } catch {
      throw MetricsLog.failure(path, error)
    }
  }

  public func write(_ line: MetricsLine) throws {
    do { try handle.write(contentsOf: Data((line.json + "\n").utf8)) } catch {
      throw MetricsLog.failure(path, error)
    }
  }

  private static func failure(_ path: String, _ error: any Error) -> KitiError {
    KitiError(
      .failed, "\(path) could not be written: \((error as NSError).localizedDescription)",
      remedy: "Check free space and permissions of its folder; then resume the run with --resume.")
  }
}
