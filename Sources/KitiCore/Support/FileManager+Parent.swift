import Foundation

extension FileManager {
  /// Makes the folder that a file is to lie in, with its parents, if it is not there.
  public func makeParent(of path: String) throws {
    let parent = (path as NSString).deletingLastPathComponent
    guard !parent.isEmpty, !fileExists(atPath: parent) else { return }
    do {
      try createDirectory(atPath: parent, withIntermediateDirectories: true)
    } catch {
      throw KitiError(
        .usage, "The folder '\(parent)' for the file \(path) could not be made: \((error as NSError).localizedDescription)",
        remedy: "Choose a place where you may write.")
    }
  }
}
