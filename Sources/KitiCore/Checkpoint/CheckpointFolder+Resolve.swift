import Foundation

extension CheckpointFolder {
  /// The checkpoint that a person means: a file as it is, a run's folder for its newest complete one, with a text that says
  /// why if that is not the one `latest` points to.
  ///
  /// - Throws: a usage error if the folder holds no checkpoint.
  public static func resolve(_ path: String) throws -> (path: String, warning: String?) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
      return (path, nil)
    }
    let folder = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    guard let newest = try CheckpointFolder(runFolder: folder, keep: 1).newest() else {
      throw KitiError(
        .usage, "\(path): this folder holds no checkpoint.",
        remedy: "Give a checkpoint, or the folder of a run that has written one.")
    }
    return newest
  }
}
