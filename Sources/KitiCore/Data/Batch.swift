/// One batch in memory; valid until the next call of the loader's `next`.
public struct Batch {
  /// Samples in the batch; may be 0.
  public let count: Int
  /// `[count]` inputs of the data set's shape.
  public let inputs: UnsafePointer<Float>
  /// `[count]` targets of the data set's shape.
  public let targets: UnsafePointer<Float>
  /// `[count]`: the samples' indices in the data set's split.
  public let indices: UnsafePointer<Int>
}
