/// What a layer needs to know about the pass that it is part of.
public struct Pass {
  /// Collisions and dropout happen in training only.
  public var isTraining: Bool
  public var seed: UInt64
  /// Optimizer steps done before this one.
  public var step: UInt64
  public var rank: Int
  /// Position of the batch's first sample among this rank's samples of the step (above 0 when gradients accumulate).
  public var firstSample: Int
  /// Each sample's index in the data set, for random streams that belong to the sample.
  public var sampleIndices: UnsafePointer<Int>?
  /// Adds up a batch's statistics over all ranks; nil where each rank has its own. With it, every rank takes part in
  /// every pass, also one without samples.
  public var reducer: (any StatisticsReducer)?

  public init(
    isTraining: Bool, seed: UInt64 = 0, step: UInt64 = 0, rank: Int = 0, firstSample: Int = 0,
    sampleIndices: UnsafePointer<Int>? = nil, reducer: (any StatisticsReducer)? = nil
  ) {
    self.isTraining = isTraining
    self.seed = seed
    self.step = step
    self.rank = rank
    self.firstSample = firstSample
    self.sampleIndices = sampleIndices
    self.reducer = reducer
  }

  public static var evaluation: Pass { Pass(isTraining: false) }
}

/// Sums over all ranks in the middle of a pass (synchronised batch norm). A failure shows after the pass, in the averaging.
public protocol StatisticsReducer: AnyObject {
  /// Replaces the numbers by their sums over all ranks. Every rank calls it in the same order.
  func sum(_ values: UnsafeMutableBufferPointer<Double>)
}

/// A step of a network with explicit forward and backward passes.
///
/// Activations are `[batch, places…, channels]`, contiguous; pointers are to the batch's first sample and `samples` says
/// which samples to work on, so that a block can take one sample through several layers while it is in the cache.
/// Nothing is allocated after `init`. `backward` adds to the gradients of the parameters.
public protocol Layer: AnyObject {
  /// Of one sample: `[places…, channels]`.
  var inputShape: [Int] { get }
  var outputShape: [Int] { get }
  /// In forward order.
  var parameters: [Parameter] { get }
  /// Multiplications and additions of the forward pass of one sample.
  var operationsPerSample: Int { get }

  func forward(
    _ input: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, samples: Range<Int>, pass: Pass)

  /// - Parameters:
  ///   - input: what `forward` was given.
  ///   - outputGradient: gradient of the loss with respect to the output.
  ///   - inputGradient: receives the gradient with respect to the input; nil where nobody needs it.
  func backward(
    _ input: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>,
    into inputGradient: UnsafeMutablePointer<Float>?, samples: Range<Int>, pass: Pass)
}
