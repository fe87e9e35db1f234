import Glibc
import Synchronization

/// Signals that ask for a checkpoint and an early end: SIGUSR1 (batch systems), SIGTERM and SIGINT.
///
/// The handler only sets a flag; the training loop looks at it between steps, on all ranks together.
public enum StopSignals {
  private static let received = Atomic<Int32>(0)

  /// Installs the handlers for the rest of the process.
  public static func install() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { StopSignals.received.store($0, ordering: .relaxed) }
    action.sa_flags = SA_RESTART
    for number in [SIGUSR1, SIGTERM, SIGINT] { sigaction(number, &action, nil) }
    // A full file or a closed pipe should be an error of the call, not the end of the process.
    signal(SIGXFSZ, SIG_IGN)
    signal(SIGPIPE, SIG_IGN)
  }

  /// The last signal received, or nil.
  public static var pending: Int32? {
    let number = received.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }
}
