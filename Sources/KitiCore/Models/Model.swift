/// Hears from the backward pass how far it has come.
public protocol GradientObserver: AnyObject {
  /// The first `count` floats of the gradient store are final for this pass; `count` only grows within a pass.
  func gradientsFinished(_ count: Int)
}

/// A network with its workspaces: what the trainer drives.
///
/// A batch goes through `forward`, the loss turns the output into a gradient, `backward` adds the gradients of all
/// parameters to their store. Nothing is allocated after `init`.
public protocol Model: AnyObject {
  /// Of one sample: `[places…, channels]`.
  var inputShape: [Int] { get }
  var outputShape: [Int] { get }
  /// The largest batch.
  var capacity: Int { get }
  /// In forward order.
  var parameters: [Parameter] { get }
  /// Arrays that training fills without gradients, such as running means: part of a checkpoint, averaged over the ranks
  /// before an evaluation.
  var statistics: [Parameter] { get }
  /// In forward order; empty without collisions.
  var collisions: [CollisionResidual] { get }
  /// For the summary: each layer's path, output shape, parameters and forward operations of one sample.
  var summary: [LayerSummary] { get }
  /// Bytes of activations and workspaces.
  var workspaceBytes: Int { get }

  /// Training samples that `prepare` has to see; 0 for a model that starts without.
  var preparationCount: Int { get }

  /// Makes what of `statistics` comes from the data and stays, such as filters. Called once, when a run begins on one
  /// rank.
  ///
  /// - Parameter inputs: `[count] + inputShape`, `preparationCount` of them or all there are.
  func prepare(from inputs: UnsafePointer<Float>, count: Int)

  /// - Parameter input: `[batch] + inputShape`; must stay as it is until `backward` is done.
  /// - Returns: `[batch] + outputShape`, valid until the next call.
  func forward(_ input: UnsafePointer<Float>, batch: Int, pass: Pass) -> UnsafePointer<Float>

  /// - Parameters:
  ///   - outputGradient: gradient of the loss with respect to the output; may be overwritten.
  ///   - observer: hears of finished ranges of the gradient store while the pass goes on.
  func backward(
    outputGradient: UnsafeMutablePointer<Float>, batch: Int, pass: Pass, observer: (any GradientObserver)?)
}

extension Model {
  public var statistics: [Parameter] { [] }
  public var preparationCount: Int { 0 }
  public func prepare(from inputs: UnsafePointer<Float>, count: Int) {}
}

extension ParameterStore {
  /// Lays a model's parameters and statistics out and initializes them.
  public convenience init(_ model: any Model, seed: UInt64) {
    self.init(model.parameters, statistics: model.statistics, seed: seed)
  }
}

/// One line of a model's summary.
public struct LayerSummary: Sendable, Equatable {
  public var path: String
  public var outputShape: [Int]
  public var parameterCount: Int
  public var operations: Int

  public init(_ path: String, outputShape: [Int], parameterCount: Int, operations: Int) {
    self.path = path
    self.outputShape = outputShape
    self.parameterCount = parameterCount
    self.operations = operations
  }

  init(_ path: String, _ layer: any Layer) {
    self.init(
      path, outputShape: layer.outputShape, parameterCount: layer.parameters.reduce(0) { $0 + $1.count },
      operations: layer.operationsPerSample)
  }
}
