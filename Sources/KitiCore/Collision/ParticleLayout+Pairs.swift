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
  /// |x_i − x_j|² and |v_i − v_j|².
  ///
  /// Squares of speeds below 1e-30 have lost digits, and a collision would not keep the energy: they count as 0, and
  /// such a pair stands still.
  @inline(__always)
  func squares(
    _ i: Int, _ j: Int, _ position: UnsafePointer<Float>, _ velocity: UnsafePointer<Float>
  ) -> (position: Float, velocity: Float) {
    let (first, second) = (i &* particleStride, j &* particleStride)
    var r = Vector(repeating: 0)
    var s = r
    var evenR = r
    var evenS = r
    var rTail: Float = 0
    var sTail: Float = 0
    for piece in 0..<pieces {
      let offset = piece &* pieceStride
      let (xi, xj) = (position + (first &+ offset), position + (second &+ offset))
      let (vi, vj) = (velocity + (first &+ offset), velocity + (second &+ offset))
      var c = 0
      // Two sums of each: one would wait for its own last addition.
      while c &+ 2 &* width <= pieceLength {
        let dx = load(xi + c) - load(xj + c)
        let dv = load(vi + c) - load(vj + c)
        let dx2 = load(xi + c + width) - load(xj + c + width)
        let dv2 = load(vi + c + width) - load(vj + c + width)
        evenR.addProduct(dx, dx)
        evenS.addProduct(dv, dv)
        r.addProduct(dx2, dx2)
        s.addProduct(dv2, dv2)
        c &+= 2 &* width
      }
      while c &+ width <= pieceLength {
        let dx = load(xi + c) - load(xj + c)
        let dv = load(vi + c) - load(vj + c)
        r.addProduct(dx, dx)
        s.addProduct(dv, dv)
        c &+= width
      }
      while c < pieceLength {
        rTail.addProduct(xi[c] - xj[c], xi[c] - xj[c])
        sTail.addProduct(vi[c] - vj[c], vi[c] - vj[c])
        c &+= 1
      }
    }
    let speed = laneSum(s + evenS) + sTail
    return (laneSum(r + evenR) + rTail, speed < 1e-30 ? 0 : speed)
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

  /// Adds particles that lie as `gather` leaves them to those of a sample.
  func add(_ particles: UnsafePointer<Float>, rowStride: Int, to values: UnsafeMutablePointer<Float>) {
    for particle in 0..<count {
      for piece in 0..<pieces {
        let source = particles + (particle &* rowStride &+ piece &* pieceLength)
        let target = values + (particle &* particleStride &+ piece &* pieceStride)
        var c = 0
        while c &+ width <= pieceLength {
          store(load(target + c) + load(source + c), target + c)
          c &+= width
        }
        while c < pieceLength {
          target[c] += source[c]
          c &+= 1
        }
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
    let difference = normal + dimensions
    let first = gradient + Int(record.first) &* particleStride
    let second = gradient + Int(record.second) &* particleStride
    var lanes = Vector(repeating: 0)
    var along: Float = 0
    for piece in 0..<pieces {
      let (gi, gj) = (first + piece &* pieceStride, second + piece &* pieceStride)
      let g = normal + piece &* pieceLength
      var c = 0
      while c &+ width <= pieceLength {
        lanes.addProduct(load(gi + c) - load(gj + c), load(g + c))
        c &+= width
      }
      while c < pieceLength {
        along.addProduct(gi[c] - gj[c], g[c])
        c &+= 1
      }
    }
    along += laneSum(lanes)
    let factor = record.speed > 0 ? 0.5 * (along / record.normalLength) / record.speed : 0
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
}

/// |a − b|².
@inline(__always)
func squaredDistance(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int) -> Float {
  var lanes = Vector(repeating: 0)
  var c = 0
  while c &+ width <= count {
    let difference = load(a + c) - load(b + c)
    lanes.addProduct(difference, difference)
    c &+= width
  }
  var sum = laneSum(lanes)
  while c < count {
    sum.addProduct(a[c] - b[c], a[c] - b[c])
    c &+= 1
  }
  return sum
}
