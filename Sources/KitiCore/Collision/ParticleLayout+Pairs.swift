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
    guard let scale = field.normalization?.scale else {
      return squaredDistance(i, j, field.values) { difference, _ in difference } scalar: { difference, _ in difference }
    }
    return squaredDistance(i, j, field.values) { difference, channel in
      difference * load(scale + channel)
    } scalar: { difference, channel in
      difference * scale[channel]
    }
  }

  @inline(__always)
  private func squaredDistance(
    _ i: Int, _ j: Int, _ values: UnsafePointer<Float>, vector: (_ difference: Vector, _ channel: Int) -> Vector,
    scalar: (_ difference: Float, _ channel: Int) -> Float
  ) -> Float {
    // Two sums: one would wait for its own last addition.
    var (even, odd) = (Vector(repeating: 0), Vector(repeating: 0))
    var tail: Float = 0
    var (first, second) = (values + i &* particleStride, values + j &* particleStride)
    for _ in 0..<pieces {
      var c = 0
      while c &+ 2 &* width <= pieceLength {
        let difference = vector(load(first + c) - load(second + c), c)
        let next = vector(load(first + c + width) - load(second + c + width), c &+ width)
        even.addProduct(difference, difference)
        odd.addProduct(next, next)
        c &+= 2 &* width
      }
      if c &+ width <= pieceLength {
        let difference = vector(load(first + c) - load(second + c), c)
        even.addProduct(difference, difference)
        c &+= width
      }
      while c < pieceLength {
        let difference = scalar(first[c] - second[c], c)
        tail.addProduct(difference, difference)
        c &+= 1
      }
      first += pieceStride
      second += pieceStride
    }
    return laneSum(even + odd) + tail
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
