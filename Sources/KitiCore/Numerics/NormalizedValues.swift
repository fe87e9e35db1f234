/// An array `[…, channels]` where it lies, read as it is or through the batch norm that follows it: values · scale + shift
/// with one scale and shift a channel. What reads it says whether it rectifies the result as well.
package struct NormalizedValues {
  package var values: UnsafePointer<Float>
  /// `[channels]` each.
  package var normalization: (scale: UnsafePointer<Float>, shift: UnsafePointer<Float>)?

  package init(
    _ values: UnsafePointer<Float>,
    normalization: (scale: UnsafePointer<Float>, shift: UnsafePointer<Float>)? = nil
  ) {
    self.values = values
    self.normalization = normalization
  }

  /// The numbers from `offset` on, which begin with channel 0.
  package func advanced(by offset: Int) -> NormalizedValues {
    NormalizedValues(values + offset, normalization: normalization)
  }
}
