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

  /// Rows of the result that are complete: where the first one begins in the strip, with the first vector of a block of
  /// channels, and which rows of the image they are.
  struct Rows {
    var first: UnsafeMutablePointer<Float>
    var image: Range<Int>
  }

  /// - Parameters:
  ///   - height: of the result, as `width`.
  ///   - sums: of an output: receives the sums of each channel and of its squares.
  init(
    _ values: UnsafeMutablePointer<Float>, channels: WinogradPlan.Channels, height: Int, width: Int,
    strip: WinogradStrip, finish: GradientFinish?, sums: UnsafeMutablePointer<Double>?
  ) {
    self.values = values
    self.channels = channels
    self.height = height
    imageWidth = width
    self.strip = strip
    self.finish = finish
    self.sums = sums
  }

  /// Stores the result of a block of tiles and of channels. A block has few enough places for their sums in single
  /// precision.
  ///
  /// - Parameter transform: makes rows of the result in the strip from a row of tiles.
  func storeTiles(
    channelBlock: Int, _ block: WinogradBlock, _ transform: (_ sample: Int, _ row: Int, _ tile: Int) -> Rows
  ) {
    let (first, end) = (channels.first(channelBlock), channels.count(of: channelBlock))
    strip.totals.buffer.update(repeating: 0)
    block.forEachRow { sample, row, tile in
      let rows = transform(sample, row, tile)
      var offset = 0
      while offset < end {
        let vector = Rows(first: rows.first + offset / width &* strip.vectorStride, image: rows.image)
        finishVector(vector, sample: sample, channel: first &+ offset, offset: offset, lanes: min(width, end &- offset))
        offset &+= width
      }
    }
    guard let sums else { return }
    let totals = strip.totals.pointer
    for channel in 0..<end {
      sums[first &+ channel] += Double(totals[channel])
      sums[channels.count &+ first &+ channel] += Double(totals[strip.blockSize &+ channel])
    }
  }

  /// Stores one vector of channels of rows in the strip.
  ///
  /// - Parameter offset: of the channel in its block.
  private func finishVector(_ rows: Rows, sample: Int, channel: Int, offset: Int, lanes: Int) {
    if let finish {
      if finish.otherStride > 1 { addSampled(finish, to: rows, sample: sample, channel: channel, lanes: lanes) }
      switch finish.mask {
      case .none: sweep(rows, sample, channel, offset, lanes, GradientFinisher(finish, OpenMask()))
      case .rectified(let values):
        sweep(rows, sample, channel, offset, lanes, GradientFinisher(finish, RectifiedMask(values: values)))
      case .normalized(let values, let scale, let shift):
        let mask = NormalizedMask(
          values: values, scale: load(scale + channel, lanes: lanes), shift: load(shift + channel, lanes: lanes))
        sweep(rows, sample, channel, offset, lanes, GradientFinisher(finish, mask))
      }
    } else {
      sweep(rows, sample, channel, offset, lanes, VectorTotals())
    }
  }

  /// Adds the other gradient where it has only every so many places.
  private func addSampled(_ finish: GradientFinish, to rows: Rows, sample: Int, channel: Int, lanes: Int) {
    guard let other = finish.other else { return }
    let stride = finish.otherStride
    let (sampledHeight, sampledWidth) = ((height &+ stride &- 1) / stride, (imageWidth &+ stride &- 1) / stride)
    for row in rows.image where row % stride == 0 {
      var place = ((sample &* sampledHeight &+ row / stride) &* sampledWidth) &* channels.count &+ channel
      var target = rows.first + (row &- rows.image.lowerBound) &* strip.rowStride
      for _ in 0..<sampledWidth {
        store(load(target) + load(other + place, lanes: lanes), target)
        place &+= channels.count
        target += stride &* width
      }
    }
  }

  /// Stores what `start` makes of one vector of channels of rows in the strip, and adds its totals to the strip's.
  @inline(__always)
  private func sweep<F: TileFinisher>(
    _ rows: Rows, _ sample: Int, _ channel: Int, _ offset: Int, _ lanes: Int, _ start: F
  ) {
    switch channels.count {
    case 16: sweep(ChannelCount<16>.self, rows, sample, channel, offset, lanes, start)
    case 32: sweep(ChannelCount<32>.self, rows, sample, channel, offset, lanes, start)
    case 64: sweep(ChannelCount<64>.self, rows, sample, channel, offset, lanes, start)
    default: sweep(ChannelCount<0>.self, rows, sample, channel, offset, lanes, start)
    }
  }

  @inline(never)
  private func sweep<F: TileFinisher, let count: Int>(
    _: ChannelCount<count>.Type, _ rows: Rows, _ sample: Int, _ channel: Int, _ offset: Int, _ lanes: Int, _ start: F
  ) {
    var finisher = start
    let (stride, imageWidth) = (count > 0 ? count : channels.count, imageWidth)
    for row in rows.image {
      var source = UnsafePointer(rows.first) + (row &- rows.image.lowerBound) &* strip.rowStride
      var place = (sample &* height &+ row) &* imageWidth &* stride &+ channel
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
    store(load(totals + strip.blockSize) + finisher.totals.product, totals + strip.blockSize)
  }
}

/// Floats from one place to the next where that is known when this is compiled; 0 elsewhere.
private enum ChannelCount<let count: Int> {}

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

/// Where a gradient passes.
private protocol GradientMask {
  /// The value where it passes, else 0: also where the mask is NaN.
  func apply(_ value: Vector, _ place: Int, lanes: Int) -> Vector
}

private struct OpenMask: GradientMask {
  @inline(__always)
  func apply(_ value: Vector, _: Int, lanes _: Int) -> Vector { value }
}

private struct RectifiedMask: GradientMask {
  let values: UnsafePointer<Float>

  @inline(__always)
  func apply(_ value: Vector, _ place: Int, lanes: Int) -> Vector {
    Vector(repeating: 0).replacing(with: value, where: load(values + place, lanes: lanes) .> 0)
  }
}

private struct NormalizedMask: GradientMask {
  let values: UnsafePointer<Float>
  let scale: Vector
  let shift: Vector

  @inline(__always)
  func apply(_ value: Vector, _ place: Int, lanes: Int) -> Vector {
    let x = shift.addingProduct(load(values + place, lanes: lanes), scale)
    return Vector(repeating: 0).replacing(with: value, where: x .> 0)
  }
}

private struct GradientFinisher<Mask: GradientMask>: TileFinisher {
  private let other: UnsafePointer<Float>?
  private let mask: Mask
  private let factor: UnsafePointer<Float>?
  private(set) var totals = VectorTotals()

  init(_ finish: GradientFinish, _ mask: Mask) {
    other = finish.otherStride == 1 ? finish.other : nil
    factor = finish.sums?.factor
    self.mask = mask
  }

  @inline(__always)
  mutating func apply<let places: Int>(
    _ result: InlineArray<places, Vector>, _ first: Int, _ stride: Int, lanes: Int
  ) -> InlineArray<places, Vector> {
    var values = result
    if let other {
      let other = other + first
      for j in 0..<places { values[unchecked: j] += load(other + j &* stride, lanes: lanes) }
    }
    for j in 0..<places {
      values[unchecked: j] = mask.apply(values[unchecked: j], first &+ j &* stride, lanes: lanes)
    }
    if let factor {
      let factor = factor + first
      var factors = values
      for j in 0..<places { factors[unchecked: j] = load(factor + j &* stride, lanes: lanes) }
      totals.add(values, factors)
    }
    return values
  }
}
