/// How a stride's tiles of 4 × 4 outputs are transformed: the maps of Winograd's minimal filtering, and the products they
/// need.
protocol WinogradTiling: AnyObject {
  init(_ plan: WinogradPlan)

  var workspace: WinogradWorkspace { get }

  /// Transforms a row of tiles of what the workspace's `source` has read.
  ///
  /// - Parameters:
  ///   - row: of its sample.
  ///   - tile: the first one's place in the block.
  func transformInput(row: Int, tile: Int)

  /// Transforms a row of tiles of what the workspace's `gradient` has read.
  func transformOutputGradient(row: Int, tile: Int)

  /// Makes four rows of the output in the workspace's `outputStrip` of the products of a row of tiles.
  func transformOutput(_ channelBlock: Int, tile: Int)

  /// Makes the input's gradient of a row of tiles, whose first rows have been begun by the row of tiles above.
  func transformInputGradient(_ channelBlock: Int, row: Int, tile: Int) -> WinogradTarget.Rows
}

/// What tiles are made of on their way from memory and back.
struct WinogradWorkspace {
  let weights: WinogradWeights
  /// What is read of the current sample.
  let source: PaddedImage
  let gradient: PaddedImage
  /// Rows of the output and of the input's gradient.
  let outputStrip: WinogradStrip
  let gradientStrip: WinogradStrip
  /// The transformed input of a block of tiles.
  let inputTiles: WinogradPanel
  /// The transformed gradient of the output, of which both gradients are made.
  let gradientTiles: WinogradPanel
  /// Products of one block of channels, in the place of tiles that are done with.
  let inputProducts: WinogradPanel
  let outputProducts: WinogradPanel

  var byteCount: Int {
    let images = source.byteCount + gradient.byteCount
    let strips = outputStrip.byteCount + gradientStrip.byteCount
    return weights.byteCount + images + strips + inputTiles.byteCount + gradientTiles.byteCount
  }
}
