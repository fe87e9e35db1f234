import Foundation

/// The checkpoints of a run: `checkpoints/step-00001000.h5` … in its folder, and `latest`, a relative symbolic link to
/// the one to go on from.
///
/// For one process: rank 0 calls it, and tells the others.
public struct CheckpointFolder: Sendable {
  public let runFolder: String
  /// How many checkpoints stay, at least 1.
  public let keep: Int

  private static let subfolder = "checkpoints"
  private static let link = "latest"

  public init(runFolder: String, keep: Int) {
    self.runFolder = runFolder
    self.keep = max(1, keep)
  }

  private var folder: String { "\(runFolder)/\(Self.subfolder)" }
  private var link: String { "\(runFolder)/\(Self.link)" }

  /// Where the checkpoint after `step` optimizer steps lies, or will.
  public func path(step: Int) -> String { "\(folder)/\(Self.name(step: step))" }

  private static func name(step: Int) -> String {
    let digits = String(step)
    return "step-\(String(repeating: "0", count: max(0, 8 - digits.count)))\(digits).h5"
  }

  private static func step(name: String) -> Int? {
    guard name.hasPrefix("step-"), name.hasSuffix(".h5"), let step = Int(name.dropFirst(5).dropLast(3)),
      self.name(step: step) == name
    else { return nil }
    return step
  }

  /// The steps of the checkpoints in the folder, complete or not, in rising order.
  private func steps() -> [Int] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).compactMap { Self.step(name: $0) }.sorted()
  }

  /// Points `latest` to a checkpoint that was just written, in one step, and then removes what is no longer kept: all but
  /// the newest `keep`, and files that were never finished.
  ///
  /// Checkpoints of later steps belong to a course that the run has left, by going on from an earlier one: they count
  /// as older than all others.
  /// - Throws: `KitiError`, kind `.failed`, if there is no such checkpoint, the link cannot be made or a file cannot be
  ///   removed. Nothing is removed before the link is on the disk.
  public func commit(step: Int) throws {
    guard FileManager.default.fileExists(atPath: path(step: step)) else {
      throw KitiError(.failed, "\(path(step: step)): there is no such checkpoint to go on from.", remedy: "")
    }
    let temporary = "\(runFolder)/.\(Self.link)\(CheckpointWriter.temporarySuffix)"
    unlink(temporary)
    guard symlink("\(Self.subfolder)/\(Self.name(step: step))", temporary) == 0 else {
      throw CheckpointDisk.failure(temporary, "making the link")
    }
    do {
      try CheckpointDisk.renameFile(temporary, to: link)
    } catch {
      unlink(temporary)
      throw error
    }
    try CheckpointDisk.synchronizeFolder(runFolder)

    let steps = steps()
    let newestFirst = steps.filter { $0 <= step }.reversed() + steps.filter { $0 > step }.reversed()
    for old in newestFirst.dropFirst(keep) { try remove(path(step: old)) }
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    where name.hasPrefix("step-") && name.hasSuffix(CheckpointWriter.temporarySuffix) {
      try remove("\(folder)/\(name)")
    }
  }

  private func remove(_ path: String) throws {
    guard unlink(path) == 0 || errno == ENOENT else { throw CheckpointDisk.failure(path, "removing the file") }
  }

  /// The checkpoint to go on from: the one `latest` points to, or, if that is missing or damaged, the complete one of
  /// the highest step, with a text that tells a person why. `nil` if the run has none. Reads every byte of the files
  /// it tries.
  ///
  /// - Throws: `KitiError`, kind `.badData`, if there are checkpoints and none is complete.
  public func newest() throws -> (path: String, warning: String?)? {
    var problems: [String] = []
    let target = try? FileManager.default.destinationOfSymbolicLink(atPath: link)
    let linked = target.map { $0.hasPrefix("/") ? $0 : "\(runFolder)/\($0)" }
    if let linked {
      guard let problem = Self.problem(linked) else { return (linked, nil) }
      problems.append("\(link) points to a file that cannot be used: \(problem)")
    }
    let steps = steps()
    if linked == nil {
      guard !steps.isEmpty else { return nil }
      problems.append("\(link) is missing.")
    }
    for step in steps.reversed() where path(step: step) != linked {
      if let problem = Self.problem(path(step: step)) {
        problems.append(problem)
      } else {
        return (path(step: step), problems.joined(separator: " ") + " Going on from \(path(step: step)) instead.")
      }
    }
    throw KitiError(
      .badData, "\(folder): none of the run's checkpoints can be used. \(problems.joined(separator: " "))",
      remedy: "Start the run anew in another folder, or bring back an undamaged copy.")
  }

  private static func problem(_ path: String) -> String? {
    do {
      try CheckpointIntegrity.check(path)
      return nil
    } catch {
      return (error as? KitiError)?.problem ?? "\(error)"
    }
  }
}
