/// A rule that turns averaged gradients into new parameters, over ranges of the flat stores.
///
/// One pass reads values, gradients and state, writes values and state, and clears the gradients.
public protocol Optimizer: AnyObject {
  /// Named state arrays, as long as the part of the store that this optimizer works on; checkpoints hold those of the
  /// whole store.
  var state: [(name: String, buffer: AlignedBuffer<Float>)] { get }

  /// Takes, before the updates of a step, what the rule needs to know of whole parameters. Collective if the state is
  /// of a part of the store and there is something to take; most rules need nothing.
  ///
  /// - Parameters:
  ///   - values, gradients: the whole store's; of the gradients only the optimizer's own part counts.
  ///   - sumOverRanks: replaces numbers by their sums over the ranks that share the store.
  func measure(
    values: UnsafePointer<Float>, gradients: UnsafePointer<Float>,
    sumOverRanks: (UnsafeMutableBufferPointer<Double>) throws -> Void) throws

  /// - Parameters:
  ///   - values, gradients: of the number that the first of the state arrays belongs to, so that one index serves all
  ///     of them; gradients are zero afterwards. A rank of a sharded run, whose state is of several pieces of the
  ///     store, calls once for each of them.
  ///   - range: which part to update, in the state arrays.
  ///   - learningRate: of this step.
  ///   - step: 1 for the first update.
  ///   - gradientScale: multiplies every gradient first (clipping).
  func update(
    values: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>, range: Range<Int>,
    learningRate: Float, step: Int, gradientScale: Float)
}

extension Optimizer {
  public func measure(
    values: UnsafePointer<Float>, gradients: UnsafePointer<Float>,
    sumOverRanks: (UnsafeMutableBufferPointer<Double>) throws -> Void
  ) throws {}
}

/// Calls `body` with the offset of each whole vector, then of each number left over; ranges of the
/// store are whole cache lines, so that only tests see a rest.
@inline(__always)
func forEachRow(_ range: Range<Int>, _ vector: (Int) -> Void, _ rest: (Int) -> Void) {
  var offset = range.lowerBound
  while offset &+ width <= range.upperBound {
    vector(offset)
    offset &+= width
  }
  while offset < range.upperBound {
    rest(offset)
    offset &+= 1
  }
}
