import KitiMPI

/// What a configuration asks for, built: the registry of data sets, models and optimizers.
public enum Experiment {
  /// Opens the data set on this rank.
  public static func dataSet(_ configuration: DataConfiguration) throws -> FieldDataSet {
    try FieldDataSet(path: configuration.path, kind: configuration.kind.rawValue)
  }

  /// - Parameters:
  ///   - inputShape: of one sample of the data set.
  ///   - capacity: the largest batch.
  public static func model(
    _ configuration: ModelConfiguration, inputShape: [Int], targetShape: [Int], capacity: Int
  ) throws -> any Model {
    let model: any Model
    switch configuration {
    case .fno1d(let fno):
      guard inputShape.count == 2, inputShape[1] == 1 else {
        throw KitiError(
          .usage, "model.kind fno1d takes fields of shape [points, 1], and the data set's inputs are \(inputShape).",
          remedy: "Choose another model or data set.")
      }
      model = try FNO1D(
        shape: FNO1D.Shape(
          points: inputShape[0], width: fno.width, modes: fno.modes, blocks: fno.blocks, projection: fno.projection,
          activation: fno.activation),
        collision: fno.collision.options, divide: fno.collision.divide, capacity: capacity)
    }
    guard model.outputShape == targetShape else {
      throw KitiError(
        .usage, "The model's output is \(model.outputShape) a sample, and the data set's targets are \(targetShape).",
        remedy: "Choose a model and a data set that belong together.")
    }
    return model
  }

  /// - Parameter count: length of the parameter store.
  public static func optimizer(_ configuration: OptimizerConfiguration, count: Int) -> any Optimizer {
    let decay = Float(configuration.weightDecay)
    func adam(_ values: AdamConfiguration, decoupled: Bool) -> Adam {
      Adam(
        count: count, beta1: Float(values.beta1), beta2: Float(values.beta2), epsilon: Float(values.epsilon),
        weightDecay: decay, decoupled: decoupled)
    }
    return switch configuration.rule {
    case .adam(let values): adam(values, decoupled: false)
    case .adamw(let values): adam(values, decoupled: true)
    case .sgd(let values):
      StochasticGradientDescent(
        count: count, momentum: Float(values.momentum), nesterov: values.nesterov, weightDecay: decay)
    }
  }
}
