/// Where tiles of a result go, `[samples, height, width, channels]`, and what happens to them on the way.
struct WinogradTarget {
  private let values: UnsafeMutablePointer<Float>
  private let channels: WinogradPlan.Channels
  private let height: Int
  private let imageWidth: Int
  private let scratch: WinogradScratch
  private let finish: GradientFinish
  /// Receives sums of the stored numbers and of their products with a factor, or of their squares if there is none.
  private let sums: (factor: UnsafePointer<Float>?, totals: UnsafeMutablePointer<Double>)?

  init(
    _ values: UnsafeMutablePointer<Float>, channels: WinogradPlan.Channels, shape: ConvolutionShape,
    scratch: WinogradScratch, finish: GradientFinish = GradientFinish(),
    sums: (factor: UnsafePointer<Float>?, totals: UnsafeMutablePointer<Double>)?
  ) {
    self.values = values
    self.channels = channels
    height = shape.height
    imageWidth = shape.width
    self.scratch = scratch
    self.finish = finish
    self.sums = sums
  }

  /// Transforms the products of a block of tiles and of channels and stores the result.
  func storeTiles(of products: WinogradPanel, channelBlock: Int, _ block: WinogradBlock) {
    let end = channels.count(of: channelBlock)
    var channel = 0
    while channel < end {
      storeVector(
        UnsafePointer(products.block(0) + channel), products.strides, channel: channels.first(channelBlock) &+ channel,
        lanes: min(width, end &- channel), block)
      channel &+= width
    }
  }

  /// One vector of channels. A block has few enough places for their sums in single precision.
  private func storeVector(
    _ products: UnsafePointer<Float>, _ strides: WinogradProduct.Strides, channel: Int, lanes: Int, _ block: WinogradBlock
  ) {
    var totals = Totals()
    let finisher = Finisher(finish, factor: sums?.factor, hasSums: sums != nil, channel: channel, lanes: lanes)
    let (placeStride, rowStride) = (channels.count, imageWidth &* channels.count)
    block.forEachRow { sample, row, tile in
      let rows = min(4, height &- 4 &* row)
      for column in 0..<block.plan.tilesWide {
        let columns = min(4, imageWidth &- 4 &* column)
        let first = ((sample &* height &+ 4 &* row) &* imageWidth &+ 4 &* column) &* placeStride &+ channel
        let isWhole = columns == 4 && lanes == width
        transformTile(
          products + (tile &+ column) &* strides.row, rowStride: 6 &* strides.point, columnStride: strides.point, scratch,
          WinogradTransform.output
        ) { i, result in
          guard i < rows else { return }
          let place = first &+ i &* rowStride
          if isWhole {
            let values = finisher.apply(result, place, placeStride, lanes: width, &totals)
            for j in 0..<4 { store(values[unchecked: j], self.values + (place &+ j &* placeStride)) }
          } else {
            for j in 0..<columns {
              let place = place &+ j &* placeStride
              let value = finisher.apply([result[j]], place, placeStride, lanes: lanes, &totals)
              store(value[0], self.values + place, lanes: lanes)
            }
          }
        }
      }
    }
    guard let sums else { return }
    for lane in 0..<lanes {
      sums.totals[channel &+ lane] += Double(totals.sum[lane])
      sums.totals[channels.count &+ channel &+ lane] += Double(totals.product[lane])
    }
  }
}

/// Sums of one vector of channels.
private struct Totals {
  var sum = Vector(repeating: 0)
  var product = Vector(repeating: 0)
}

/// What happens to numbers of one vector of channels before they are stored.
private struct Finisher {
  private let other: UnsafePointer<Float>?
  private let mask: UnsafePointer<Float>?
  private let scale: Vector
  private let shift: Vector
  private let isNormalized: Bool
  private let factor: UnsafePointer<Float>?
  private let hasSums: Bool

  init(_ finish: GradientFinish, factor: UnsafePointer<Float>?, hasSums: Bool, channel: Int, lanes: Int) {
    other = finish.other
    self.factor = factor
    self.hasSums = hasSums
    switch finish.mask {
    case .none: (mask, isNormalized, scale, shift) = (nil, false, Vector.zero, Vector.zero)
    case .rectified(let values): (mask, isNormalized, scale, shift) = (values, false, Vector.zero, Vector.zero)
    case .normalized(let values, let scale, let shift):
      (mask, isNormalized) = (values, true)
      (self.scale, self.shift) = (load(scale + channel, lanes: lanes), load(shift + channel, lanes: lanes))
    }
  }

  /// Places next to each other.
  @inline(__always)
  func apply<let places: Int>(
    _ result: InlineArray<places, Vector>, _ first: Int, _ stride: Int, lanes: Int, _ totals: inout Totals
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
    if hasSums {
      for j in 0..<places {
        let value = values[unchecked: j]
        totals.sum += value
        totals.product.addProduct(value, factor.map { load($0 + (first &+ j &* stride), lanes: lanes) } ?? value)
      }
    }
    return values
  }
}
