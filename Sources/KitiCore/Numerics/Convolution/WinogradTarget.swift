/// Where tiles of a result go, `[samples, height, width, channels]`, and what happens to them on the way.
struct WinogradTarget {
  private let values: UnsafeMutablePointer<Float>
  private let channels: WinogradPlan.Channels
  private let height: Int
  private let imageWidth: Int
  private let scratch: WinogradScratch
  /// What is done to an input's gradient; nil for an output.
  private let finish: GradientFinish?
  /// `[2, channels]`
  private let sums: UnsafeMutablePointer<Double>?

  /// - Parameter sums: of an output: receives the sums of each channel and of its squares.
  init(
    _ values: UnsafeMutablePointer<Float>, channels: WinogradPlan.Channels, shape: ConvolutionShape,
    scratch: WinogradScratch, finish: GradientFinish?, sums: UnsafeMutablePointer<Double>?
  ) {
    self.values = values
    self.channels = channels
    height = shape.height
    imageWidth = shape.width
    self.scratch = scratch
    self.finish = finish
    self.sums = sums
  }

  /// Transforms the products of a block of tiles and of channels and stores the result. A block has few enough places
  /// for their sums in single precision.
  func storeTiles(of products: WinogradPanel, channelBlock: Int, _ block: WinogradBlock) {
    let end = channels.count(of: channelBlock)
    var offset = 0
    while offset < end {
      let (channel, lanes) = (channels.first(channelBlock) &+ offset, min(width, end &- offset))
      let source = UnsafePointer(products.block(0) + offset)
      if let finish {
        var finisher = GradientFinisher(finish, channel: channel, lanes: lanes)
        storeVector(source, products.strides, channel, lanes, block, &finisher)
        if let sums { finisher.totals.add(to: sums + channel, channels: channels.count, lanes: lanes) }
      } else {
        var totals = VectorTotals()
        storeVector(source, products.strides, channel, lanes, block, &totals)
        if let sums { totals.add(to: sums + channel, channels: channels.count, lanes: lanes) }
      }
      offset &+= width
    }
  }

  /// One vector of channels.
  @inline(__always)
  private func storeVector<F: TileFinisher>(
    _ products: UnsafePointer<Float>, _ strides: WinogradProduct.Strides, _ channel: Int, _ lanes: Int,
    _ block: WinogradBlock, _ finisher: inout F
  ) {
    let (placeStride, rowStride) = (channels.count, imageWidth &* channels.count)
    let values = values
    block.forEachRow { sample, row, tile in
      let rows = min(4, height &- 4 &* row)
      for column in 0..<block.plan.tilesWide {
        let columns = min(4, imageWidth &- 4 &* column)
        let first = ((sample &* height &+ 4 &* row) &* imageWidth &+ 4 &* column) &* placeStride &+ channel
        let source = products + (tile &+ column) &* strides.row
        if rows == 4 && columns == 4 && lanes == width {
          transformTile(
            source, rowStride: 6 &* strides.point, columnStride: strides.point, scratch, WinogradTransform.output
          ) { i, result in
            let place = first &+ i &* rowStride
            let finished = finisher.apply(result, place, placeStride, lanes: width)
            for j in 0..<4 { store(finished[unchecked: j], values + (place &+ j &* placeStride)) }
          }
        } else {
          transformTile(
            source, rowStride: 6 &* strides.point, columnStride: strides.point, scratch, WinogradTransform.output
          ) { i, result in
            for j in 0..<(i < rows ? columns : 0) {
              let place = first &+ i &* rowStride &+ j &* placeStride
              let finished: InlineArray<1, Vector> = finisher.apply([result[j]], place, placeStride, lanes: lanes)
              store(finished[0], values + place, lanes: lanes)
            }
          }
        }
      }
    }
  }
}

/// What happens to results of one vector of channels before they are stored.
private protocol TileFinisher {
  /// - Parameters:
  ///   - values: of places next to each other.
  ///   - first: offset of the first one, `stride` before that of the next.
  mutating func apply<let places: Int>(
    _ values: InlineArray<places, Vector>, _ first: Int, _ stride: Int, lanes: Int
  ) -> InlineArray<places, Vector>
}

/// Sums of one vector of channels: of numbers, and of their products with others.
private struct VectorTotals {
  var sum = Vector(repeating: 0)
  var product = Vector(repeating: 0)

  func add(to sums: UnsafeMutablePointer<Double>, channels: Int, lanes: Int) {
    for lane in 0..<lanes {
      sums[lane] += Double(sum[lane])
      sums[channels &+ lane] += Double(product[lane])
    }
  }
}

/// The forward pass only sums numbers and their squares.
extension VectorTotals: TileFinisher {
  @inline(__always)
  mutating func apply<let places: Int>(
    _ values: InlineArray<places, Vector>, _: Int, _: Int, lanes: Int
  ) -> InlineArray<places, Vector> {
    for j in 0..<places {
      sum += values[unchecked: j]
      product.addProduct(values[unchecked: j], values[unchecked: j])
    }
    return values
  }
}

private struct GradientFinisher: TileFinisher {
  private let other: UnsafePointer<Float>?
  private let mask: UnsafePointer<Float>?
  private let scale: Vector
  private let shift: Vector
  private let isNormalized: Bool
  private let factor: UnsafePointer<Float>?
  var totals = VectorTotals()

  init(_ finish: GradientFinish, channel: Int, lanes: Int) {
    other = finish.other
    factor = finish.sums?.factor
    switch finish.mask {
    case .none: (mask, isNormalized, scale, shift) = (nil, false, Vector.zero, Vector.zero)
    case .rectified(let values): (mask, isNormalized, scale, shift) = (values, false, Vector.zero, Vector.zero)
    case .normalized(let values, let scale, let shift):
      (mask, isNormalized) = (values, true)
      (self.scale, self.shift) = (load(scale + channel, lanes: lanes), load(shift + channel, lanes: lanes))
    }
  }

  @inline(__always)
  mutating func apply<let places: Int>(
    _ result: InlineArray<places, Vector>, _ first: Int, _ stride: Int, lanes: Int
  ) -> InlineArray<places, Vector> {
    var values = result
    if let other {
      for j in 0..<places { values[unchecked: j] += load(other + (first &+ j &* stride), lanes: lanes) }
    }
    if let mask {
      for j in 0..<places {
        var x = load(mask + (first &+ j &* stride), lanes: lanes)
        if isNormalized { x = shift.addingProduct(x, scale) }
        // Written so that nothing passes where the mask is NaN.
        values[unchecked: j] = Vector(repeating: 0).replacing(with: values[unchecked: j], where: x .> 0)
      }
    }
    if let factor {
      for j in 0..<places {
        totals.sum += values[unchecked: j]
        totals.product.addProduct(values[unchecked: j], load(factor + (first &+ j &* stride), lanes: lanes))
      }
    }
    return values
  }
}
