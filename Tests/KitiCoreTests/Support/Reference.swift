import Foundation
import KitiCore

/// Plain statements in double precision of what layers and collisions compute, one sample at a time.
enum Reference {
  /// x [places, in] · weight [in, out] + bias.
  static func linear(_ x: [Double], inputs: Int, outputs: Int, weight: [Double], bias: [Double]) -> [Double] {
    var y = [Double](repeating: 0, count: x.count / inputs * outputs)
    for place in 0..<x.count / inputs {
      for output in 0..<outputs {
        var sum = bias[output]
        for input in 0..<inputs { sum += x[place * inputs + input] * weight[input * outputs + output] }
        y[place * outputs + output] = sum
      }
    }
    return y
  }

  static func activation(_ kind: ActivationKind, _ x: [Double]) -> [Double] {
    switch kind {
    case .gelu: x.map { $0 * Statistics.normalDistribution($0) }
    case .relu: x.map { max($0, 0) }
    }
  }

  /// x [points, in], weight [modes, 2, in, out]: the modes of the transform times the weight, transformed back as the
  /// spectrum of a real signal.
  static func spectral(
    _ x: [Double], points: Int, inputs: Int, outputs: Int, modes: Int, weight: [Double]
  ) -> [Double] {
    let circle = (0..<points).map { index -> (cosine: Double, sine: Double) in
      let angle = 2 * Double.pi * Double(index) / Double(points)
      return (cos(angle), sin(angle))
    }
    var y = [Double](repeating: 0, count: points * outputs)
    for k in 0..<modes {
      var (real, imaginary) = ([Double](repeating: 0, count: inputs), [Double](repeating: 0, count: inputs))
      for s in 0..<points {
        let (c, sine) = circle[k * s % points]
        for i in 0..<inputs {
          real[i] += x[s * inputs + i] * c
          imaginary[i] -= x[s * inputs + i] * sine
        }
      }
      let factor = (k == 0 || 2 * k == points ? 1 : 2) / Double(points)
      for o in 0..<outputs {
        var (yReal, yImaginary) = (0.0, 0.0)
        for i in 0..<inputs {
          let w = weight[(2 * k * inputs + i) * outputs + o]
          let u = weight[((2 * k + 1) * inputs + i) * outputs + o]
          yReal += real[i] * w - imaginary[i] * u
          yImaginary += real[i] * u + imaginary[i] * w
        }
        for s in 0..<points {
          let (c, sine) = circle[k * s % points]
          y[s * outputs + o] += factor * (yReal * c - yImaginary * sine)
        }
      }
    }
    return y
  }

  /// Velocities after the given pairs were scattered along the given unit vectors.
  static func collided(_ v: [Double], _ particles: Particles, _ pairs: [Collision]) -> [Double] {
    var result = v
    for pair in pairs {
      let (vi, vj) = (particles.gather(v, pair.first), particles.gather(v, pair.second))
      let w = zip(vi, vj).map { $0 - $1 }
      let half = dot(w, w).squareRoot() / 2
      for coordinate in 0..<particles.dimensions {
        let centre = (vi[coordinate] + vj[coordinate]) / 2
        result[particles.feature(pair.first, coordinate)] = centre + half * pair.direction[coordinate]
        result[particles.feature(pair.second, coordinate)] = centre - half * pair.direction[coordinate]
      }
    }
    return result
  }

  /// The gradient with respect to v of a loss whose gradient with respect to the velocities after the collision is g.
  static func collidedBackward(
    _ g: [Double], velocity v: [Double], _ particles: Particles, _ pairs: [Collision]
  ) -> [Double] {
    var result = g
    for pair in pairs {
      let w = zip(particles.gather(v, pair.first), particles.gather(v, pair.second)).map { $0 - $1 }
      let (gi, gj) = (particles.gather(g, pair.first), particles.gather(g, pair.second))
      let s = dot(w, w).squareRoot()
      let along = dot(zip(gi, gj).map { $0 - $1 }, pair.direction) / 2
      for coordinate in 0..<particles.dimensions {
        let mean = (gi[coordinate] + gj[coordinate]) / 2
        let change = s > 0 ? along * w[coordinate] / s : 0
        result[particles.feature(pair.first, coordinate)] = mean + change
        result[particles.feature(pair.second, coordinate)] = mean - change
      }
    }
    return result
  }

  /// p = coefficient · (s / s_max) · exp(−r/ℓ) of the given pairs; nothing that stands still collides.
  static func probabilities(
    position x: [Double], velocity v: [Double], _ particles: Particles, pairs: [(first: Int, second: Int)],
    coefficient: Double, lengthScale: CollisionOptions.LengthScale
  ) -> [Double] {
    func distances(_ values: [Double]) -> [Double] {
      pairs.map { pair in
        let w = zip(particles.gather(values, pair.first), particles.gather(values, pair.second)).map { $0 - $1 }
        return dot(w, w).squareRoot()
      }
    }
    let (r, s) = (distances(x), distances(v))
    let length: Double =
      switch lengthScale {
      case .rms: (dot(r, r) / Double(r.count)).squareRoot()
      case .unit: 1
      case .value(let value): value
      }
    let fastest = s.max() ?? 0
    return zip(r, s).map { r, s in
      fastest > 0 ? coefficient * s / fastest * (r > 0 ? exp(-r / length) : 1) : 0
    }
  }

  /// Sum over samples of ‖p − t‖ / ‖t‖.
  static func relativeL2(_ prediction: [Double], _ target: [Double], size: Int) -> Double {
    stride(from: 0, to: prediction.count, by: size).reduce(0) { sum, start in
      let difference = (start..<start + size).map { prediction[$0] - target[$0] }
      let t = Array(target[start..<start + size])
      let norm = dot(t, t).squareRoot()
      return sum + dot(difference, difference).squareRoot() / (norm > 0 ? norm : 1)
    }
  }
}

/// An accepted pair and its direction.
struct Collision {
  var first: Int
  var second: Int
  var direction: [Double]
}

/// Which features of a sample make up a particle, by the words of the design: in a field [places, channels] particle j
/// owns places j, n + j, 2n + j, …; in a token each run of `width` features is one.
struct Particles {
  let count: Int
  let dimensions: Int
  let layout: ParticleLayout
  private let table: [[Int]]

  init(places: Int, channels: Int, divide: Int) throws {
    count = places / divide
    dimensions = divide * channels
    layout = try .divided(places: places, channels: channels, divide: divide, layer: "test")
    let n = count
    table = (0..<n).map { j in (0..<divide * channels).map { (($0 / channels) * n + j) * channels + $0 % channels } }
  }

  init(features: Int, width: Int) throws {
    count = features / width
    dimensions = width
    layout = try .token(features: features, width: width, layer: "test")
    table = (0..<features / width).map { j in (0..<width).map { j * width + $0 } }
  }

  var features: Int { count * dimensions }
  func feature(_ particle: Int, _ coordinate: Int) -> Int { table[particle][coordinate] }
  func gather(_ values: [Double], _ particle: Int) -> [Double] { table[particle].map { values[$0] } }

  var name: String { "\(count) particles of \(dimensions) in pieces of \(layout.pieceLength)" }
}

extension CollisionResidual {
  func pairs(sample: Int, pass: Pass = Pass(isTraining: true, seed: 1)) -> [Collision] {
    collisions(sample: sample, pass: pass).map {
      Collision(first: $0.first, second: $0.second, direction: $0.direction.map(Double.init))
    }
  }
}
