import Foundation

/// The folder of one run: `config.yaml`, `metrics.jsonl`, `checkpoints/` and the link `latest`.
public struct RunFolder: Sendable {
  public let path: String

  public init(path: String) { self.path = path }

  public var configurationPath: String { path + "/config.yaml" }
  public var metricsPath: String { path + "/metrics.jsonl" }
  public var checkpointsPath: String { path + "/checkpoints" }

  public var exists: Bool { FileManager.default.fileExists(atPath: path) }

  /// Makes the folder of a new run.
  ///
  /// - Throws: a usage error if something with this name exists: it is left as it is.
  public func create() throws {
    guard !exists else {
      throw KitiError(
        .usage, "The output folder '\(path)' exists.",
        remedy: "Give another one with --output, or continue its run with --resume.")
    }
    try makeFolders()
  }

  /// Makes what is missing of the folders; rank 0.
  public func makeFolders() throws {
    do {
      try FileManager.default.createDirectory(atPath: checkpointsPath, withIntermediateDirectories: true)
    } catch {
      throw KitiError(
        .failed, "The output folder '\(path)' could not be made: \((error as NSError).localizedDescription)",
        remedy: "Check that its parent is a folder you may write to, with free space.")
    }
  }

  /// Writes the resolved configuration; rank 0.
  public func write(_ configuration: Configuration) throws {
    do {
      try Data(configuration.yaml.utf8).write(to: URL(fileURLWithPath: configurationPath), options: .atomic)
    } catch {
      throw KitiError(
        .failed, "\(configurationPath) could not be written: \((error as NSError).localizedDescription)",
        remedy: "Check free space and permissions of the folder.")
    }
  }
}
