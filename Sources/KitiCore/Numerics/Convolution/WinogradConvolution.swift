/// Convolution with 3 × 3 kernels, stride 1 or 2 and padding 1, by Winograd's minimal filtering (Lavin and Gray,
/// arXiv 1509.09308).
///
/// Tiles are transformed and multiplied block by block, so that transformed tiles stay in the cache; what is fused with
/// the convolution happens while a sample is read and while tiles are stored. Both gradients come from one transform of
/// the output's gradient, by the transposed maps. The result differs from the exact one by up to 3e-6 of its largest number. A
/// NaN in the input makes NaN of all outputs of the tiles that read it.
package final class WinogradConvolution: ConvolutionKernel {
  private let plan: WinogradPlan
  private let tiling: any WinogradTiling
  /// The tiling's, kept here: to ask for it with each row of tiles would retain all that it has.
  private let workspace: WinogradWorkspace
  /// Turns that reading ahead gets in the products of a whole block of tiles.
  private let turns: (output: Int, weightGradient: Int, inputGradient: Int)

  /// Whether this kernel computes convolutions of a shape.
  package static func fits(_ shape: ConvolutionShape) -> Bool {
    shape.kernel == 3 && (1...2).contains(shape.stride) && shape.padding == 1
  }

  package init(_ shape: ConvolutionShape, capacity: Int) {
    precondition(WinogradConvolution.fits(shape))
    plan = WinogradPlan(shape, capacity: capacity)
    tiling = shape.stride == 1 ? UnitStrideTiling(plan) : StridedTiling(plan)
    workspace = tiling.workspace
    turns = plan.turns(workspace.inputTiles.points)
  }

  package var workspaceBytes: Int { workspace.byteCount }

  package func forward(
    _ source: NormalizedValues, weight: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, samples: Int,
    sums: UnsafeMutablePointer<Double>?
  ) {
    guard samples > 0 else { return }
    workspace.weights.prepare(weight, isTransposed: false)
    let (height, strip) = (plan.shape.outputHeight, workspace.outputStrip)
    let target = WinogradTarget(
      output, channels: plan.outputs, height: height, width: plan.shape.outputWidth, strip: strip, finish: nil,
      sums: sums)
    plan.forEachBlock(samples) { block in
      block.forEachRow { sample, row, tile in
        workspace.source.read(source, sample: sample, tileRow: row)
        tiling.transformInput(row: row, tile: tile)
      }
      var ahead = ReadAhead(
        block.placesOfNext(samples: samples), of: plan.shape, source: source, output: output, turns: turns.output)
      multiply(workspace.inputTiles, through: workspace.outputProducts, block, ahead: &ahead) { channelBlock in
        target.storeTiles(channelBlock: channelBlock, block) { _, row, tile in
          tiling.transformOutput(channelBlock, tile: tile)
          return .init(first: strip.values.pointer, image: 4 &* row..<min(height, 4 &* row &+ 4))
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
        $0, channels: plan.inputs, height: plan.shape.height, width: plan.shape.width, strip: workspace.gradientStrip,
        finish: finish, sums: finish.sums?.sums)
    }
    if target != nil { workspace.weights.prepare(weight, isTransposed: true) }
    plan.forEachBlock(samples) { block in
      block.forEachRow { sample, row, tile in
        workspace.source.read(source, sample: sample, tileRow: row)
        tiling.transformInput(row: row, tile: tile)
        workspace.gradient.read(gradient, sample: sample, tileRow: row)
        tiling.transformOutputGradient(row: row, tile: tile)
      }
      var ahead = ReadAhead(
        block.placesOfNext(samples: samples), of: plan.shape, source: source, gradient: gradient,
        inputGradient: inputGradient, finish: finish,
        turns: turns.weightGradient + (inputGradient == nil ? 0 : turns.inputGradient))
      addWeightGradient(block, to: weightGradient, ahead: &ahead)
      guard let target else { return }
      multiply(workspace.gradientTiles, through: workspace.inputProducts, block, ahead: &ahead) { channelBlock in
        target.storeTiles(channelBlock: channelBlock, block) { _, row, tile in
          tiling.transformInputGradient(channelBlock, row: row, tile: tile)
        }
      }
    }
    if plan.keepsGradients { plan.forEachPair { workspace.weights.addGradient($0, $1, to: weightGradient) } }
  }

  /// Multiplies transformed tiles with the prepared weights. Calls `body` with each block of channels of the products.
  private func multiply(
    _ tiles: WinogradPanel, through products: WinogradPanel, _ block: WinogradBlock, ahead: inout ReadAhead,
    _ body: (Int) -> Void
  ) {
    let weights = workspace.weights
    let (from, to) = (weights.from, weights.to)
    for toBlock in 0..<to.blocks {
      for fromBlock in 0..<from.blocks {
        let weight = weights.block(fromBlock, toBlock)
        for (a, c) in zip(tiles.points, products.points) {
          WinogradProduct(
            rows: a.rows == 1 ? block.tiles : a.rows &* block.validTiles, depth: from.count(of: fromBlock),
            columns: to.paddedCount(of: toBlock), a: .init(point: a.stride, row: from.blockSize),
            b: .init(point: a.weightStride &* plan.weightPointStride, row: to.blockSize),
            c: .init(point: c.stride, row: to.blockSize), points: a.count
          ).run(
            UnsafePointer(tiles.block(fromBlock) + a.start), weight + a.weight &* plan.weightPointStride,
            into: products.block(0) + c.start, accumulate: fromBlock > 0, ahead: &ahead)
        }
      }
      body(toBlock)
    }
  }

  /// Adds what a block of tiles contributes to the weight's gradient, or to its values at the points where those are
  /// kept.
  private func addWeightGradient(
    _ block: WinogradBlock, to weightGradient: UnsafeMutablePointer<Float>, ahead: inout ReadAhead
  ) {
    let (inputs, outputs, weights) = (plan.inputs, plan.outputs, workspace.weights)
    let (inputTiles, gradientTiles) = (workspace.inputTiles, workspace.gradientTiles)
    plan.forEachPair { input, output in
      for (a, b) in zip(inputTiles.points, gradientTiles.points) {
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
}
