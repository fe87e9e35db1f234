import KitiHDF5

/// Whether a checkpoint's arrays are those of a model and an optimizer.
struct CheckpointFit {
  let path: String
  let root: Group

  /// How many names of a kind an error lists.
  private static let named = 3

  /// - Throws: `KitiError`, kind `.usage`, naming the first parameters that are missing, unexpected or of another
  ///   shape.
  func checkModel(_ parameters: [Parameter]) throws {
    if let difference = try difference(CheckpointArrays.model, parameters) {
      throw KitiError(
        .usage, "\(path): the checkpoint is of another model: \(difference).",
        remedy: "Use the configuration that the checkpoint was made with: it holds a copy (kiti-dist inspect).")
    }
  }

  /// - Parameter allowsMore: states that are not asked for may be there.
  /// - Throws: `KitiError`, kind `.usage`, if the file holds other states than these or their arrays differ.
  func checkStates(_ states: [(name: String, parameters: [Parameter])], allowsMore: Bool) throws {
    let names = states.map(\.name)
    let found = try root.group(CheckpointArrays.optimizer).children().map(\.name)
    guard allowsMore ? Set(found).isSuperset(of: names) : found == names.sorted() else {
      func list(_ names: [String]) -> String { names.isEmpty ? "none" : names.sorted().joined(separator: ", ") }
      throw KitiError(
        .usage,
        "\(path): the checkpoint is \(allowsMore ? "without what is needed of it" : "of another optimizer"): it holds "
          + "the states \(list(found)), and this one has \(list(names)).",
        remedy: "Use the optimizer that the checkpoint was made with: it holds its configuration (kiti-dist inspect).")
    }
    for (name, parameters) in states {
      if let difference = try difference("\(CheckpointArrays.optimizer)/\(name)", parameters) {
        throw KitiError(
          .usage, "\(path): the optimizer's state \(name) is of another model: \(difference).",
          remedy: "Use the configuration that the checkpoint was made with: it holds a copy (kiti-dist inspect).")
      }
    }
  }

  /// In words what a group holds other than these parameters; `nil` if nothing.
  private func difference(_ group: String, _ parameters: [Parameter]) throws -> String? {
    var found: [String: DataSet] = [:]
    for dataSet in try CheckpointTree.dataSets(in: root.group(group)) {
      found[String(dataSet.path.dropFirst(group.count + 1))] = dataSet
    }
    var (missing, different): ([String], [String]) = ([], [])
    for parameter in parameters.reversed() {
      guard let dataSet = found.removeValue(forKey: parameter.path) else {
        missing.append("\(parameter.path) \(parameter.shape)")
        continue
      }
      if dataSet.shape != parameter.shape || dataSet.kind != .float32 {
        let kind = dataSet.kind == .float32 ? "" : "\(dataSet.kind) "
        different.append("\(parameter.path) \(kind)\(dataSet.shape) in the file and \(parameter.shape) in the model")
      }
    }
    let unexpected = found.keys.sorted().map { "\($0) \(found[$0]!.shape)" }
    let parts = [
      Self.list(missing, "missing in the file"), Self.list(unexpected, "unknown to the model"),
      Self.list(different, "of another shape"),
    ].compactMap { $0 }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }

  private static func list(_ names: [String], _ what: String) -> String? {
    guard !names.isEmpty else { return nil }
    let more = names.count > named ? ", and \(names.count - named) more" : ""
    let are = names.count == 1 ? "1 parameter is" : "\(names.count) parameters are"
    return "\(are) \(what) (\(names.prefix(named).joined(separator: ", "))\(more))"
  }
}
