import KitiHDF5
import KitiMPI

/// Makes the ranks succeed or fail together, so that none waits for one that has given up.
enum CheckpointAgreement {
  /// Runs a part of the work that each rank does alone. Collective.
  ///
  /// - Parameter body: calls no collective operation, unless it is one that fails on all ranks or on none.
  /// - Returns: what `body` returned on this rank, if it succeeded on all.
  /// - Throws: on every rank the error of the lowest rank that failed. An `MPIError` is thrown as it is: after it
  ///   there is no way to agree on anything.
  static func together<Result>(_ communicator: Communicator, _ body: () throws -> Result) throws -> Result {
    let outcome: Swift.Result<Result, KitiError>
    do {
      outcome = .success(try body())
    } catch let error as MPIError {
      throw error
    } catch let error as KitiError {
      outcome = .failure(error)
    } catch {
      outcome = .failure(KitiError(.failed, "\(error)", remedy: ""))
    }
    var failing = communicator.size
    if case .failure = outcome { failing = communicator.rank }
    failing = try communicator.allreduce(failing, .minimum)
    guard failing < communicator.size else { return try outcome.get() }

    var error = KitiError(.failed, "", remedy: "")
    if failing == communicator.rank, case .failure(let mine) = outcome { error = mine }
    let kind = try communicator.broadcast(kinds.firstIndex(of: error.kind) ?? 0, root: failing)
    let problem = try communicator.broadcast(error.problem, root: failing)
    let remedy = try communicator.broadcast(error.remedy, root: failing)
    throw KitiError(kinds[kind], failing == 0 ? problem : "\(problem) (Rank \(failing).)", remedy: remedy)
  }

  private static let kinds: [KitiError.Kind] = [.failed, .usage, .badData, .stoppedEarly]
}
