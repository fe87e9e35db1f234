/// A row of tiles of a result, `[4, width, channels of a block]`, on its way to memory.
///
/// Tiles are put together here, so that what is read and written in memory is read and written in the order of its
/// addresses, which the processor fetches ahead of time.
final class WinogradStrip {
  /// Floats from one place to the next, and from one row of places to the next.
  let placeStride: Int
  let rowStride: Int
  let values: AlignedBuffer<Float>
  /// Sums of a block of tiles, `[2, channels of a block]`.
  let totals: AlignedBuffer<Float>

  init(_ plan: WinogradPlan) {
    placeStride = max(plan.inputs.blockSize, plan.outputs.blockSize)
    rowStride = 4 * plan.tilesWide * placeStride + 16
    values = AlignedBuffer(count: 4 * rowStride)
    totals = AlignedBuffer(count: 2 * placeStride)
  }

  var byteCount: Int { values.byteCount + totals.byteCount }
}
