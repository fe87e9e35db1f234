import CMPI
import Glibc
import Synchronization

/// The MPI library as a whole: starting, finishing, aborting, and facts about it.
///
/// A process that was not launched by `mpirun` or `srun` is a world of one rank.
public enum MPI {
  /// Which threads may call MPI, from fewest rights to most.
  public enum ThreadLevel: Int32, Comparable, Sendable {
    /// The process has one thread.
    case single
    /// Only the thread that started MPI calls it.
    case funneled
    /// Any thread calls MPI, one at a time.
    case serialized
    /// Any threads call MPI at the same time.
    case multiple

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  }

  private enum Phase: Int { case notStarted, running, finished }

  private static let phase = Atomic<Int>(Phase.notStarted.rawValue)
  private static let provided = Atomic<Int>(Int(ThreadLevel.single.rawValue))
  private static let rankInWorld = Atomic<Int>(-1)
  private static let transition = Mutex<Void>(())

  /// Starts MPI on this process; further calls only check the thread level.
  ///
  /// Collective over all launched processes. Failed operations from then on return codes, which this
  /// module throws, where MPI's default is to end the program.
  ///
  /// Open MPI's default file layer, OMPIO, silently corrupts parallel HDF5 files
  /// (open-mpi/ompi #12718), so ROMIO is chosen unless the user has chosen (`--mca io …`,
  /// `OMPI_MCA_io`, or the priority of a component).
  ///
  /// Its non-blocking allreduce sums in place up and down a binomial tree, whatever the size, which sends whole arrays
  /// one way at a time. Rabenseifner's algorithm (Thakur, Rabenseifner and Gropp 2005) halves them, and is chosen
  /// unless the user has chosen (`coll_libnbc_iallreduce_algorithm`).
  ///
  /// - Parameter threadLevel: which threads will call MPI.
  /// - Throws: `MPIError` if MPI was finished before (it starts once in a process's life), if the library
  ///   fails, or if it provides less than `threadLevel`; in the last case MPI runs and can be finished.
  public static func start(threadLevel: ThreadLevel = .funneled) throws(MPIError) {
    try transition.withLock { (_) throws(MPIError) in
      switch Phase(rawValue: phase.load(ordering: .acquiring)) {
      case .running:
        break
      case .finished:
        throw MPIError(
          invalid: .other, in: "MPI_Init_thread",
          "MPI was finished already and cannot be started again in the same process")
      case .notStarted, nil:
        try initialize(threadLevel)
      }
    }
    guard threadLevel <= providedThreadLevel else {
      throw MPIError(
        invalid: .other, in: "MPI_Init_thread",
        "thread level '\(threadLevel)' was asked for and the library provides '\(providedThreadLevel)': "
          + "ask for less, start MPI with the higher level first, or use a library built with thread support")
    }
  }

  private static func initialize(_ threadLevel: ThreadLevel) throws(MPIError) {
    chooseFileLayer()
    setenv("OMPI_MCA_coll_libnbc_iallreduce_algorithm", "rabenseifner", 0)
    var level: Int32 = 0
    try MPIError.check(MPI_Init_thread(nil, nil, threadLevel.rawValue, &level), "MPI_Init_thread")
    provided.store(Int(level), ordering: .releasing)
    Activity.watchThisThread()
    for communicator in [kiti_comm_world(), kiti_comm_self()] {
      try MPIError.check(
        MPI_Comm_set_errhandler(communicator, kiti_errors_return()), "MPI_Comm_set_errhandler")
    }
    var rank: Int32 = 0
    try MPIError.check(MPI_Comm_rank(kiti_comm_world(), &rank), "MPI_Comm_rank")
    rankInWorld.store(Int(rank), ordering: .releasing)
    phase.store(Phase.running.rawValue, ordering: .releasing)
  }

  private static func chooseFileLayer() {
    let choices = ["OMPI_MCA_io", "OMPI_MCA_io_ompio_priority", "OMPI_MCA_io_romio321_priority"]
    if choices.allSatisfy({ getenv($0) == nil }) { setenv("OMPI_MCA_io", "^ompio", 0) }
  }

  /// Finishes MPI; does nothing if it is not running.
  ///
  /// Collective, and to be called on the thread that started MPI, after every request was waited for. A
  /// process that exits without it looks like a crash to the launcher.
  public static func finish() throws(MPIError) {
    try transition.withLock { (_) throws(MPIError) in
      guard isRunning else { return }
      phase.store(Phase.finished.rawValue, ordering: .releasing)
      try MPIError.check(MPI_Finalize(), "MPI_Finalize")
    }
  }

  /// Ends every process of the program, with `status` as the launcher's exit status.
  ///
  /// The one call that may come from any thread, such as a watchdog's while another is stuck in a
  /// collective. Nothing is flushed: write last words to standard error.
  public static func abort(status: Int32) -> Never {
    if isRunning { MPI_Abort(kiti_comm_world(), status) }
    _exit(status)
  }

  /// Whether MPI was started and not finished.
  public static var isRunning: Bool { phase.load(ordering: .acquiring) == Phase.running.rawValue }

  /// The thread level the library granted; meaningful once MPI was started.
  public static var providedThreadLevel: ThreadLevel {
    ThreadLevel(rawValue: Int32(provided.load(ordering: .acquiring))) ?? .single
  }

  /// The library's name and version, in its own words. Needs no start.
  public static var libraryVersion: String {
    var text = [CChar](repeating: 0, count: Int(MPI_MAX_LIBRARY_VERSION_STRING) + 1)
    var length: Int32 = 0
    MPI_Get_library_version(&text, &length)
    return String(text, length: length)
  }

  /// The host this rank runs on.
  public static var processorName: String {
    requireRunning("MPI.processorName")
    var text = [CChar](repeating: 0, count: Int(MPI_MAX_PROCESSOR_NAME) + 1)
    var length: Int32 = 0
    MPI_Get_processor_name(&text, &length)
    return String(text, length: length)
  }

  /// Seconds since some moment in the past, on this rank's clock.
  public static var wallTime: Double {
    requireRunning("MPI.wallTime")
    return MPI_Wtime()
  }

  /// This process's rank in the world, or −1 before MPI is started.
  static var worldRank: Int { rankInWorld.load(ordering: .acquiring) }

  static func requireRunning(_ what: StaticString) {
    guard isRunning else {
      fatalError("\(what) was used while MPI is not running: call MPI.start() first, and MPI.finish() last")
    }
  }
}
