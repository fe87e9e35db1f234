/// A row of tiles of a result, `[vector of channels, 4, width, channel]`, on its way to memory.
///
/// Tiles are put together here, so that what is read and written in memory is read and written in the order of its
/// addresses, which the processor fetches ahead of time.
final class WinogradStrip {
  /// Floats from one row of places to the next, and from one vector of channels to the next.
  let rowStride: Int
  let vectorStride: Int
  /// Channels of a block.
  let channels: Int
  let values: AlignedBuffer<Float>
  /// Sums of a block of tiles, `[2, channels of a block]`.
  let totals: AlignedBuffer<Float>

  init(_ plan: WinogradPlan) {
    channels = max(plan.inputs.blockSize, plan.outputs.blockSize)
    rowStride = 4 * plan.tilesWide * width + 16
    vectorStride = 4 * rowStride
    values = AlignedBuffer(count: channels / width * vectorStride)
    totals = AlignedBuffer(count: 2 * channels)
  }

  var byteCount: Int { values.byteCount + totals.byteCount }
}
