/// What the blocks of a model share: the kernels of their convolutions, and room for positions and velocities of one sample,
/// which are made, collide and are used up while they are in the cache.
final class BlockWorkspace {
  let kernels: ConvolutionKernels
  let position: AlignedBuffer<Float>
  let velocity: AlignedBuffer<Float>

  /// - Parameter size: of a sample, floats.
  init(size: Int, kernels: ConvolutionKernels) {
    self.kernels = kernels
    position = AlignedBuffer(count: size)
    velocity = AlignedBuffer(count: size)
  }

  var workspaceBytes: Int { kernels.workspaceBytes + position.byteCount + velocity.byteCount }
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
