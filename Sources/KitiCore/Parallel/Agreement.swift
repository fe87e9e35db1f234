import KitiMPI

/// A failure that all ranks know of and throw together: one of them reports it, and all can leave in good order.
public struct AgreedFailure: Error {
  public let error: KitiError
  /// The lowest rank on which it happened.
  public let rank: Int
}

extension KitiError {
  /// Any error as one for people.
  public init(describing error: any Error) {
    switch error {
    case let error as KitiError: self = error
    case let failure as AgreedFailure: self = failure.error
    default: self.init(.failed, "\(error)", remedy: "")
    }
  }
}

extension Communicator {
  /// Runs `body` on every rank and returns its result if it succeeded on all of them. Collective.
  ///
  /// - Parameter body: calls no collective operation, unless it is one that fails on all ranks or on none.
  /// - Throws: `AgreedFailure` on every rank if it failed on any: no rank goes on to wait for one that has given up.
  ///   An `MPIError` is thrown as it is: after it there is no way to agree on anything.
  public func agreeing<Result>(_ body: () throws -> Result) throws -> Result {
    var result: Result?
    var failure: KitiError?
    do { result = try body() } catch {
      if error is AgreedFailure || error is MPIError { throw error }
      failure = KitiError(describing: error)
    }
    let first = try allreduce(failure == nil ? size : rank, .minimum)
    if first == size, let result { return result }
    let kind = try broadcast(Int(failure?.kind.exitStatus ?? 0), root: first)
    let problem = try broadcast(failure?.problem ?? "", root: first)
    let remedy = try broadcast(failure?.remedy ?? "", root: first)
    throw AgreedFailure(
      error: KitiError(KitiError.Kind(exitStatus: Int32(kind)), problem, remedy: remedy), rank: first)
  }

  /// Rank 0 runs `body`; all ranks learn how it went. Collective.
  public func onFirstRank(_ body: () throws -> Void) throws {
    try agreeing { if rank == 0 { try body() } }
  }
}

extension KitiError.Kind {
  fileprivate init(exitStatus: Int32) {
    self = [.failed, .usage, .badData, .stoppedEarly].first { $0.exitStatus == exitStatus } ?? .failed
  }
}
