/// The lift and the first Fourier block of a network as one.
///
/// The lift is linear, and so are both branches of the block: with u = (field, grid coordinate, 1) at each place and L
/// the lift's weight and bias, `[3, width]`, the block's input is u·L. So its positions are u·(L·W), its spectrum is
/// û·L, and the gradients are products with u and û. The block's input and its gradient are never made, which saves six
/// of the products over all places and `width` channels that a block takes.
final class LiftedFourierBlock {
  let lift: Linear
  let block: FourierBlock

  /// Channels of u: field, coordinate, one.
  private static let channels = 3
  /// They are stored as one vector, so that the transform runs at full width.
  private static let stride = 16

  private let points: Int
  private let width: Int
  private let modes: Int
  private let transform: TruncatedFourier
  /// u of each sample, `[capacity, points, stride]`.
  private let fields: AlignedBuffer<Float>
  /// û of each sample, `[capacity, modes, 2, stride]`.
  private let spectra: AlignedBuffer<Float>
  /// L, then L·W, both `[3, width]`.
  private let lifted: AlignedBuffer<Float>
  private let liftedWeight: AlignedBuffer<Float>
  /// uᵀ·g of one sample, and the gradient of L.
  private let moments: AlignedBuffer<Float>
  private let liftGradient: AlignedBuffer<Float>

  init(lift: Linear, block: FourierBlock, points: Int, width: Int, modes: Int, capacity: Int) {
    self.lift = lift
    self.block = block
    self.points = points
    self.width = width
    self.modes = modes
    let stride = Self.stride
    transform = TruncatedFourier(points: points, modes: modes, channels: stride)
    fields = AlignedBuffer(count: capacity * points * stride)
    spectra = AlignedBuffer(count: capacity * modes * 2 * stride)
    lifted = AlignedBuffer(count: Self.channels * width)
    liftedWeight = AlignedBuffer(count: Self.channels * width)
    moments = AlignedBuffer(count: Self.channels * width)
    liftGradient = AlignedBuffer(count: Self.channels * width)
    for row in 0..<capacity * points {
      fields.pointer[row * stride + 1] = Float(row % points) / Float(points)
      fields.pointer[row * stride + 2] = 1
    }
  }

  var parameters: [Parameter] { lift.parameters + block.parameters }
  var workspaceBytes: Int { fields.byteCount + spectra.byteCount + block.workspaceBytes }

  /// Forward step 0, once for the batch: the products of the parameters.
  func prepare() {
    lifted.pointer.update(from: lift.weight.values, count: 2 * width)
    (lifted.pointer + 2 * width).update(from: lift.bias.values, count: width)
    multiply(
      Self.channels, width, width, Matrix(lifted.pointer, rowStride: width),
      Matrix(block.pointwise.weight.values, rowStride: width), into: liftedWeight.pointer, rowStride: width)
  }

  /// Forward step 1: the spectrum of one sample `[points]` of the network's input.
  func begin(_ sample: Int, _ input: UnsafePointer<Float>) {
    let u = field(sample)
    for place in 0..<points { u[place &* Self.stride] = input[place] }
    let spectrum = spectrum(sample)
    transform.analyze(u, into: spectrum, modeStride: 2 * Self.stride, weighted: false)
    for mode in 0..<modes {
      multiply(
        2, width, Self.channels, Matrix(spectrum + mode * 2 * Self.stride, rowStride: Self.stride),
        Matrix(lifted.pointer, rowStride: width), into: block.spectral.inputRow(mode, sample), rowStride: width)
    }
  }

  /// Forward step 2.
  func mix(batch: Int) { block.mix(batch: batch) }

  /// Forward step 3: one sample of the block's output `[points, width]`.
  func finish(_ sample: Int, into output: UnsafeMutablePointer<Float>, pass: Pass) {
    multiply(
      points, width, Self.channels, Matrix(field(sample), rowStride: Self.stride),
      Matrix(liftedWeight.pointer, rowStride: width), into: block.position.pointer, rowStride: width,
      start: .bias(block.pointwise.bias.values))
    block.move(sample, into: output, pass: pass)
  }

  /// Backward step 0, once for the batch.
  func prepareBackward() {
    block.prepareBackward()
    liftGradient.pointer.update(repeating: 0, count: liftGradient.count)
  }

  /// Backward step 1: the pointwise branch, x = u·L: dW = Lᵀ·(uᵀ·g) and dL = (uᵀ·g)·Wᵀ.
  func beginBackward(_ sample: Int, gradient: UnsafePointer<Float>, pass: Pass) {
    let g = block.positionGradient(sample, of: gradient, pass: pass)
    multiply(
      Self.channels, width, points, Matrix(field(sample), rowStride: Self.stride).transposed,
      Matrix(g, rowStride: width), into: moments.pointer, rowStride: width)
    multiply(
      width, width, Self.channels, Matrix(lifted.pointer, rowStride: width).transposed,
      Matrix(moments.pointer, rowStride: width), into: block.pointwise.weight.gradients, rowStride: width,
      start: .accumulate)
    // The third channel of u is one: its row of the moments is the sum over places.
    addColumnSums(moments.pointer + 2 * width, rows: 1, columns: width, to: block.pointwise.bias.gradients)
    block.pointwise.weight.takeSample()
    block.pointwise.bias.takeSample()
    multiply(
      Self.channels, width, width, Matrix(moments.pointer, rowStride: width), block.pointwise.transposed,
      into: liftGradient.pointer, rowStride: width, start: .accumulate)
    takeSample()
    block.moveBackward(sample, pass: pass)
  }

  /// Backward step 2.
  func mixBackward(batch: Int) { block.mixBackward(batch: batch) }

  /// Backward step 3: the spectral branch, dL += Re(ûᴴ·dX).
  func finishBackward(_ sample: Int) {
    for mode in 0..<modes {
      multiply(
        Self.channels, width, 2, Matrix(spectrum(sample) + mode * 2 * Self.stride, rowStride: Self.stride).transposed,
        Matrix(block.spectral.inputRow(mode, sample), rowStride: width), into: liftGradient.pointer, rowStride: width,
        start: .accumulate)
    }
    takeSample()
  }

  /// Backward step 4, once for the batch: the gradients of the lift's parameters.
  func endBackward() {
    addColumnSums(liftGradient.pointer, rows: 1, columns: 2 * width, to: lift.weight.gradients)
    addColumnSums(liftGradient.pointer + 2 * width, rows: 1, columns: width, to: lift.bias.gradients)
  }

  /// Where sums over samples are kept apart, the part of one sample goes there at once.
  private func takeSample() {
    guard lift.weight.sampleSums != nil else { return }
    endBackward()
    lift.weight.takeSample()
    lift.bias.takeSample()
    liftGradient.pointer.update(repeating: 0, count: liftGradient.count)
  }

  private func field(_ sample: Int) -> UnsafeMutablePointer<Float> {
    fields.pointer + sample * points * Self.stride
  }

  private func spectrum(_ sample: Int) -> UnsafeMutablePointer<Float> {
    spectra.pointer + sample * modes * 2 * Self.stride
  }
}
