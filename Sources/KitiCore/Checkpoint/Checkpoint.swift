import KitiMPI

/// A run's state in one HDF5 file that all ranks write together and that is complete or absent.
///
/// | in the file | |
/// |---|---|
/// | the first 4,096 bytes | `CheckpointSeal`: text, with a hash of every byte of the file |
/// | `/model/<parameter path>` | float32, in the parameter's own shape; the model's statistics as well |
/// | `/optimizer/<state name>/<parameter path>` | float32, in the same shapes |
/// | `/residual/<rank>` | float32, as long as the parameter store: what compression keeps on each rank; absent without |
/// | `/state` | attributes named like the properties of `TrainingState` |
/// | `/config` | the YAML text, in UTF-8 |
/// | `/`, attributes | `program`, `formatVersion` |
///
/// Every data set has an attribute `xxh3`, XXH3 (64 bits) of its little-endian bytes (of a text: its UTF-8).
/// Numbers are kept bit for bit, infinite ones and those that are not numbers as well.
public enum Checkpoint {
  /// Writes a checkpoint. Collective: on return it is on the disk, was read back from there and compared, and every
  /// rank knows it. The file appears under its name only then; one of the same name is replaced.
  ///
  /// - Parameters:
  ///   - path: on a file system that all ranks share. Its folder is made if only that is missing.
  ///   - store: the same values on all ranks.
  ///   - optimizerState: arrays as long as the store, with or without its statistics, complete and the same on all
  ///     ranks; or as long as the rank's shard.
  ///   - shard: which part of the optimizer's state this rank holds; nil for all of it. The file does not depend on it.
  ///   - otherState: arrays that are whole on all ranks whatever the optimizer's are.
  ///   - residual: what compression keeps on this rank, as long as the store; on all ranks or on none.
  ///   - state: rank 0's is written.
  ///   - configuration: YAML; rank 0's is written.
  /// - Throws: on every rank the same `KitiError`, kind `.failed`, naming the file; nothing of the attempt is left
  ///   and no other file was touched. `MPIError` if the ranks lost each other.
  public static func write(
    to path: String, store: ParameterStore, optimizerState: [(name: String, buffer: AlignedBuffer<Float>)],
    shard: OptimizerShard? = nil, otherState: [(name: String, buffer: AlignedBuffer<Float>)] = [],
    residual: AlignedBuffer<Float>? = nil, state: TrainingState, configuration: String, communicator: Communicator
  ) throws {
    try CheckpointWriter(path, communicator).write(
      store, optimizerState, state, configuration, shard: shard, otherState: otherState, residual: residual)
  }

  /// Checks every byte of a checkpoint and reads it. Collective: every rank ends with all values.
  ///
  /// - Parameters:
  ///   - optimizerState: the arrays to fill; `nil` to leave the optimizer's state in the file.
  ///   - shard: which part of the optimizer's state this rank wants; nil for all of it.
  ///   - otherState: arrays to fill that are whole whatever the optimizer's are; also without the optimizer's.
  ///   - residual: receives what compression kept: on as many ranks as wrote it each rank its own, else the sums of
  ///     some ranks' each, so that their total stays. Zero if the file has none. Nil to leave it in the file.
  /// - Throws: on every rank the same `KitiError`: `.badData` if the file is no checkpoint, cut short, damaged or of a
  ///   newer format; `.usage` if there is no such file, if it is of another model (parameters missing, unexpected, of
  ///   another shape) or of another optimizer. The store is as before except after a failure of the disk
  ///   itself (`.failed`).
  public static func read(
    from path: String, into store: ParameterStore,
    optimizerState: [(name: String, buffer: AlignedBuffer<Float>)]?, shard: OptimizerShard? = nil,
    otherState: [(name: String, buffer: AlignedBuffer<Float>)] = [], residual: AlignedBuffer<Float>? = nil,
    communicator: Communicator
  ) throws -> TrainingState {
    try CheckpointReader(path, communicator).read(
      into: store, optimizerState, shard ?? OptimizerShard(whole: store.count), otherState, residual).state
  }

  /// Checks every byte of a checkpoint and reads its state and the YAML text. Collective.
  ///
  /// - Throws: as `read` does.
  public static func readHeader(
    _ path: String, communicator: Communicator
  ) throws -> (state: TrainingState, configuration: String) {
    let header = try CheckpointReader(path, communicator).readHeader()
    return (header.state, header.configuration)
  }
}
