import Glibc

/// The cache of a core that blocks of work are cut for.
enum SecondLevelCache {
  /// Size in bytes; 1 MiB where the system does not say.
  static let byteCount: Int = {
    let bytes = sysconf(Int32(_SC_LEVEL2_CACHE_SIZE))
    return bytes > 0 ? bytes : 1 << 20
  }()
}
