import KitiCore

/// A network of whitening, pooling and residual blocks in training, in double precision, with the collisions that the
/// model has drawn.
struct ReferenceWhitenedResNet {
  let shape: WhitenedResNet.Shape
  let options: CollisionOptions
  /// Of each stage; 0 for none.
  let divide: [Int]
  let paths: [String]
  let shapes: [[Int]]
  /// The fixed filters.
  let filters: [Double]

  init(_ rig: WhitenedResNetRig, options: CollisionOptions, divide: [Int]) {
    shape = rig.model.shape
    self.options = options
    self.divide = divide
    paths = rig.model.parameters.map(\.path)
    shapes = rig.model.parameters.map(\.shape)
    filters = rig.values(rig.model.statistics[0]).doubles
  }

  /// Outputs of every sample.
  ///
  /// - Parameters:
  ///   - parameters: in forward order.
  ///   - collisions: of each block and sample; none for blocks without.
  func output(_ images: [[Double]], _ parameters: [[Double]], collisions: [String: [[Collision]]]) throws -> [Double] {
    func parameter(_ path: String) -> [Double] { parameters[paths.firstIndex(of: path)!] }
    func convolution(_ x: [[Double]], _ size: [Int], _ path: String) -> [[Double]] {
      let outputs = shapes[paths.firstIndex(of: "\(path)/weight")!][3]
      return x.map {
        Reference.convolution(
          $0, shape: size, weight: parameter("\(path)/weight"), kernel: 3, outputs: outputs, stride: 1
        ).values
      }
    }
    func norm(_ x: [[Double]], _ path: String) -> [[Double]] {
      let shift = parameter("\(path)/shift")
      return Reference.batchNorm(x, scale: shift.map { _ in 1 }, shift: shift)
    }
    func rectified(_ x: [[Double]]) -> [[Double]] { x.map { Reference.activation(.relu, $0) } }

    let whitened = images.map {
      Reference.validConvolution(
        $0, shape: shape.inputShape, weight: filters, bias: parameter("whitening/bias"), kernel: 2)
    }
    var (x, size) = (rectified(whitened.map(\.values)), whitened[0].shape)
    for (stage, width) in shape.widths.enumerated() {
      let path = "stages/\(stage)"
      let convolved = convolution(x, size, "\(path)/convolution")
      let pooled = convolved.map {
        Reference.maximum($0, shape: [size[0], size[1], width], kernel: 2, stride: 2)
      }
      size = [size[0] / 2, size[1] / 2, width]
      x = rectified(norm(pooled, "\(path)/norm"))
      let middle = rectified(norm(convolution(x, size, "\(path)/block/convolution1"), "\(path)/block/norm1"))
      var velocities = norm(convolution(middle, size, "\(path)/block/convolution2"), "\(path)/block/norm2")
      if options.carry { velocities = velocities.map { $0.map { options.timeStep * $0 } } }
      var positions = x
      if let pairs = collisions["\(path)/block"] {
        let particles = try Particles(places: size[0] * size[1], channels: width, divide: divide[stage])
        for sample in x.indices {
          let weights = Reference.weights(pairs[sample], particles.count, options.weights)
          velocities[sample] = Reference.exchanged(velocities[sample], particles, pairs[sample], weights)
          guard options.midpoint else { continue }
          positions[sample] = Reference.exchanged(positions[sample], particles, pairs[sample], weights, turns: false)
        }
      }
      x = zip(positions, velocities).map { p, v in
        Reference.activation(.relu, zip(p, v).map { $0 + options.timeStep * $1 })
      }
    }
    return x.flatMap { values in
      let largest = (0..<size[2]).map { channel in
        stride(from: channel, to: values.count, by: size[2]).map { values[$0] }.max()!
      }
      return Reference.linear(
        largest, inputs: size[2], outputs: shape.classes, weight: parameter("head/weight"), bias: parameter("head/bias")
      ).map { shape.outputScale * $0 }
    }
  }
}
