/// Transformed tiles of a block, or their products: `[block of channels, point, row, channel]`.
final class WinogradPanel {
  let channels: WinogradPlan.Channels
  let points: [WinogradPoints]
  private let blockFloats: Int
  private let buffer: AlignedBuffer<Float>

  /// - Parameter blockFloats: of a block of channels.
  init(_ channels: WinogradPlan.Channels, points: [WinogradPoints], blockFloats: Int) {
    self.channels = channels
    self.points = points
    self.blockFloats = blockFloats
    buffer = AlignedBuffer(count: channels.blocks * blockFloats)
  }

  var byteCount: Int { buffer.byteCount }

  func block(_ index: Int) -> UnsafeMutablePointer<Float> { buffer.pointer + index &* blockFloats }
}

/// Points whose products are computed in one call: `count` of them, with `rows` rows a tile.
struct WinogradPoints {
  let rows: Int
  let count: Int
  /// The first one in a block of channels of a panel, and from one to the next.
  let start: Int
  let stride: Int
  /// The first one in a weight `[6, 6]`, and from one to the next.
  let weight: Int
  let weightStride: Int
}
