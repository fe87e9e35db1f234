/// Room for positions and velocities of one sample: they are made, collide and are used up while they are in the cache.
final class BlockWorkspace {
  let position: AlignedBuffer<Float>
  let velocity: AlignedBuffer<Float>

  init(size: Int) {
    position = AlignedBuffer(count: size)
    velocity = AlignedBuffer(count: size)
  }

  var workspaceBytes: Int { position.byteCount + velocity.byteCount }
}

/// Three arrays that gradients of a batch's activations take turns in.
struct GradientBuffers {
  private(set) var current: UnsafeMutablePointer<Float>
  private(set) var first: UnsafeMutablePointer<Float>
  private(set) var second: UnsafeMutablePointer<Float>

  init(_ buffers: [AlignedBuffer<Float>]) {
    (current, first, second) = (buffers[0].pointer, buffers[1].pointer, buffers[2].pointer)
  }

  /// The second becomes the current one, and the other way round.
  mutating func takeSecond() { swap(&current, &second) }
}
