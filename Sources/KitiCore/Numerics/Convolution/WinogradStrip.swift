/// Rows of a result on their way to memory, `[vector of channels, row, place, channel]`.
///
/// Tiles are put together here, so that what is read and written in memory is read and written in the order of its
/// addresses, which the processor fetches ahead of time.
final class WinogradStrip {
  /// Floats from one row of places to the next, and from one vector of channels to the next.
  let rowStride: Int
  let vectorStride: Int
  /// The most channels that are summed together.
  let blockSize: Int
  let values: AlignedBuffer<Float>
  /// Sums of a block of channels, `[2, blockSize]`.
  let totals: AlignedBuffer<Float>

  /// - Parameters:
  ///   - places: of a row.
  ///   - channels: that are kept at a time.
  init(rows: Int, places: Int, channels: Int, blockSize: Int) {
    self.blockSize = blockSize
    rowStride = places * width + 16
    vectorStride = rows * rowStride
    values = AlignedBuffer(count: channels / width * vectorStride)
    totals = AlignedBuffer(count: 2 * blockSize)
  }

  var byteCount: Int { values.byteCount + totals.byteCount }
}
