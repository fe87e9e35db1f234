import KitiHDF5

/// What a checkpoint holds beside its arrays, as HDF5 objects: attributes of the root, `/state`, `/config`.
struct CheckpointHeader {
  var state: TrainingState
  /// The YAML text.
  var configuration: String

  private static let statePath = "state"
  private static let configurationPath = "config"
  static let program = "kiti-dist"

  /// Collective in parallel files: every rank gives the same values.
  func write(to root: Group) throws(HDF5Error) {
    try root.attributes.set("program", to: Self.program)
    try root.attributes.set("formatVersion", to: CheckpointSeal.currentFormat)
    try state.write(to: root.createGroup(Self.statePath).attributes)
    let bytes = max(1, configuration.utf8.count)
    let text = try root.createDataSet(Self.configurationPath, strings: [configuration], storage: .fixed(bytes: bytes))
    try text.attributes.set(CheckpointArrays.checksum, to: Self.hash(of: configuration))
  }

  init(state: TrainingState, configuration: String) {
    self.state = state
    self.configuration = configuration
  }

  /// - Throws: `HDF5Error` with code `.damaged` if the text does not have its checksum.
  init(from root: Group) throws(HDF5Error) {
    state = try TrainingState(from: root.group(Self.statePath).attributes)
    let text = try root.dataSet(Self.configurationPath)
    configuration = try text.readStrings().first ?? ""
    guard try CheckpointTree.checksum(of: text) == Self.hash(of: configuration) else {
      throw HDF5Error(.damaged, file: root.file.path, object: text.path, "the text does not match its checksum.")
    }
  }

  /// Whether all is the same, bit for bit: a best metric may be no number.
  func isSame(as other: CheckpointHeader) -> Bool {
    state.words == other.state.words && configuration == other.configuration
  }

  static func hash(of text: String) -> UInt64 {
    Array(text.utf8).withUnsafeBytes { CheckpointSeal.hash($0) }
  }
}
