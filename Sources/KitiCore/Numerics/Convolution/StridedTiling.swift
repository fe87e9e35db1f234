/// Stride 2: the places of the input fall into four phases, whose kernels have 2 × 2, 2 × 1, 1 × 2 and 1 × 1 places, and in
/// directions with two of them F(4, 2) takes five multiplications for eight. A tile of 4 × 4 outputs needs 81 where the direct
/// way needs 144; tiles of the input, nine by nine places, overlap by one row and one column.
final class StridedTiling: WinogradTiling {
  let workspace: WinogradWorkspace
  private let plan: WinogradPlan
  private let inputLayout: StridedLayout
  private let outputLayout: StridedLayout

  init(_ plan: WinogradPlan) {
    self.plan = plan
    let (shape, inputs, outputs) = (plan.shape, plan.inputs, plan.outputs)
    inputLayout = StridedLayout(tiles: plan.tiles, channels: inputs.blockSize)
    outputLayout = StridedLayout(tiles: plan.tiles, channels: outputs.blockSize)
    let inputTiles = WinogradPanel(inputs, points: inputLayout.points, blockFloats: inputLayout.floats)
    let gradientTiles = WinogradPanel(outputs, points: outputLayout.points, blockFloats: outputLayout.floats)
    workspace = WinogradWorkspace(
      weights: WinogradWeights(plan, maps: StridedWeightMaps.self),
      source: PaddedImage(
        height: shape.height, width: shape.width, channels: shape.inputs, side: 8, rowsBelow: 0),
      gradient: PaddedImage(
        height: shape.outputHeight, width: shape.outputWidth, channels: shape.outputs, rowsAbove: 0, rowsBelow: 0),
      outputStrip: WinogradStrip(
        rows: 4, places: 4 * plan.tilesWide, channels: outputs.blockSize, blockSize: outputs.blockSize),
      // With the row that a row of tiles shares with the next one.
      gradientStrip: WinogradStrip(
        rows: 9, places: 8 * plan.tilesWide + 1, channels: roundedUp(shape.inputs, width), blockSize: inputs.blockSize),
      inputTiles: inputTiles, gradientTiles: gradientTiles, inputProducts: inputTiles, outputProducts: gradientTiles)
  }

  @inline(never)
  func transformInput(row: Int, tile: Int) {
    let source = workspace.source
    let wrap = source.wrap(row)
    forEachTile(
      of: workspace.inputTiles, inputLayout, from: tile, at: source.inputTiles(row), of: source, side: 8
    ) { tile, input in
      tile.transformInput(input, rowStride: source.rowStride, wrap: wrap)
    }
  }

  @inline(never)
  func transformOutputGradient(row: Int, tile: Int) {
    let gradient = workspace.gradient
    forEachTile(
      of: workspace.gradientTiles, outputLayout, from: tile, at: gradient.outputTiles(row), of: gradient, side: 4
    ) { tile, input in
      tile.transformOutputGradient(input, rowStride: gradient.rowStride)
    }
  }

  @inline(never)
  func transformOutput(_ channelBlock: Int, tile: Int) {
    let (outputStrip, outputProducts) = (workspace.outputStrip, workspace.outputProducts)
    for channel in stride(from: 0, to: plan.outputs.paddedCount(of: channelBlock), by: width) {
      var output = outputStrip.values.pointer + channel / width &* outputStrip.vectorStride
      for column in 0..<plan.tilesWide {
        outputLayout.tile(tile &+ column, in: outputProducts.block(0) + channel)
          .transformOutput(into: output, rowStride: outputStrip.rowStride)
        output += 4 &* width
      }
    }
  }

  @inline(never)
  func transformInputGradient(_ channelBlock: Int, row: Int, tile: Int) -> WinogradTarget.Rows {
    let (strip, inputProducts) = (workspace.gradientStrip, workspace.inputProducts)
    let rowStride = strip.rowStride
    let first = strip.values.pointer + plan.inputs.first(channelBlock) / width &* strip.vectorStride
    for channel in stride(from: 0, to: plan.inputs.paddedCount(of: channelBlock), by: width) {
      var output = first + channel / width &* strip.vectorStride
      if row > 0 {
        output.update(from: output + 8 &* rowStride, count: rowStride)
      } else {
        output.update(repeating: 0, count: rowStride)
      }
      for column in 0..<plan.tilesWide {
        inputLayout.tile(tile &+ column, in: inputProducts.block(0) + channel)
          .transformInputGradient(into: output, rowStride: rowStride, isFirst: column == 0)
        output += 8 &* width
      }
    }
    // The first row and column of all lie in the frame around the image; the last row of tiles has nothing below it.
    let above = row == 0 ? 1 : 0
    let end = row &+ 1 == plan.tilesHigh ? plan.shape.height : 8 &* row &+ 7
    return .init(first: first + (above &* rowStride &+ width), image: (8 &* row &- 1 &+ above)..<end)
  }

  /// Calls `body` with each vector of channels of a row of tiles and where it begins in an image.
  ///
  /// - Parameters:
  ///   - first: the first tile's place in the block.
  ///   - start: where it begins, with its first channel.
  ///   - side: from one tile to the next in the image.
  @inline(__always)
  private func forEachTile(
    of panel: WinogradPanel, _ layout: StridedLayout, from first: Int, at start: UnsafePointer<Float>,
    of image: PaddedImage, side: Int, _ body: (_ tile: StridedTile, _ input: UnsafePointer<Float>) -> Void
  ) {
    var plane = start
    for block in 0..<panel.channels.blocks {
      for channel in stride(from: 0, to: panel.channels.paddedCount(of: block), by: width) {
        var input = plane
        for column in 0..<plan.tilesWide {
          body(layout.tile(first &+ column, in: panel.block(block) + channel), input)
          input += side &* width
        }
        plane += image.planeStride
      }
    }
  }
}

private enum StridedWeightMaps: WinogradWeightMaps {
  typealias Weight = StridedWeightMap
  typealias Transposed = StridedWeightMap
  typealias Gradient = StridedWeightGradientMap
}
