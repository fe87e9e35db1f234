/// How a convolution is cut: into blocks of tiles, and its channels into blocks, so that what the products of one block
/// use stays in the second-level cache.
struct WinogradPlan {
  let shape: ConvolutionShape
  /// Tiles of 4 × 4 outputs of a sample.
  let tilesHigh: Int
  let tilesWide: Int
  /// Rows of tiles of a block; a block may begin and end within a sample.
  let rowsPerBlock: Int
  let inputs: Channels
  let outputs: Channels
  /// Whether all transformed weights are made once per call and kept, or anew for each block of tiles.
  let keepsWeights: Bool
  /// Whether the weight's gradient is summed over all blocks of tiles before it is transformed back.
  let keepsGradients: Bool

  /// Channels in blocks of whole vectors.
  struct Channels {
    let count: Int
    /// Channels of a block; the last may have fewer.
    let blockSize: Int

    init(_ count: Int) {
      self.count = count
      blockSize = min(64, roundedUp(count, width))
    }

    var blocks: Int { (count + blockSize - 1) / blockSize }
    func first(_ block: Int) -> Int { block &* blockSize }
    func count(of block: Int) -> Int { min(blockSize, count &- block &* blockSize) }
    /// With the zeros that fill the last vector.
    func paddedCount(of block: Int) -> Int { roundedUp(count(of: block), width) }
  }

  init(_ shape: ConvolutionShape, capacity: Int) {
    self.shape = shape
    tilesHigh = (shape.outputHeight + 3) / 4
    tilesWide = (shape.outputWidth + 3) / 4
    inputs = Channels(shape.inputs)
    outputs = Channels(shape.outputs)
    let rows = max(1, capacity * tilesHigh)
    let bytes = WinogradProduct.points * shape.inputs * shape.outputs * MemoryLayout<Float>.stride
    rowsPerBlock = min(rows, max(1, Self.tilesPerBlock(shape) / tilesWide))
    keepsGradients = bytes <= 1 << 20
    keepsWeights = bytes <= 1 << 20 || rows > rowsPerBlock && bytes <= 1 << 24
  }

  /// Enough tiles to use the transformed weights often and to sum much of their gradients in registers, few enough for the
  /// tiles' own transforms to stay in the cache beside the weights, and with them what is read ahead.
  private static func tilesPerBlock(_ shape: ConvolutionShape) -> Int {
    let channels = max(shape.inputs, shape.outputs)
    if channels > 64 { return channels <= 128 ? 64 : 128 }
    return max(shape.stride == 1 ? 16 : 8, 512 / channels)
  }

  /// Tiles of a block, with those that make the number even.
  var tiles: Int { roundedUp(rowsPerBlock * tilesWide, 2) }

  /// Register tiles in the products of a whole block of tiles.
  func turns(_ points: [WinogradPoints]) -> (output: Int, weightGradient: Int, inputGradient: Int) {
    var turns = (output: 0, weightGradient: 0, inputGradient: 0)
    for points in points {
      func count(_ rows: Int, _ columns: Int, _ depth: Int) -> Int {
        WinogradProduct.turns(rows: rows, columns: columns, depth: depth, points: points.count)
      }
      let rows = points.rows * tiles
      forEachPair { input, output in
        let (from, to) = (inputs.paddedCount(of: input), outputs.paddedCount(of: output))
        turns.output += count(rows, to, from)
        turns.weightGradient += count(from, to, rows)
        turns.inputGradient += count(rows, from, to)
      }
    }
    return turns
  }

  /// Floats of the transformed weight between one input and one output block of channels. A cache line more between
  /// points keeps them from falling on the same lines of the cache.
  var weightPointStride: Int { inputs.blockSize * outputs.blockSize + 16 }
  var weightBlockSize: Int { WinogradProduct.points * weightPointStride }
}

extension WinogradPlan {
  /// Calls `body` for each block of tiles.
  @inline(__always)
  func forEachBlock(_ samples: Int, _ body: (WinogradBlock) -> Void) {
    let rows = samples &* tilesHigh
    var first = 0
    while first < rows {
      let end = min(rows, first &+ rowsPerBlock)
      body(WinogradBlock(rows: first..<end, plan: self))
      first = end
    }
  }

  /// Calls `body` for each pair of blocks of channels.
  @inline(__always)
  func forEachPair(_ body: (_ input: Int, _ output: Int) -> Void) {
    for output in 0..<outputs.blocks {
      for input in 0..<inputs.blocks { body(input, output) }
    }
  }
}

/// Rows of tiles that are transformed together.
struct WinogradBlock {
  /// Counted through all samples.
  let rows: Range<Int>
  let plan: WinogradPlan

  /// An even number; what is beyond the tiles is never read.
  var tiles: Int { roundedUp(rows.count &* plan.tilesWide, 2) }
  var validTiles: Int { rows.count &* plan.tilesWide }

  /// Calls `body` for each row with its sample, its place in the sample and its first tile's place in the block.
  @inline(__always)
  func forEachRow(_ body: (_ sample: Int, _ row: Int, _ tile: Int) -> Void) {
    var (sample, row) = rows.lowerBound.quotientAndRemainder(dividingBy: plan.tilesHigh)
    for index in 0..<rows.count {
      body(sample, row, index &* plan.tilesWide)
      row &+= 1
      if row == plan.tilesHigh { (sample, row) = (sample &+ 1, 0) }
    }
  }
}

extension WinogradBlock {
  /// Places that belong to the block after this one.
  func placesOfNext(samples: Int) -> ConvolutionPlaces {
    let shape = plan.shape
    let end = min(rows.upperBound &+ plan.rowsPerBlock, samples &* plan.tilesHigh)
    func first(_ row: Int, _ side: Int, _ height: Int, _ width: Int) -> Int {
      let (sample, rowOfSample) = row.quotientAndRemainder(dividingBy: plan.tilesHigh)
      return (sample &* height &+ side &* rowOfSample) &* width
    }
    func places(_ side: Int, _ height: Int, _ width: Int) -> Range<Int> {
      first(rows.upperBound, side, height, width)..<first(end, side, height, width)
    }
    return ConvolutionPlaces(
      inputs: places(4 &* shape.stride, shape.height, shape.width),
      outputs: places(4, shape.outputHeight, shape.outputWidth))
  }
}
