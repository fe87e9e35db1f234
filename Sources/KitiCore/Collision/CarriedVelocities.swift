/// Velocities that particles keep from block to block of one stage, v = v_previous + a·dt; going backward, their gradients.
///
/// The first block of a stage starts from rest. Going forward the buffer holds v' of the block that came last, going backward
/// the gradient with respect to it, so that one buffer of the stage's activations is enough.
final class CarriedVelocities {
  /// Where a block stands in its stage.
  struct Place {
    var isFirst: Bool
    var isLast: Bool
  }

  private let size: Int
  private let values: AlignedBuffer<Float>

  /// - Parameters:
  ///   - size: features of a sample.
  ///   - capacity: the largest batch.
  init(size: Int, capacity: Int) {
    self.size = size
    values = AlignedBuffer(count: capacity * size)
  }

  var workspaceBytes: Int { values.byteCount }

  /// v = v_previous + a·dt of one sample, where it is to collide.
  func accelerate(
    _ sample: Int, by acceleration: UnsafePointer<Float>, timeStep: Float, _ place: Place
  ) -> UnsafeMutablePointer<Float> {
    let v = values.pointer + sample * size
    if place.isFirst { v.update(repeating: 0, count: size) }
    add(v, acceleration, scale: timeStep, count: size, into: v)
    return v
  }

  /// The gradient with respect to v': what the next block has left, and what the move of this block adds.
  func gradient(
    _ sample: Int, adding moveGradient: UnsafePointer<Float>, _ place: Place
  ) -> UnsafeMutablePointer<Float> {
    let g = values.pointer + sample * size
    if place.isLast {
      g.update(from: moveGradient, count: size)
    } else {
      add(g, moveGradient, scale: 1, count: size, into: g)
    }
    return g
  }

  /// The gradient with respect to a from that with respect to v.
  func accelerationGradient(_ sample: Int, timeStep: Float, into output: UnsafeMutablePointer<Float>) {
    output.update(from: values.pointer + sample * size, count: size)
    if timeStep != 1 { rescale(output, by: timeStep, count: size) }
  }
}
