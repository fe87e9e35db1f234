/// An accepted pair, as the backward pass needs it.
struct PairRecord {
  var first: Int32
  var second: Int32
  /// Relative speed before the collision, |v_i − v_j|.
  var speed: Float
  /// Length of the random normal vector.
  var normalLength: Float
}

// Kernels over the coordinates of two particles, which are runs of the features of a sample.
extension ParticleLayout {
  /// |a_i − a_j|² of two particles of a field.
  @inline(__always)
  func squaredDistance(_ i: Int, _ j: Int, _ field: NormalizedValues) -> Float {
    squaredDistances((i, j), (i, j), field).0
  }

  /// |a_i − a_j|² of two pairs of particles of a field.
  ///
  /// A sum waits for its own last addition, and a processor does not look far enough ahead to begin with the next pair
  /// meanwhile: two at a time take little longer than one.
  @inline(__always)
  func squaredDistances(
    _ one: (Int, Int), _ other: (Int, Int), _ field: NormalizedValues
  ) -> (Float, Float) {
    guard let scale = field.normalization?.scale else {
      return squaredDistances(one, other, field.values) { difference, _ in difference } scalar: { difference, _ in
        difference
      }
    }
    return squaredDistances(one, other, field.values) { difference, channel in
      difference * load(scale + channel)
    } scalar: { difference, channel in
      difference * scale[channel]
    }
  }

  @inline(__always)
  private func squaredDistances(
    _ one: (Int, Int), _ other: (Int, Int), _ values: UnsafePointer<Float>,
    vector: (_ difference: Vector, _ channel: Int) -> Vector, scalar: (_ difference: Float, _ channel: Int) -> Float
  ) -> (Float, Float) {
    var sums = (PairSum(values, one, particleStride), PairSum(values, other, particleStride))
    for _ in 0..<pieces {
      var c = 0
      while c &+ 2 &* width <= pieceLength {
        let even = (vector(sums.0.difference(c), c), vector(sums.1.difference(c), c))
        sums.0.even.addProduct(even.0, even.0)
        sums.1.even.addProduct(even.1, even.1)
        c &+= width
        let odd = (vector(sums.0.difference(c), c), vector(sums.1.difference(c), c))
        sums.0.odd.addProduct(odd.0, odd.0)
        sums.1.odd.addProduct(odd.1, odd.1)
        c &+= width
      }
      if c &+ width <= pieceLength {
        let even = (vector(sums.0.difference(c), c), vector(sums.1.difference(c), c))
        sums.0.even.addProduct(even.0, even.0)
        sums.1.even.addProduct(even.1, even.1)
        c &+= width
      }
      while c < pieceLength {
        let last = (
          scalar(sums.0.first[c] - sums.0.second[c], c), scalar(sums.1.first[c] - sums.1.second[c], c)
        )
        sums.0.tail.addProduct(last.0, last.0)
        sums.1.tail.addProduct(last.1, last.1)
        c &+= 1
      }
      sums.0.advance(by: pieceStride)
      sums.1.advance(by: pieceStride)
    }
    return (sums.0.total, sums.1.total)
  }

  /// The squares of the differences of two particles so far.
  private struct PairSum {
    var first: UnsafePointer<Float>
    var second: UnsafePointer<Float>
    // Two sums, for the same reason as two pairs.
    var even = Vector(repeating: 0)
    var odd = Vector(repeating: 0)
    var tail: Float = 0

    @inline(__always)
    init(_ values: UnsafePointer<Float>, _ pair: (Int, Int), _ stride: Int) {
      first = values + pair.0 &* stride
      second = values + pair.1 &* stride
    }

    var total: Float {
      @inline(__always) get { laneSum(even + odd) + tail }
    }

    @inline(__always)
    func difference(_ c: Int) -> Vector { load(first + c) - load(second + c) }

    @inline(__always)
    mutating func advance(by stride: Int) {
      first += stride
      second += stride
    }
  }

  /// The particles of a sample one after the other, `[n, d]` with rows `rowStride` apart.
  func gather(_ values: UnsafePointer<Float>, into particles: UnsafeMutablePointer<Float>, rowStride: Int) {
    for particle in 0..<count {
      for piece in 0..<pieces {
        (particles + (particle &* rowStride &+ piece &* pieceLength)).update(
          from: values + (particle &* particleStride &+ piece &* pieceStride), count: pieceLength)
      }
    }
  }

  /// Puts particles that lie as `gather` leaves them back to where those of a sample lie.
  func spread(_ particles: UnsafePointer<Float>, rowStride: Int, into values: UnsafeMutablePointer<Float>) {
    for particle in 0..<count {
      for piece in 0..<pieces {
        (values + (particle &* particleStride &+ piece &* pieceStride)).update(
          from: particles + (particle &* rowStride &+ piece &* pieceLength), count: pieceLength)
      }
    }
  }

  /// Both particles take the mean of the two: what `midpoint` does to positions and, transposed, to their gradients.
  func meet(_ i: Int, _ j: Int, _ values: UnsafeMutablePointer<Float>) {
    for piece in 0..<pieces {
      let first = values + (i &* particleStride &+ piece &* pieceStride)
      let second = values + (j &* particleStride &+ piece &* pieceStride)
      var c = 0
      while c &+ width <= pieceLength {
        let mean = (load(first + c) * 0.5).addingProduct(load(second + c), Vector(repeating: 0.5))
        store(mean, first + c)
        store(mean, second + c)
        c &+= width
      }
      while c < pieceLength {
        let mean = (first[c] * 0.5).addingProduct(second[c], 0.5)
        first[c] = mean
        second[c] = mean
        c &+= 1
      }
    }
  }

  /// v_i', v_j' = c ± (s/2)·e. `normal` is the record's vector along e, followed by a run that receives w = v_i − v_j.
  func scatter(_ record: PairRecord, _ normal: UnsafeMutablePointer<Float>, _ velocity: UnsafeMutablePointer<Float>) {
    let difference = normal + dimensions
    let reach = 0.5 * record.speed / record.normalLength
    for piece in 0..<pieces {
      let offset = piece &* pieceStride
      let vi = velocity + (Int(record.first) &* particleStride &+ offset)
      let vj = velocity + (Int(record.second) &* particleStride &+ offset)
      let g = normal + piece &* pieceLength
      let w = difference + piece &* pieceLength
      var c = 0
      while c &+ width <= pieceLength {
        let (a, b, direction) = (load(vi + c), load(vj + c), load(g + c))
        let centre = (a * 0.5).addingProduct(b, Vector(repeating: 0.5))  // a + b may overflow
        store(a - b, w + c)
        store(centre.addingProduct(direction, Vector(repeating: reach)), vi + c)
        store(centre.addingProduct(direction, Vector(repeating: -reach)), vj + c)
        c &+= width
      }
      while c < pieceLength {
        let (a, b) = (vi[c], vj[c])
        let centre = (a * 0.5).addingProduct(b, 0.5)
        w[c] = a - b
        vi[c] = centre.addingProduct(g[c], reach)
        vj[c] = centre.addingProduct(g[c], -reach)
        c &+= 1
      }
    }
  }

  /// dv_i, dv_j = (G_i + G_j)/2 ± ½ ((G_i − G_j)·e) w/s; the second term is 0 where s = 0.
  func scatterBackward(
    _ record: PairRecord, _ normal: UnsafePointer<Float>, _ gradient: UnsafeMutablePointer<Float>
  ) {
    let factor = turn(record, normal, gradient)
    let difference = normal + dimensions
    let first = gradient + Int(record.first) &* particleStride
    let second = gradient + Int(record.second) &* particleStride
    for piece in 0..<pieces {
      let (gi, gj) = (first + piece &* pieceStride, second + piece &* pieceStride)
      let w = difference + piece &* pieceLength
      var c = 0
      while c &+ width <= pieceLength {
        let mean = (load(gi + c) + load(gj + c)) * 0.5
        let relative = load(w + c)
        store(mean.addingProduct(relative, Vector(repeating: factor)), gi + c)
        store(mean.addingProduct(relative, Vector(repeating: -factor)), gj + c)
        c &+= width
      }
      while c < pieceLength {
        let mean = (gi[c] + gj[c]) * 0.5
        gi[c] = mean.addingProduct(w[c], factor)
        gj[c] = mean.addingProduct(w[c], -factor)
        c &+= 1
      }
    }
  }

  /// ½ ((G_i − G_j)·e)/s: what the gradient counts along w = v_i − v_j; 0 where s = 0.
  func turn(
    _ record: PairRecord, _ normal: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>
  ) -> Float {
    guard record.speed > 0 else { return 0 }
    var (even, odd) = (Vector(repeating: 0), Vector(repeating: 0))
    var along: Float = 0
    var g = normal
    var gi = gradient + Int(record.first) &* particleStride
    var gj = gradient + Int(record.second) &* particleStride
    for _ in 0..<pieces {
      var c = 0
      while c &+ 2 &* width <= pieceLength {
        even.addProduct(load(gi + c) - load(gj + c), load(g + c))
        odd.addProduct(load(gi + c + width) - load(gj + c + width), load(g + c + width))
        c &+= 2 &* width
      }
      if c &+ width <= pieceLength {
        even.addProduct(load(gi + c) - load(gj + c), load(g + c))
        c &+= width
      }
      while c < pieceLength {
        along.addProduct(gi[c] - gj[c], g[c])
        c &+= 1
      }
      g += pieceLength
      gi += pieceStride
      gj += pieceStride
    }
    along += laneSum(even + odd)
    return 0.5 * (along / record.normalLength) / record.speed
  }
}
