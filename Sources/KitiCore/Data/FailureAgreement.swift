import KitiMPI

extension Communicator {
  /// Does something on every rank and ends it together: if it failed on any, all throw the same error, that of the
  /// lowest rank on which it failed. Collective.
  ///
  /// What `body` does must not make one rank's collective calls depend on whether another's failed.
  func together<Result>(_ body: () throws -> Result) throws -> Result {
    var result: Result?
    var failure: KitiError?
    do {
      result = try body()
    } catch {
      failure = error as? KitiError ?? KitiError(.failed, "\(error)", remedy: "")
    }
    let first = try allreduce(failure == nil ? size : rank, .minimum)
    guard first < size else { return result! }
    let kind = try broadcast(failure.flatMap { Self.kinds.firstIndex(of: $0.kind) } ?? 0, root: first)
    let problem = try broadcast(failure?.problem ?? "", root: first)
    let remedy = try broadcast(failure?.remedy ?? "", root: first)
    throw KitiError(Self.kinds[kind], problem, remedy: remedy)
  }

  private static let kinds: [KitiError.Kind] = [.failed, .usage, .badData, .stoppedEarly]
}
