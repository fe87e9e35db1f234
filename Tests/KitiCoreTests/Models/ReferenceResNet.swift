import KitiCore

/// A residual network in training, in double precision, with the collisions that the model has drawn.
struct ReferenceResNet {
  let shape: ResNet.Shape
  let options: CollisionOptions
  /// Of each stage; 0 for none.
  let divide: [Int]
  let paths: [String]
  let shapes: [[Int]]

  init(_ model: ResNet, options: CollisionOptions, divide: [Int]) {
    shape = model.shape
    self.options = options
    self.divide = divide
    paths = model.parameters.map(\.path)
    shapes = model.parameters.map(\.shape)
  }

  /// Logarithms of class probabilities of every sample.
  ///
  /// - Parameters:
  ///   - parameters: in forward order.
  ///   - collisions: of each block and sample; none for blocks without.
  func output(_ images: [[Double]], _ parameters: [[Double]], collisions: [String: [[Collision]]]) throws -> [Double] {
    func parameter(_ path: String) -> (values: [Double], shape: [Int])? {
      paths.firstIndex(of: path).map { (parameters[$0], shapes[$0]) }
    }
    func normalized(
      _ x: [[Double]], _ shape: [Int], _ convolution: String, _ norm: String, stride: Int
    ) -> (values: [[Double]], shape: [Int]) {
      let weight = parameter("\(convolution)/weight")!
      let outputs = x.map {
        Reference.convolution(
          $0, shape: shape, weight: weight.values, kernel: weight.shape[0], outputs: weight.shape[3], stride: stride)
      }
      let scaled = Reference.batchNorm(
        outputs.map(\.values), scale: parameter("\(norm)/scale")!.values, shift: parameter("\(norm)/shift")!.values)
      return (scaled, outputs[0].shape)
    }
    func rectified(_ x: [[Double]]) -> [[Double]] { x.map { Reference.activation(.relu, $0) } }

    var (x, size) = normalized(images, shape.inputShape, "stem/convolution", "stem/norm", stride: 1)
    x = rectified(x)
    for (stage, count) in shape.blocks.enumerated() {
      var carried: [[Double]]?
      for index in 0..<count {
        let path = "stages/\(stage)/\(index)"
        let stride = stage > 0 && index == 0 ? 2 : 1
        let last = shape.hasBottlenecks ? 3 : 2
        var branch = (values: x, shape: size)
        for number in 1...last {
          let isStrided = number == last - 1
          branch = normalized(
            branch.values, branch.shape, "\(path)/convolution\(number)", "\(path)/norm\(number)",
            stride: isStrided ? stride : 1)
          if number < last { branch.values = rectified(branch.values) }
        }
        var positions = x
        if parameter("\(path)/shortcut/convolution/weight") != nil {
          positions =
            normalized(x, size, "\(path)/shortcut/convolution", "\(path)/shortcut/norm", stride: stride).values
        } else if branch.shape != size {
          positions = x.map { Reference.padded($0, shape: size, stride: stride, outputs: branch.shape[2]) }
        }
        var velocities = branch.values
        if options.carry {
          carried = zip(carried ?? velocities.map { $0.map { _ in 0 } }, velocities).map { before, a in
            zip(before, a).map { $0 + options.timeStep * $1 }
          }
          velocities = carried!
        }
        if let pairs = collisions[path] {
          let particles = try Particles(
            places: branch.shape[0] * branch.shape[1], channels: branch.shape[2], divide: divide[stage])
          for sample in x.indices {
            let weights = Reference.weights(pairs[sample], particles.count, options.weights)
            velocities[sample] = Reference.exchanged(velocities[sample], particles, pairs[sample], weights)
            if options.midpoint {
              positions[sample] = Reference.exchanged(
                positions[sample], particles, pairs[sample], weights, turns: false)
            }
          }
        }
        if options.carry { carried = velocities }
        x = zip(positions, velocities).map { p, v in
          Reference.activation(.relu, zip(p, v).map { $0 + options.timeStep * $1 })
        }
        size = branch.shape
      }
    }
    let places = Double(size[0] * size[1])
    return x.flatMap { values in
      let means = (0..<size[2]).map { channel in
        Swift.stride(from: channel, to: values.count, by: size[2]).reduce(0) { $0 + values[$1] } / places
      }
      return Reference.linear(
        means, inputs: size[2], outputs: shape.classes, weight: parameter("head/weight")!.values,
        bias: parameter("head/bias")!.values)
    }
  }
}
