// Passes over arrays `[rows, channels]` with numbers of their own for every channel, as a batch norm has.

/// What joins the normalized numbers of a residual block.
package enum Addend {
  case nothing
  /// `[rows, channels]`
  case values(UnsafePointer<Float>)
  /// values · scale + shift, scale and shift `[channels]`.
  case normalized(UnsafePointer<Float>, scale: UnsafePointer<Float>, shift: UnsafePointer<Float>)
}

/// Calls `body(offset, channel, lanes)` for vectors along the channels of every row; the last of a row may have fewer
/// lanes.
@inline(__always)
private func forEachVector(rows: Int, channels: Int, _ body: (_ offset: Int, _ channel: Int, _ lanes: Int) -> Void) {
  var start = 0
  for _ in 0..<rows {
    var channel = 0
    while channel &+ width <= channels {
      body(start &+ channel, channel, width)
      channel &+= width
    }
    if channel < channels { body(start &+ channel, channel, channels &- channel) }
    start &+= channels
  }
}

/// output = z · scale + shift; may be in place.
package func normalize(
  _ z: UnsafePointer<Float>, scale: UnsafePointer<Float>, shift: UnsafePointer<Float>, rows: Int, channels: Int,
  into output: UnsafeMutablePointer<Float>
) {
  forEachVector(rows: rows, channels: channels) { offset, channel, lanes in
    let value = load(shift + channel, lanes: lanes)
      .addingProduct(load(z + offset, lanes: lanes), load(scale + channel, lanes: lanes))
    store(value, output + offset, lanes: lanes)
  }
}

/// output = max(0, addend + timeStep · (z · scale + shift)): the end of a residual block in one pass. NaN passes
/// through.
package func normalizeAndRectify(
  _ z: UnsafePointer<Float>, scale: UnsafePointer<Float>, shift: UnsafePointer<Float>, timeStep: Float = 1,
  plus addend: Addend, rows: Int, channels: Int, into output: UnsafeMutablePointer<Float>
) {
  let time = Vector(repeating: timeStep)
  @inline(__always)
  func sweep(_ position: (_ offset: Int, _ channel: Int, _ lanes: Int) -> Vector) {
    forEachVector(rows: rows, channels: channels) { offset, channel, lanes in
      let velocity = load(shift + channel, lanes: lanes)
        .addingProduct(load(z + offset, lanes: lanes), load(scale + channel, lanes: lanes))
      let value = position(offset, channel, lanes).addingProduct(time, velocity)
      store(value.rectified, output + offset, lanes: lanes)
    }
  }
  switch addend {
  case .nothing: sweep { _, _, _ in Vector(repeating: 0) }
  case .values(let x): sweep { offset, _, lanes in load(x + offset, lanes: lanes) }
  case .normalized(let x, let scale, let shift):
    sweep { offset, channel, lanes in
      load(shift + channel, lanes: lanes)
        .addingProduct(load(x + offset, lanes: lanes), load(scale + channel, lanes: lanes))
    }
  }
}

/// output = g · gradientScale + z · outputScale + shift: a gradient through a batch norm; may be in place.
package func normalizeGradient(
  _ g: UnsafePointer<Float>, gradientScale: UnsafePointer<Float>, _ z: UnsafePointer<Float>,
  outputScale: UnsafePointer<Float>, shift: UnsafePointer<Float>, rows: Int, channels: Int,
  into output: UnsafeMutablePointer<Float>
) {
  forEachVector(rows: rows, channels: channels) { offset, channel, lanes in
    let value = load(shift + channel, lanes: lanes)
      .addingProduct(load(z + offset, lanes: lanes), load(outputScale + channel, lanes: lanes))
      .addingProduct(load(g + offset, lanes: lanes), load(gradientScale + channel, lanes: lanes))
    store(value, output + offset, lanes: lanes)
  }
}

/// g = 0 where y, the rectified numbers, is not above 0.
package func rectifyGradient(_ g: UnsafeMutablePointer<Float>, where y: UnsafePointer<Float>, count: Int) {
  forEachVector(rows: 1, channels: count) { offset, _, lanes in
    let zero = Vector(repeating: 0)
    let value = zero.replacing(with: load(g + offset, lanes: lanes), where: load(y + offset, lanes: lanes) .> zero)
    store(value, g + offset, lanes: lanes)
  }
}

/// Adds to `sums` `[2, channels]` the sums over rows of x and of x · factor.
///
/// At most 64 numbers are added in fp32, the partial sums in double precision.
package func addChannelSums(
  _ x: UnsafePointer<Float>, times factor: UnsafePointer<Float>, rows: Int, channels: Int,
  to sums: UnsafeMutablePointer<Double>
) {
  sweepSums(rows, channels, sums) { offset, _, lanes in
    (load(x + offset, lanes: lanes), load(factor + offset, lanes: lanes))
  }
}

/// Adds to `sums` `[2, channels]` the sums over rows of x − centre and of its square, as accurate as `addChannelSums`.
///
/// - Parameter centre: `[channels]`.
package func addCentredSums(
  _ x: UnsafePointer<Float>, centre: UnsafePointer<Float>, rows: Int, channels: Int,
  to sums: UnsafeMutablePointer<Double>
) {
  sweepSums(rows, channels, sums) { offset, channel, lanes in
    let value = load(x + offset, lanes: lanes) - load(centre + channel, lanes: lanes)
    return (value, value)
  }
}

/// Sums of the first number and of the product of both. Channels are cut in pieces of one vector, rows in blocks that
/// stay in the first-level cache while the pieces take turns.
@inline(__always)
private func sweepSums(
  _ rows: Int, _ channels: Int, _ sums: UnsafeMutablePointer<Double>,
  _ read: (_ offset: Int, _ channel: Int, _ lanes: Int) -> (Vector, Vector)
) {
  @inline(__always)
  func sum(_ channel: Int, _ lanes: Int, _ first: Int, _ rows: Int) {
    var (total, products) = (Vector(repeating: 0), Vector(repeating: 0))
    var offset = first
    for _ in 0..<rows {
      let (value, factor) = read(offset, channel, lanes)
      total += value
      products.addProduct(value, factor)
      offset &+= channels
    }
    for lane in 0..<lanes {
      sums[channel &+ lane] += Double(total[lane])
      sums[channels &+ channel &+ lane] += Double(products[lane])
    }
  }
  let block = min(64, max(8, 4_096 / max(channels, 1)))
  var row = 0
  while row < rows {
    let (count, first) = (min(block, rows &- row), row &* channels)
    var channel = 0
    while channel &+ width <= channels {
      sum(channel, width, first &+ channel, count)
      channel &+= width
    }
    if channel < channels { sum(channel, channels &- channel, first &+ channel, count) }
    row &+= count
  }
}

/// A sample `[height, width, inputs]` at every `stride`-th place, with zeros for the channels behind the first `inputs`
/// of `[⌈height/stride⌉, ⌈width/stride⌉, outputs]`.
package func padChannels(
  _ x: UnsafePointer<Float>, shape: [Int], stride: Int, outputs: Int, into output: UnsafeMutablePointer<Float>
) {
  let (height, columns, inputs) = (shape[0], shape[1], shape[2])
  var target = output
  for row in Swift.stride(from: 0, to: height, by: stride) {
    for column in Swift.stride(from: 0, to: columns, by: stride) {
      target.update(from: x + (row &* columns &+ column) &* inputs, count: inputs)
      (target + inputs).update(repeating: 0, count: outputs &- inputs)
      target += outputs
    }
  }
}

/// The gradient with respect to the places of x that `padChannels` takes, from that with respect to its output
/// `[places, outputs]`.
package func padChannelsBackward(
  _ g: UnsafePointer<Float>, places: Int, inputs: Int, outputs: Int, into gradient: UnsafeMutablePointer<Float>
) {
  for place in 0..<places { (gradient + place &* inputs).update(from: g + place &* outputs, count: inputs) }
}

/// Every `stride`-th place of a sample `[height, width, channels]` in both directions.
package func samplePlaces(
  _ x: UnsafePointer<Float>, shape: [Int], stride: Int, into output: UnsafeMutablePointer<Float>
) {
  padChannels(x, shape: shape, stride: stride, outputs: shape[2], into: output)
}

/// Adds numbers of every `stride`-th place to a sample `[height, width, channels]`.
package func addAtSampledPlaces(
  _ x: UnsafePointer<Float>, height: Int, width columns: Int, channels: Int, stride: Int,
  to output: UnsafeMutablePointer<Float>
) {
  var source = x
  for row in Swift.stride(from: 0, to: height, by: stride) {
    for column in Swift.stride(from: 0, to: columns, by: stride) {
      let target = output + (row &* columns &+ column) &* channels
      var channel = 0
      while channel < channels {
        let lanes = min(width, channels &- channel)
        store(
          load(target + channel, lanes: lanes) + load(source + channel, lanes: lanes), target + channel, lanes: lanes)
        channel &+= width
      }
      source += channels
    }
  }
}
