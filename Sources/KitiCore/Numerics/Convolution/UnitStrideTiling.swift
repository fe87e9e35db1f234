/// Stride 1: F(4 × 4, 3 × 3), 36 multiplications for 16 outputs where the direct way needs 144. Tiles of the input, six by six
/// places, overlap by two rows and columns.
final class UnitStrideTiling: WinogradTiling {
  let workspace: WinogradWorkspace
  private let plan: WinogradPlan

  init(_ plan: WinogradPlan) {
    self.plan = plan
    let (shape, inputs, outputs) = (plan.shape, plan.inputs, plan.outputs)
    let (inputTiles, gradientTiles) = (Self.panel(plan, inputs), Self.panel(plan, outputs))
    // Products take the place of the tiles that are multiplied where a register tile takes all their channels, which then
    // stay in the first-level cache, else that of the others.
    let isWhole = inputs.blocks == 1 && outputs.blocks == 1 && inputs.blockSize == outputs.blockSize
    let isInPlace = isWhole && [1, 2, 4].contains(inputs.blockSize / width)
    workspace = WinogradWorkspace(
      weights: WinogradWeights(plan, maps: UnitStrideWeightMaps.self),
      source: PaddedImage(height: shape.height, width: shape.width, channels: shape.inputs, alternates: true),
      gradient: PaddedImage(
        height: shape.height, width: shape.width, channels: shape.outputs, rowsAbove: 0, rowsBelow: 0,
        alternates: true),
      outputStrip: WinogradStrip(
        rows: 4, places: 4 * plan.tilesWide, channels: outputs.blockSize, blockSize: outputs.blockSize),
      // Four rows of places of one row of tiles and of the next, with which it shares two; they take turns.
      gradientStrip: WinogradStrip(
        rows: 8, places: 4 * plan.tilesWide + 2, channels: roundedUp(shape.inputs, width), blockSize: inputs.blockSize),
      inputTiles: inputTiles, gradientTiles: gradientTiles, inputProducts: isInPlace ? gradientTiles : inputTiles,
      outputProducts: isInPlace ? inputTiles : gradientTiles)
  }

  /// Points are as far apart as the least stride that `transform` and `forEachTile` know and has room for the tiles, which makes
  /// addresses constants apart. One cache line more than they need keeps points from falling on the same lines of the cache.
  private static func panel(_ plan: WinogradPlan, _ channels: WinogradPlan.Channels) -> WinogradPanel {
    let floats = plan.tiles * channels.blockSize + 16
    let stride = [528, 1_040, 4_112, 8_208].first { $0 >= floats } ?? floats
    let count = WinogradProduct.points
    return WinogradPanel(
      channels, points: [.init(rows: 1, count: count, start: 0, stride: stride, weight: 0, weightStride: 1)],
      blockFloats: count * stride)
  }

  @inline(never)
  func transformInput(row: Int, tile: Int) {
    let source = workspace.source
    transform(
      WinogradInputMap.self, Columns<6>.self, source.inputTiles(row), of: source,
      wrap: source.wrap(row), into: workspace.inputTiles, tile: tile)
  }

  @inline(never)
  func transformOutputGradient(row: Int, tile: Int) {
    let gradient = workspace.gradient
    transform(
      WinogradOutputGradientMap.self, Columns<4>.self, gradient.outputTiles(row), of: gradient,
      wrap: 0, into: workspace.gradientTiles, tile: tile)
  }

  /// - Parameters:
  ///   - first: the first tile of the row in an image, with its first channel.
  ///   - wrap: how much further on its rows behind the fourth are.
  @inline(__always)
  private func transform<Map: SixPoints, let columns: Int>(
    _ map: Map.Type, _ size: Columns<columns>.Type, _ first: UnsafePointer<Float>, of image: PaddedImage,
    wrap: Int, into panel: WinogradPanel, tile: Int
  ) {
    switch panel.pointStride {
    case 528: transform(map, size, PointStride<528>.self, first, image, wrap, panel, tile)
    case 1040: transform(map, size, PointStride<1040>.self, first, image, wrap, panel, tile)
    case 4112: transform(map, size, PointStride<4112>.self, first, image, wrap, panel, tile)
    case 8208: transform(map, size, PointStride<8208>.self, first, image, wrap, panel, tile)
    default: transform(map, size, PointStride<0>.self, first, image, wrap, panel, tile)
    }
  }

  @inline(__always)
  private func transform<Map: SixPoints, let columns: Int, let point: Int>(
    _ map: Map.Type, _ size: Columns<columns>.Type, _: PointStride<point>.Type, _ first: UnsafePointer<Float>,
    _ image: PaddedImage, _ wrap: Int, _ panel: WinogradPanel, _ tile: Int
  ) {
    let (channels, pointStride) = (panel.channels, point > 0 ? point : panel.pointStride)
    let tileStride = channels.blockSize
    let (rowStride, planeStride, tilesWide) = (image.rowStride, image.planeStride, plan.tilesWide)
    for block in 0..<channels.blocks {
      let count = channels.paddedCount(of: block)
      let source = first + channels.first(block) / width &* planeStride
      let target = panel.block(block) + tile &* tileStride
      // Two rows of the results of all channels, so that each line of the cache is written in one go.
      forEachPair(of: map) { pair in
        var (channel, plane) = (0, source)
        while channel < count {
          transformTiles(
            map, size, pair: pair, plane, rowStride: rowStride, wrap: wrap, columnStride: width, tiles: tilesWide,
            into: target + channel, tileStride: tileStride, pointStride: pointStride)
          channel &+= width
          plane += planeStride
        }
      }
    }
  }

  @inline(never)
  func transformOutput(_ channelBlock: Int, tile: Int) {
    let strip = workspace.outputStrip
    let (first, rowStride) = (strip.values.pointer, strip.rowStride)
    forEachTile(
      of: workspace.outputProducts, channels: plan.outputs.paddedCount(of: channelBlock), tile: tile, in: strip
    ) { point, source, place in
      let target = first + place
      transformTile(
        WinogradOutputMap.self, Columns<6>.self, source, rowStride: 6 &* point, columnStride: point
      ) { i, j, value in store(value, target + (i &* rowStride &+ j &* width)) }
    }
  }

  @inline(never)
  func transformInputGradient(_ channelBlock: Int, row: Int, tile: Int) -> WinogradTarget.Rows {
    let (strip, rowStride) = (workspace.gradientStrip, workspace.gradientStrip.rowStride)
    let start = strip.values.pointer + plan.inputs.first(channelBlock) / width &* strip.vectorStride
    let (upper, lower) = (start, start + 4 &* rowStride)
    // The last row of tiles begins at the top, for five rows of its image.
    let (first, next) = (plan.tilesHigh &- row) % 2 == 1 ? (upper, lower) : (lower, upper)
    let channels = plan.inputs.paddedCount(of: channelBlock)
    for channel in stride(from: 0, to: channels, by: width) {
      let offset = channel / width &* strip.vectorStride
      if row == 0 { (first + offset).update(repeating: 0, count: 2 &* rowStride) }
      for i in 0..<2 {
        (first + (offset &+ (i &+ 2) &* rowStride)).update(repeating: 0, count: 2 &* width)
        (next + (offset &+ i &* rowStride)).update(repeating: 0, count: 2 &* width)
      }
    }
    forEachTile(of: workspace.inputProducts, channels: channels, tile: tile, in: strip) { point, source, place in
      let (target, below) = (first + place, next + place)
      transformTile(
        WinogradInputGradientMap.self, Columns<6>.self, source, rowStride: 6 &* point, columnStride: point
      ) { i, j, value in
        // The first two rows and columns are shared with the neighbours before.
        let result = (i < 4 ? target + i &* rowStride : below + (i &- 4) &* rowStride) + j &* width
        store(i < 2 || j < 2 ? load(result) + value : value, result)
      }
    }
    // The first row and column of all lie in the frame around the image; the last row of tiles has nothing below it.
    let above = row == 0 ? 1 : 0
    let end = row &+ 1 == plan.tilesHigh ? plan.shape.height : 4 &* row &+ 3
    return .init(first: first + (above &* rowStride &+ width), image: (4 &* row &- 1 &+ above)..<end)
  }

  /// Calls `body` with the distance of points, the tile's first point and where the tile begins in a strip.
  @inline(__always)
  private func forEachTile(
    of products: WinogradPanel, channels: Int, tile: Int, in strip: WinogradStrip,
    _ body: (_ point: Int, _ source: UnsafePointer<Float>, _ place: Int) -> Void
  ) {
    switch products.pointStride {
    case 528: forEachTile(PointStride<528>.self, products, channels, tile, strip, body)
    case 1040: forEachTile(PointStride<1040>.self, products, channels, tile, strip, body)
    case 4112: forEachTile(PointStride<4112>.self, products, channels, tile, strip, body)
    case 8208: forEachTile(PointStride<8208>.self, products, channels, tile, strip, body)
    default: forEachTile(PointStride<0>.self, products, channels, tile, strip, body)
    }
  }

  @inline(__always)
  private func forEachTile<let point: Int>(
    _: PointStride<point>.Type, _ products: WinogradPanel, _ channels: Int, _ tile: Int, _ strip: WinogradStrip,
    _ body: (_ point: Int, _ source: UnsafePointer<Float>, _ place: Int) -> Void
  ) {
    let pointStride = point > 0 ? point : products.pointStride
    let (tileStride, vectorStride, tilesWide) = (products.channels.blockSize, strip.vectorStride, plan.tilesWide)
    var (row, firstPlace) = (UnsafePointer(products.block(0)) + tile &* tileStride, 0)
    for _ in 0..<channels / width {
      var (source, place) = (row, firstPlace)
      for _ in 0..<tilesWide {
        body(pointStride, source, place)
        source += tileStride
        place &+= 4 &* width
      }
      row += width
      firstPlace &+= vectorStride
    }
  }
}

extension WinogradPanel {
  /// Floats from one point to the next.
  fileprivate var pointStride: Int { points[0].stride }
}

private enum UnitStrideWeightMaps: WinogradWeightMaps {
  typealias Weight = WinogradWeightMap
  typealias Transposed = WinogradTransposedWeightMap
  typealias Gradient = WinogradWeightGradientMap
}
