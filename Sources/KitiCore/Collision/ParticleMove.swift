/// Positions or velocities of the particles of a sample.
extension NormalizedValues {
  /// Some numbers from feature `offset` on, which belong to the channels from `channel` on.
  @inline(__always)
  func vector(at offset: Int, _ channel: Int, _ lanes: Int) -> Vector {
    let value = load(values + offset, lanes: lanes)
    guard let (scale, shift) = normalization else { return value }
    return load(shift + channel, lanes: lanes).addingProduct(value, load(scale + channel, lanes: lanes))
  }

  /// The difference of the numbers at two places; the shift does not enter.
  @inline(__always)
  func difference(_ first: Int, _ second: Int, _ channel: Int, _ lanes: Int) -> Vector {
    let value = load(values + first, lanes: lanes) - load(values + second, lanes: lanes)
    guard let scale = normalization?.scale else { return value }
    return value * load(scale + channel, lanes: lanes)
  }
}

/// The move of a rectified residual block, y = max(0, x + v·dt), with x and v where they lie.
package struct ParticleMove {
  package var position: NormalizedValues
  package var velocity: NormalizedValues
  package var timeStep: Float
  /// y of all particles of the sample, made without collisions.
  package var output: UnsafeMutablePointer<Float>

  package init(
    position: NormalizedValues, velocity: NormalizedValues, timeStep: Float, output: UnsafeMutablePointer<Float>
  ) {
    self.position = position
    self.velocity = velocity
    self.timeStep = timeStep
    self.output = output
  }
}

// Collisions of a few pairs in the midst of arrays that stay as they are.
extension ParticleLayout {
  /// y of an accepted pair, from v' = c ± (s/2)·e. Otherwise as `scatter(_:_:_:)`.
  func scatter(_ record: PairRecord, _ normal: UnsafeMutablePointer<Float>, _ move: ParticleMove, midpoint: Bool) {
    let difference = normal + dimensions
    let (first, second) = (Int(record.first) &* particleStride, Int(record.second) &* particleStride)
    let reach = Vector(repeating: 0.5 * record.speed / record.normalLength)
    let (half, time) = (Vector(repeating: 0.5), Vector(repeating: move.timeStep))
    let (x, v) = (move.position, move.velocity)
    forEachVector { offset, channel, coordinate, lanes in
      let (i, j) = (first &+ offset, second &+ offset)
      store(v.difference(i, j, channel, lanes), difference + coordinate, lanes: lanes)
      let centre = (v.vector(at: i, channel, lanes) * half).addingProduct(v.vector(at: j, channel, lanes), half)
      let direction = load(normal + coordinate, lanes: lanes)
      var (xi, xj) = (x.vector(at: i, channel, lanes), x.vector(at: j, channel, lanes))
      if midpoint {
        xi = (xi * half).addingProduct(xj, half)
        xj = xi
      }
      let yi = xi.addingProduct(time, centre.addingProduct(direction, reach))
      let yj = xj.addingProduct(time, centre.addingProduct(direction, -reach))
      store(yi.rectified, move.output + i, lanes: lanes)
      store(yj.rectified, move.output + j, lanes: lanes)
    }
  }

  /// As `scatterBackward(_:_:_:)`; G_i and G_j from before take the place of the record's vectors.
  ///
  /// - Parameters:
  ///   - factor: numbers of the sample, laid out as the gradient.
  ///   - products: `[pieceLength]`; what the sum of gradient · factor over all places changes is added.
  func scatterBackward(
    _ record: PairRecord, _ vectors: UnsafeMutablePointer<Float>, _ gradient: UnsafeMutablePointer<Float>,
    times factor: UnsafePointer<Float>, products: UnsafeMutablePointer<Double>
  ) {
    let turn = Vector(repeating: turn(record, vectors, gradient))
    let (first, second) = (Int(record.first) &* particleStride, Int(record.second) &* particleStride)
    let half = Vector(repeating: 0.5)
    @inline(__always)
    func sweep(_ channel: Int, _ lanes: Int) {
      var change = Vector(repeating: 0)
      for piece in 0..<pieces {
        let offset = piece &* pieceStride &+ channel
        let (gi, gj) = (gradient + (first &+ offset), gradient + (second &+ offset))
        let (zi, zj) = (factor + (first &+ offset), factor + (second &+ offset))
        let kept = vectors + (piece &* pieceLength &+ channel)
        let (a, b, w) = (load(gi, lanes: lanes), load(gj, lanes: lanes), load(kept + dimensions, lanes: lanes))
        let mean = (a + b) * half
        store(mean.addingProduct(w, turn), gi, lanes: lanes)
        store(mean.addingProduct(w, -turn), gj, lanes: lanes)
        store(a, kept, lanes: lanes)
        store(b, kept + dimensions, lanes: lanes)
        // The two particles change by opposite amounts.
        change.addProduct(((b - a) * half).addingProduct(w, turn), load(zi, lanes: lanes) - load(zj, lanes: lanes))
      }
      for lane in 0..<lanes { products[channel &+ lane] += Double(change[lane]) }
    }
    var channel = 0
    while channel &+ width <= pieceLength {
      sweep(channel, width)
      channel &+= width
    }
    if channel < pieceLength { sweep(channel, pieceLength &- channel) }
  }

  /// Puts the two vectors of a record back where its particles lie.
  func restore(_ record: PairRecord, _ vectors: UnsafePointer<Float>, to values: UnsafeMutablePointer<Float>) {
    let first = values + Int(record.first) &* particleStride
    let second = values + Int(record.second) &* particleStride
    forEachVector { offset, _, coordinate, lanes in
      store(load(vectors + coordinate, lanes: lanes), first + offset, lanes: lanes)
      store(load(vectors + (dimensions &+ coordinate), lanes: lanes), second + offset, lanes: lanes)
    }
  }

  /// Calls `body` for vectors over the coordinates of a particle: where they lie behind the particle's first feature, the
  /// channel and the coordinate of the first, and how many there are.
  @inline(__always)
  private func forEachVector(_ body: (_ offset: Int, _ channel: Int, _ coordinate: Int, _ lanes: Int) -> Void) {
    for piece in 0..<pieces {
      let (offset, coordinate) = (piece &* pieceStride, piece &* pieceLength)
      var c = 0
      while c &+ width <= pieceLength {
        body(offset &+ c, c, coordinate &+ c, width)
        c &+= width
      }
      if c < pieceLength { body(offset &+ c, c, coordinate &+ c, pieceLength &- c) }
    }
  }
}
