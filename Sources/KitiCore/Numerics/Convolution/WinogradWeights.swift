import CVector

/// A weight's values at the points of Winograd's tiles, and their gradients, in blocks of channels.
final class WinogradWeights {
  private let plan: WinogradPlan
  private let buffer: AlignedBuffer<Float>
  /// The part of the weight that a block is made of, where it must be transposed or filled up.
  private let part: AlignedBuffer<Float>
  private let gradients: AlignedBuffer<Float>
  private var weight: UnsafePointer<Float>?
  private var isTransposed = false
  private let maps: any WinogradWeightMaps.Type

  init(_ plan: WinogradPlan, maps: any WinogradWeightMaps.Type) {
    self.plan = plan
    self.maps = maps
    let blocks = plan.inputs.blocks * plan.outputs.blocks
    buffer = AlignedBuffer(count: (plan.keepsWeights ? blocks : 1) * plan.weightBlockSize)
    gradients = AlignedBuffer(count: (plan.keepsGradients ? blocks : 1) * plan.weightBlockSize)
    part = AlignedBuffer(count: 9 * plan.inputs.blockSize * plan.outputs.blockSize)
  }

  var byteCount: Int { buffer.byteCount + part.byteCount + gradients.byteCount }

  /// Channels that the products sum over, and those they make.
  var from: WinogradPlan.Channels { isTransposed ? plan.outputs : plan.inputs }
  var to: WinogradPlan.Channels { isTransposed ? plan.inputs : plan.outputs }

  /// - Parameter isTransposed: for the input's gradient: from outputs to inputs.
  func prepare(_ weight: UnsafePointer<Float>, isTransposed: Bool) {
    self.weight = weight
    self.isTransposed = isTransposed
    guard plan.keepsWeights else { return }
    for to in 0..<self.to.blocks {
      for from in 0..<self.from.blocks { transform(from, to, into: buffer.pointer + index(from, to)) }
    }
  }

  /// `[point, from, to]` of a pair of blocks; valid until the next call.
  func block(_ from: Int, _ to: Int) -> UnsafePointer<Float> {
    if plan.keepsWeights { return UnsafePointer(buffer.pointer + index(from, to)) }
    transform(from, to, into: buffer.pointer)
    return UnsafePointer(buffer.pointer)
  }

  private func index(_ from: Int, _ to: Int) -> Int {
    (to &* self.from.blocks &+ from) &* plan.weightBlockSize
  }

  @inline(never)
  private func transform(_ fromBlock: Int, _ toBlock: Int, into output: UnsafeMutablePointer<Float>) {
    let (from, to) = (self.from, self.to)
    let depth = from.count(of: fromBlock)
    let (inputs, outputs) = (plan.shape.inputs, plan.shape.outputs)
    var (source, placeStride, rowStride) = (weight!, inputs * outputs, outputs)
    if isTransposed {
      transpose(fromBlock, toBlock)
      (source, placeStride, rowStride) = (UnsafePointer(part.pointer), from.blockSize * to.blockSize, to.blockSize)
    } else if outputs % width != 0 {
      fill(fromBlock, toBlock)
      (source, placeStride, rowStride) = (UnsafePointer(part.pointer), from.blockSize * to.blockSize, to.blockSize)
    } else {
      source += from.first(fromBlock) * outputs + to.first(toBlock)
    }
    let (columns, stride, pointStride) = (to.paddedCount(of: toBlock), to.blockSize, plan.weightPointStride)
    for k in 0..<depth {
      if k &+ 2 < depth { fetchRow(source + (k &+ 2) &* rowStride, columns, placeStride) }
      var column = 0
      while column < columns {
        let (from, to) = (source + (k &* rowStride &+ column), output + (k &* stride &+ column))
        if isTransposed {
          maps.transformTransposed(from, placeStride: placeStride, into: to, pointStride: pointStride)
        } else {
          maps.transform(from, placeStride: placeStride, into: to, pointStride: pointStride)
        }
        column &+= width
      }
    }
  }

  /// Asks for a row of a block of the weight, or of its gradient, at all places of the kernel: pieces that are too short for the
  /// processor to fetch them ahead by itself.
  @inline(__always)
  private func fetchRow(_ row: UnsafePointer<Float>, _ columns: Int, _ placeStride: Int) {
    for place in 0..<9 {
      for line in stride(from: 0, to: columns, by: 16) { kiti_fetch(row + (place &* placeStride &+ line)) }
    }
  }

  /// Copies a block of the weight, with zeros for outputs that fill the last vector.
  private func fill(_ fromBlock: Int, _ toBlock: Int) {
    let (from, to) = (plan.inputs, plan.outputs)
    let (count, padded) = (to.count(of: toBlock), to.paddedCount(of: toBlock))
    for place in 0..<9 {
      for i in 0..<from.count(of: fromBlock) {
        let source = weight! + ((place &* from.count &+ from.first(fromBlock) &+ i) &* to.count &+ to.first(toBlock))
        let target = part.pointer + (place &* from.blockSize &+ i) &* to.blockSize
        for o in 0..<padded { target[o] = o < count ? source[o] : 0 }
      }
    }
  }

  /// Copies a block of the weight transposed, with zeros for inputs that fill the last vector.
  @inline(never)
  private func transpose(_ fromBlock: Int, _ toBlock: Int) {
    let (from, to) = (plan.outputs, plan.inputs)
    let (depth, count, padded) = (from.count(of: fromBlock), to.count(of: toBlock), to.paddedCount(of: toBlock))
    let (placeSize, rowStride) = (from.blockSize &* to.blockSize, to.blockSize)
    for place in 0..<9 {
      let source = weight! + ((place &* to.count &+ to.first(toBlock)) &* from.count &+ from.first(fromBlock))
      let target = part.pointer + place &* placeSize
      for i in stride(from: 0, to: padded, by: width) {
        for o in stride(from: 0, to: depth, by: width) {
          let (source, target) = (source + (i &* from.count &+ o), target + (o &* rowStride &+ i))
          if i &+ width <= count && o &+ width <= depth {
            transposeSquare(source, rowStride: from.count, into: target, rowStride: rowStride)
          } else {
            for p in 0..<min(width, depth &- o) {
              for q in 0..<width { target[p &* rowStride &+ q] = i &+ q < count ? source[q &* from.count &+ p] : 0 }
            }
          }
        }
      }
    }
  }
}

// MARK: - Gradients

extension WinogradWeights {
  /// Where products of input and output gradient are summed: `[point, input, output]` of a pair of blocks.
  func gradientBlock(_ input: Int, _ output: Int) -> UnsafeMutablePointer<Float> {
    gradients.pointer + (plan.keepsGradients ? (input &* plan.outputs.blocks &+ output) &* plan.weightBlockSize : 0)
  }

  /// Transforms a pair of blocks back and adds it to the weight's gradient.
  @inline(never)
  func addGradient(_ inputBlock: Int, _ outputBlock: Int, to weightGradient: UnsafeMutablePointer<Float>) {
    let (inputs, outputs) = (plan.inputs, plan.outputs)
    let source = UnsafePointer(gradientBlock(inputBlock, outputBlock))
    let (pointStride, stride) = (plan.weightPointStride, outputs.blockSize)
    let (rows, columns) = (inputs.count(of: inputBlock), outputs.count(of: outputBlock))
    for i in 0..<rows {
      let next = inputs.first(inputBlock) &+ min(i &+ 2, rows &- 1)
      fetchRow(
        weightGradient + (next &* outputs.count &+ outputs.first(outputBlock)), columns, inputs.count &* outputs.count)
      let target = weightGradient + ((inputs.first(inputBlock) &+ i) &* outputs.count &+ outputs.first(outputBlock))
      var o = 0
      while o < columns {
        maps.addGradient(
          source + (i &* stride &+ o), pointStride: pointStride, to: target + o,
          placeStride: inputs.count &* outputs.count, lanes: min(width, columns &- o))
        o &+= width
      }
    }
  }
}

/// A stride's maps, each for one vector of channels: of a weight `[3, 3, …]` to its values at the points `[6, 6, …]`, and of the
/// gradients of those to that of the weight.
protocol WinogradWeightMaps {
  associatedtype Weight: SixPoints
  /// For the input's gradient.
  associatedtype Transposed: SixPoints
  associatedtype Gradient: WinogradMap

  static func transform(
    _ weight: UnsafePointer<Float>, placeStride: Int, into output: UnsafeMutablePointer<Float>, pointStride: Int)

  static func transformTransposed(
    _ weight: UnsafePointer<Float>, placeStride: Int, into output: UnsafeMutablePointer<Float>, pointStride: Int)

  static func addGradient(
    _ source: UnsafePointer<Float>, pointStride: Int, to weightGradient: UnsafeMutablePointer<Float>, placeStride: Int,
    lanes: Int)
}

extension WinogradWeightMaps {
  static func transform(
    _ weight: UnsafePointer<Float>, placeStride: Int, into output: UnsafeMutablePointer<Float>, pointStride: Int
  ) {
    transformTile(
      Weight.self, Columns<3>.self, weight, rowStride: 3 &* placeStride, columnStride: placeStride, into: output,
      outputStride: pointStride)
  }

  static func transformTransposed(
    _ weight: UnsafePointer<Float>, placeStride: Int, into output: UnsafeMutablePointer<Float>, pointStride: Int
  ) {
    transformTile(
      Transposed.self, Columns<3>.self, weight, rowStride: 3 &* placeStride, columnStride: placeStride, into: output,
      outputStride: pointStride)
  }

  static func addGradient(
    _ source: UnsafePointer<Float>, pointStride: Int, to weightGradient: UnsafeMutablePointer<Float>, placeStride: Int,
    lanes: Int
  ) {
    transformTile(Gradient.self, Columns<6>.self, source, rowStride: 6 &* pointStride, columnStride: pointStride) {
      row, column, value in
      let place = weightGradient + (3 &* row &+ column) &* placeStride
      store(load(place, lanes: lanes) + value, place, lanes: lanes)
    }
  }
}
