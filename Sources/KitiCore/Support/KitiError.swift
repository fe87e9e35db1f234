/// An error that a person can act on: what went wrong, where, and what to do about it.
///
/// The program prints `description` once, from one rank, and leaves with `kind.exitStatus`.
public struct KitiError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What sort of failure it is; it decides the exit status.
  public enum Kind: Sendable, Equatable {
    /// The work itself failed (disk full, a lost rank, diverged numbers): status 1.
    case failed
    /// The command line or the configuration is wrong: status 64.
    case usage
    /// An input file is damaged, cut short or of another kind: status 65.
    case badData
    /// Stopped early after writing a checkpoint; running again goes on: status 75.
    case stoppedEarly

    public var exitStatus: Int32 {
      switch self {
      case .failed: 1
      case .usage: 64
      case .badData: 65
      case .stoppedEarly: 75
      }
    }
  }

  public var kind: Kind
  /// What was wrong and where: the file, key, line or data set.
  public var problem: String
  /// What to do about it.
  public var remedy: String

  public init(_ kind: Kind, _ problem: String, remedy: String) {
    self.kind = kind
    self.problem = problem
    self.remedy = remedy
  }

  public var description: String { remedy.isEmpty ? problem : "\(problem) \(remedy)" }
}
