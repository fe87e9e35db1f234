/// Where tiles of a result go, `[samples, height, width, channels]`, and what happens to them on the way.
struct WinogradTarget {
  private let values: UnsafeMutablePointer<Float>
  private let channels: WinogradPlan.Channels
  private let height: Int
  private let imageWidth: Int
  private let strip: WinogradStrip
  /// What is done to an input's gradient; nil for an output.
  private let finish: GradientFinish?
  /// `[2, channels]`
  private let sums: UnsafeMutablePointer<Double>?

  /// - Parameter sums: of an output: receives the sums of each channel and of its squares.
  init(
    _ values: UnsafeMutablePointer<Float>, channels: WinogradPlan.Channels, shape: ConvolutionShape,
    strip: WinogradStrip, finish: GradientFinish?, sums: UnsafeMutablePointer<Double>?
  ) {
    self.values = values
    self.channels = channels
    height = shape.height
    imageWidth = shape.width
    self.strip = strip
    self.finish = finish
    self.sums = sums
  }

  /// Transforms the products of a block of tiles and of channels and stores the result. A block has few enough places
  /// for their sums in single precision.
  func storeTiles(of products: WinogradPanel, channelBlock: Int, _ block: WinogradBlock) {
    let (first, end) = (channels.first(channelBlock), channels.count(of: channelBlock))
    strip.totals.buffer.update(repeating: 0)
    block.forEachRow { sample, row, tile in
      transformRow(
        UnsafePointer(products.block(0)) + tile &* products.strides.row, products.strides,
        columns: block.plan.tilesWide, channels: channels.paddedCount(of: channelBlock))
      let rows = min(4, height &- 4 &* row)
      let place = (sample &* height &+ 4 &* row) &* imageWidth &* channels.count
      var offset = 0
      while offset < end {
        finishVector(place, channel: first &+ offset, offset: offset, rows: rows, lanes: min(width, end &- offset))
        offset &+= width
      }
    }
    guard let sums else { return }
    let totals = strip.totals.pointer
    for channel in 0..<end {
      sums[first &+ channel] += Double(totals[channel])
      sums[channels.count &+ first &+ channel] += Double(totals[strip.channels &+ channel])
    }
  }

  /// Products of a row of tiles to their places in the strip.
  @inline(never)
  private func transformRow(
    _ products: UnsafePointer<Float>, _ strides: WinogradProduct.Strides, columns: Int, channels: Int
  ) {
    switch strides.point {
    case 16: transformRow(PointStride<16>.self, products, strides, columns, channels)
    case 32: transformRow(PointStride<32>.self, products, strides, columns, channels)
    case 64: transformRow(PointStride<64>.self, products, strides, columns, channels)
    default: transformRow(PointStride<0>.self, products, strides, columns, channels)
    }
  }

  @inline(__always)
  private func transformRow<let point: Int>(
    _: PointStride<point>.Type, _ products: UnsafePointer<Float>, _ strides: WinogradProduct.Strides, _ columns: Int,
    _ channels: Int
  ) {
    let (pointStride, rowStride) = (point > 0 ? point : strides.point, strip.rowStride)
    var channel = 0
    while channel < channels {
      var source = products + channel
      var target = strip.values.pointer + channel / width &* strip.vectorStride
      for _ in 0..<columns {
        let place = target
        transformTile(
          WinogradOutputMap.self, Columns<6>.self, source, rowStride: 6 &* pointStride, columnStride: pointStride
        ) { i, j, value in store(value, place + (i &* rowStride &+ j &* width)) }
        source += strides.row
        target += 4 &* width
      }
      channel &+= width
    }
  }

  /// Stores one vector of channels of the strip.
  ///
  /// - Parameter first: offset of the strip's first place in the result.
  private func finishVector(_ first: Int, channel: Int, offset: Int, rows: Int, lanes: Int) {
    let place = first &+ channel
    if let finish {
      sweep(place, offset, rows, lanes, GradientFinisher(finish, channel: channel, lanes: lanes))
    } else {
      sweep(place, offset, rows, lanes, VectorTotals())
    }
  }

  @inline(never)
  private func sweep<F: TileFinisher>(_ first: Int, _ offset: Int, _ rows: Int, _ lanes: Int, _ start: F) {
    var finisher = start
    let (stride, imageWidth) = (channels.count, imageWidth)
    for row in 0..<rows {
      var source = UnsafePointer(strip.values.pointer) + (offset / width &* strip.vectorStride &+ row &* strip.rowStride)
      var place = first &+ row &* imageWidth &* stride
      var left = imageWidth
      while left >= 4, lanes == width {
        var four = InlineArray<4, Vector>(repeating: .zero)
        for j in 0..<4 { four[unchecked: j] = load(source + j &* width) }
        let finished = finisher.apply(four, place, stride, lanes: width)
        for j in 0..<4 { store(finished[unchecked: j], values + (place &+ j &* stride)) }
        source += 4 &* width
        place &+= 4 &* stride
        left &-= 4
      }
      while left > 0 {
        let one: InlineArray<1, Vector> = [load(source, lanes: lanes)]
        store(finisher.apply(one, place, stride, lanes: lanes)[0], values + place, lanes: lanes)
        source += width
        place &+= stride
        left &-= 1
      }
    }
    let totals = strip.totals.pointer + offset
    store(load(totals) + finisher.totals.sum, totals)
    store(load(totals + strip.channels) + finisher.totals.product, totals + strip.channels)
  }
}

/// What happens to results of one vector of channels before they are stored.
private protocol TileFinisher {
  var totals: VectorTotals { get }

  /// - Parameters:
  ///   - values: of places next to each other.
  ///   - first: offset of the first one, `stride` before that of the next.
  mutating func apply<let places: Int>(
    _ values: InlineArray<places, Vector>, _ first: Int, _ stride: Int, lanes: Int
  ) -> InlineArray<places, Vector>
}

/// Sums of one vector of channels: of numbers, and of their products with others.
private struct VectorTotals {
  private(set) var sum = Vector(repeating: 0)
  private(set) var product = Vector(repeating: 0)

  /// One addition waits for the last, however many places there are.
  @inline(__always)
  mutating func add<let places: Int>(_ values: InlineArray<places, Vector>, _ factors: InlineArray<places, Vector>) {
    var s = values[unchecked: 0]
    var p = values[unchecked: 0] * factors[unchecked: 0]
    for j in 1..<places {
      s += values[unchecked: j]
      p.addProduct(values[unchecked: j], factors[unchecked: j])
    }
    sum += s
    product += p
  }
}

/// The forward pass only sums numbers and their squares.
extension VectorTotals: TileFinisher {
  var totals: VectorTotals { self }

  @inline(__always)
  mutating func apply<let places: Int>(
    _ values: InlineArray<places, Vector>, _: Int, _: Int, lanes: Int
  ) -> InlineArray<places, Vector> {
    add(values, values)
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
  private(set) var totals = VectorTotals()

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
      var factors = values
      for j in 0..<places { factors[unchecked: j] = load(factor + (first &+ j &* stride), lanes: lanes) }
      totals.add(values, factors)
    }
    return values
  }
}
