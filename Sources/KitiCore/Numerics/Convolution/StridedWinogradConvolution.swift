/// Convolution with 3 × 3 kernels, stride 2 and padding 1: the places of the input fall into four phases, whose kernels have
/// 2 × 2, 2 × 1, 1 × 2 and 1 × 1 places, and in directions with two of them Winograd's F(4, 2) takes five multiplications for
/// eight (Lavin and Gray, arXiv 1509.09308). A tile of 4 × 4 outputs needs 81 where the direct way needs 144.
///
/// The gradient of the input comes from the same transformed gradient of the output as that of the weight, by the transposed
/// maps, so that tiles of it overlap by one row and one column. The result differs from the exact one by up to 3e-6 of its
/// largest number. A NaN in the input makes NaN of all outputs of the tiles that read it.
package final class StridedWinogradConvolution: ConvolutionKernel {
  private typealias Weights = WinogradWeights<StridedWeightMap, StridedWeightMap, StridedWeightGradientMap>

  private let plan: WinogradPlan
  private let weights: Weights
  /// Turns that reading ahead gets in the products of a whole block of tiles.
  private let turns: (output: Int, weightGradient: Int, inputGradient: Int)
  /// What is read of the current sample.
  private let source: PaddedImage
  private let gradient: PaddedImage
  private let outputStrip: WinogradStrip
  /// The input's gradient of a row of tiles, with the row that it shares with the next one.
  private let gradientStrip: WinogradStrip
  /// The transformed input of a block of tiles, and the transformed gradient of the output.
  private let inputTiles: StridedWinogradPanel
  private let gradientTiles: StridedWinogradPanel
  /// Products of one block of channels, in place of the tiles that are done with.
  private var inputProducts: StridedWinogradPanel { inputTiles }
  private var outputProducts: StridedWinogradPanel { gradientTiles }

  /// Whether this kernel computes convolutions of a shape.
  package static func fits(_ shape: ConvolutionShape) -> Bool {
    shape.kernel == 3 && shape.stride == 2 && shape.padding == 1
  }

  package init(_ shape: ConvolutionShape, capacity: Int) {
    precondition(StridedWinogradConvolution.fits(shape))
    plan = WinogradPlan(shape, capacity: capacity)
    weights = Weights(plan)
    source = PaddedImage(height: shape.height, width: shape.width, channels: shape.inputs, side: 8, rowsBelow: 0)
    gradient = PaddedImage(
      height: shape.outputHeight, width: shape.outputWidth, channels: shape.outputs, rowsAbove: 0, rowsBelow: 0)
    let (inputs, outputs) = (plan.inputs, plan.outputs)
    outputStrip = WinogradStrip(
      rows: 4, places: 4 * plan.tilesWide, channels: outputs.blockSize, blockSize: outputs.blockSize)
    gradientStrip = WinogradStrip(
      rows: 9, places: 8 * plan.tilesWide + 1, channels: roundedUp(shape.inputs, width), blockSize: inputs.blockSize)
    inputTiles = StridedWinogradPanel(plan, channels: inputs, blocks: inputs.blocks)
    gradientTiles = StridedWinogradPanel(plan, channels: outputs, blocks: outputs.blocks)
    turns = Self.turns(plan, inputTiles)
  }

  /// Register tiles in the products of a whole block of tiles.
  private static func turns(
    _ plan: WinogradPlan, _ panel: StridedWinogradPanel
  ) -> (output: Int, weightGradient: Int, inputGradient: Int) {
    let (inputs, outputs) = (plan.inputs, plan.outputs)
    var turns = (output: 0, weightGradient: 0, inputGradient: 0)
    for index in 0..<8 {
      let points = panel.points[index]
      func count(_ rows: Int, _ columns: Int, _ depth: Int) -> Int {
        WinogradProduct.turns(rows: rows, columns: columns, depth: depth, points: points.count)
      }
      let rows = points.rows * plan.tiles
      plan.forEachPair { input, output in
        let (from, to) = (inputs.paddedCount(of: input), outputs.paddedCount(of: output))
        turns.output += count(rows, to, from)
        turns.weightGradient += count(from, to, rows)
        turns.inputGradient += count(rows, from, to)
      }
    }
    return turns
  }

  package var workspaceBytes: Int {
    let panels = inputTiles.byteCount + gradientTiles.byteCount
    return weights.byteCount + source.byteCount + gradient.byteCount + outputStrip.byteCount + gradientStrip.byteCount
      + panels
  }

  package func forward(
    _ source: NormalizedValues, weight: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, samples: Int,
    sums: UnsafeMutablePointer<Double>?
  ) {
    guard samples > 0 else { return }
    weights.prepare(weight, isTransposed: false)
    let target = WinogradTarget(
      output, channels: plan.outputs, height: plan.shape.outputHeight, width: plan.shape.outputWidth,
      strip: outputStrip, finish: nil, sums: sums)
    plan.forEachBlock(samples) { block in
      block.forEachRow { sample, row, tile in
        self.source.read(source, sample: sample, tileRow: row)
        transformInput(row: row, tile: tile)
      }
      var ahead = ReadAhead(
        block.placesOfNext(samples: samples), of: plan.shape, source: source, output: output, turns: turns.output)
      multiply(inputTiles, through: outputProducts, block, ahead: &ahead) { channelBlock in
        target.storeTiles(channelBlock: channelBlock, block) { _, row, tile in
          transformOutput(channelBlock, tile: tile)
          return .init(
            first: outputStrip.values.pointer, image: 4 &* row..<min(plan.shape.outputHeight, 4 &* row &+ 4))
        }
      }
    }
  }

  package func backward(
    _ source: NormalizedValues, gradient: ConvolutionGradient, weight: UnsafePointer<Float>,
    weightGradient: UnsafeMutablePointer<Float>, inputGradient: UnsafeMutablePointer<Float>?,
    finish: GradientFinish, samples: Int
  ) {
    guard samples > 0 else { return }
    let target = inputGradient.map {
      WinogradTarget(
        $0, channels: plan.inputs, height: plan.shape.height, width: plan.shape.width, strip: gradientStrip,
        finish: finish, sums: finish.sums?.sums)
    }
    if target != nil { weights.prepare(weight, isTransposed: true) }
    plan.forEachBlock(samples) { block in
      block.forEachRow { sample, row, tile in
        self.source.read(source, sample: sample, tileRow: row)
        transformInput(row: row, tile: tile)
        self.gradient.read(gradient, sample: sample, tileRow: row)
        transformOutputGradient(row: row, tile: tile)
      }
      var ahead = ReadAhead(
        block.placesOfNext(samples: samples), of: plan.shape, source: source, gradient: gradient,
        inputGradient: inputGradient, finish: finish,
        turns: turns.weightGradient + (inputGradient == nil ? 0 : turns.inputGradient))
      addWeightGradient(block, to: weightGradient, ahead: &ahead)
      guard let target else { return }
      multiply(gradientTiles, through: inputProducts, block, ahead: &ahead) { channelBlock in
        target.storeTiles(channelBlock: channelBlock, block) { _, row, tile in
          transformInputGradient(channelBlock, row: row, tile: tile)
        }
      }
    }
    if plan.keepsGradients { plan.forEachPair { weights.addGradient($0, $1, to: weightGradient) } }
  }

  /// Multiplies transformed tiles with the prepared weights. Calls `body` with each block of channels of the products.
  private func multiply(
    _ tiles: StridedWinogradPanel, through products: StridedWinogradPanel, _ block: WinogradBlock,
    ahead: inout ReadAhead, _ body: (Int) -> Void
  ) {
    let (from, to) = (weights.from, weights.to)
    for toBlock in 0..<to.blocks {
      for fromBlock in 0..<from.blocks {
        let weight = weights.block(fromBlock, toBlock)
        for index in 0..<8 {
          let (a, c) = (tiles.points[index], products.points[index])
          WinogradProduct(
            rows: a.rows == 1 ? block.tiles : a.rows &* block.validTiles, depth: from.count(of: fromBlock),
            columns: to.paddedCount(of: toBlock), a: .init(point: a.stride, row: from.blockSize),
            b: .init(point: a.weightStride &* plan.weightPointStride, row: to.blockSize),
            c: .init(point: c.stride, row: to.blockSize), points: a.count
          ).run(
            UnsafePointer(tiles.block(fromBlock) + a.start), weight + a.weight &* plan.weightPointStride,
            into: products.block(0) + c.start, accumulate: fromBlock > 0,
            ahead: &ahead)
        }
      }
      body(toBlock)
    }
  }

  /// Adds what a block of tiles contributes to the weight's gradient, or to its values at the points where those are kept.
  private func addWeightGradient(
    _ block: WinogradBlock, to weightGradient: UnsafeMutablePointer<Float>, ahead: inout ReadAhead
  ) {
    let (inputs, outputs) = (plan.inputs, plan.outputs)
    plan.forEachPair { input, output in
      for index in 0..<8 {
        let (a, b) = (inputTiles.points[index], gradientTiles.points[index])
        WinogradProduct(
          rows: inputs.paddedCount(of: input), depth: a.rows &* block.validTiles,
          columns: outputs.paddedCount(of: output), a: .init(point: a.stride, row: 1, column: inputs.blockSize),
          b: .init(point: b.stride, row: outputs.blockSize),
          c: .init(point: a.weightStride &* plan.weightPointStride, row: outputs.blockSize), points: a.count
        ).run(
          UnsafePointer(inputTiles.block(input) + a.start), UnsafePointer(gradientTiles.block(output) + b.start),
          into: weights.gradientBlock(input, output) + a.weight &* plan.weightPointStride,
          accumulate: plan.keepsGradients && block.rows.lowerBound > 0, ahead: &ahead)
      }
      if !plan.keepsGradients { weights.addGradient(input, output, to: weightGradient) }
    }
  }

  // MARK: - Rows of tiles

  @inline(never)
  private func transformInput(row: Int, tile: Int) {
    forEachVector(of: inputTiles) { block, channel in
      var input = source.inputTiles(row, channel: plan.inputs.first(block) &+ channel)
      for column in 0..<plan.tilesWide {
        inputTiles.tile(tile &+ column, block: block, channel: channel)
          .transformInput(input, rowStride: source.rowStride, wrap: source.wrap(row))
        input += 8 &* width
      }
    }
  }

  @inline(never)
  private func transformOutputGradient(row: Int, tile: Int) {
    forEachVector(of: gradientTiles) { block, channel in
      var input = gradient.outputTiles(row, channel: plan.outputs.first(block) &+ channel)
      for column in 0..<plan.tilesWide {
        gradientTiles.tile(tile &+ column, block: block, channel: channel)
          .transformOutputGradient(input, rowStride: gradient.rowStride)
        input += 4 &* width
      }
    }
  }

  @inline(never)
  private func transformOutput(_ channelBlock: Int, tile: Int) {
    for channel in stride(from: 0, to: plan.outputs.paddedCount(of: channelBlock), by: width) {
      var output = outputStrip.values.pointer + channel / width &* outputStrip.vectorStride
      for column in 0..<plan.tilesWide {
        outputProducts.tile(tile &+ column, block: 0, channel: channel)
          .transformOutput(into: output, rowStride: outputStrip.rowStride)
        output += 4 &* width
      }
    }
  }

  /// Makes the input's gradient of a row of tiles, whose first row has been begun by the row of tiles above.
  @inline(never)
  private func transformInputGradient(_ channelBlock: Int, row: Int, tile: Int) -> WinogradTarget.Rows {
    let (strip, rowStride) = (gradientStrip, gradientStrip.rowStride)
    let first = strip.values.pointer + plan.inputs.first(channelBlock) / width &* strip.vectorStride
    for channel in stride(from: 0, to: plan.inputs.paddedCount(of: channelBlock), by: width) {
      var output = first + channel / width &* strip.vectorStride
      if row > 0 {
        output.update(from: output + 8 &* rowStride, count: rowStride)
      } else {
        output.update(repeating: 0, count: rowStride)
      }
      for column in 0..<plan.tilesWide {
        inputProducts.tile(tile &+ column, block: 0, channel: channel)
          .transformInputGradient(into: output, rowStride: rowStride, isFirst: column == 0)
        output += 8 &* width
      }
    }
    // The first row and column of all lie in the frame around the image; the last row of tiles has nothing below it.
    let above = row == 0 ? 1 : 0
    let end = row &+ 1 == plan.tilesHigh ? plan.shape.height : 8 &* row &+ 7
    return .init(first: first + (above &* rowStride &+ width), image: (8 &* row &- 1 &+ above)..<end)
  }

  @inline(__always)
  private func forEachVector(of panel: StridedWinogradPanel, _ body: (_ block: Int, _ channel: Int) -> Void) {
    for block in 0..<panel.channels.blocks {
      for channel in stride(from: 0, to: panel.channels.paddedCount(of: block), by: width) { body(block, channel) }
    }
  }
}
