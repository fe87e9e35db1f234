import Foundation
import XCTest

/// A test of the built program, in a fresh folder that goes when the test ends.
class ProgramTestCase: XCTestCase {
  private(set) var folder: URL!
  /// A small data set: 24 training and 8 test samples of 64 points.
  private(set) var data = ""

  var program: Program { Program(directory: folder) }

  override func setUpWithError() throws {
    try super.setUpWithError()
    try XCTSkipIf(Program.isLaunched, "these tests launch ranks themselves")
    folder = try TemporaryFolder.make()
    data = try SharedData.path.get()
  }

  override func tearDownWithError() throws {
    if let folder { try FileManager.default.removeItem(at: folder) }
    try super.tearDownWithError()
  }

  func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  /// A small network on the shared data, with collisions. Tests change keys with --set.
  var configurationText: String { Self.configurationText(data: data) }

  static func configurationText(data: String) -> String {
    """
    name: tiny
    seed: 3
    data: {kind: burgers, path: \(data)}
    model:
      kind: fno1d
      width: 8
      modes: 4
      blocks: 2
      projection: 16
      collision: {scheme: ntc, coefficient: 0.5, divide: 4, streams: rank}
    optimizer: {kind: adam, learningRate: 1e-3, weightDecay: 1e-4, schedule: {kind: constant}}
    training: {epochs: 20, batch: 4, evaluateEvery: 1 epoch}
    checkpoint: {every: 100 epochs, keep: 3}

    """
  }

  /// Writes `text`, or the small configuration, to a file.
  @discardableResult
  func writeConfiguration(_ text: String? = nil, name: String = "tiny.yaml") throws -> String {
    try (text ?? configurationText).write(toFile: path(name), atomically: true, encoding: .utf8)
    return path(name)
  }

  /// The arguments of `train` for the small configuration.
  func train(_ run: String? = nil, resume: String? = nil, maxSteps: Int? = nil, set: [String] = []) throws -> [String] {
    var arguments = ["train", try writeConfiguration()]
    if let run { arguments += ["--output", path(run)] }
    if let resume { arguments += ["--resume", path(resume)] }
    if let maxSteps { arguments += ["--max-steps", "\(maxSteps)"] }
    return arguments + set.flatMap { ["--set", $0] }
  }

  func checkpointNames(_ run: String) -> [String] {
    let names = try? FileManager.default.contentsOfDirectory(atPath: path("\(run)/checkpoints"))
    return (names ?? []).filter { $0.hasSuffix(".h5") }.sorted()
  }
}

enum TemporaryFolder {
  /// Short, since sockets of the launcher lie in folders below it.
  static func make() throws -> URL {
    let name = "kiti-\(UUID().uuidString.prefix(8).lowercased())"
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    return folder
  }

  /// One that goes when all tests have ended.
  static func makeForAllTests() throws -> URL {
    let folder = try make()
    XCTestObservationCenter.shared.addTestObserver(Remover(folder))
    return folder
  }

  private final class Remover: NSObject, XCTestObservation {
    private let folder: URL
    init(_ folder: URL) { self.folder = folder }
    func testBundleDidFinish(_ testBundle: Bundle) { try? FileManager.default.removeItem(at: folder) }
  }
}

/// The data set that most tests read, made once.
enum SharedData {
  static let path = Result { () throws -> String in
    let folder = try TemporaryFolder.makeForAllTests()
    let file = folder.appendingPathComponent("burgers.h5").path
    try Program(directory: folder).succeed(
      ["data", "make", "burgers", "--samples", "32", "--test-samples", "8", "--resolution", "64", "--output", file])
    return file
  }
}
