import KitiMPI

/// What a configuration asks for, built: the registry of data sets, models and optimizers.
public enum Experiment {
  /// Opens the data set on this rank.
  public static func dataSet(_ configuration: DataConfiguration) throws -> any SampleSource {
    let (path, kind) = (configuration.path, configuration.kind.rawValue)
    return configuration.kind.isImages
      ? try ImageDataSet(path: path, kind: kind, augmentation: configuration.augmentation)
      : try FieldDataSet(path: path, kind: kind)
  }

  /// - Parameter capacity: the largest batch.
  /// - Throws: a usage error for a model and a data set that do not belong together.
  public static func model(
    _ configuration: Configuration, dataSet: any SampleSource, capacity: Int
  ) throws -> any Model {
    let model = try network(configuration.model, dataSet: dataSet, capacity: capacity)
    if configuration.training.syncBatchNorm, model.statistics.isEmpty {
      throw KitiError(
        .usage, "training.syncBatchNorm is true, and the model has no batch normalization.",
        remedy: "Set it to false.")
    }
    try configuration.training.testViews.check(inputShape: dataSet.inputShape)
    if case .muon = configuration.optimizer.rule, !model.parameters.contains(where: \.isScaleInvariant) {
      throw KitiError(
        .usage, "optimizer.kind is muon, and the model has no convolutions with batch norm behind them.",
        remedy: "Choose another one, such as adam.")
    }
    if configuration.training.labelSmoothing > 0, dataSet.classCount == nil {
      throw KitiError(
        .usage, "training.labelSmoothing is above 0, and the data set has no classes.", remedy: "Set it to 0.")
    }
    return model
  }

  private static func network(
    _ configuration: ModelConfiguration, dataSet: any SampleSource, capacity: Int
  ) throws -> any Model {
    let (inputShape, targetShape) = (dataSet.inputShape, dataSet.targetShape)
    switch configuration {
    case .fno1d(let fno):
      guard inputShape.count == 2, inputShape[1] == 1, targetShape == inputShape else {
        throw KitiError(
          .usage,
          "model.kind fno1d takes fields of shape [points, 1] to such fields, and the data set's inputs are "
            + "\(inputShape), its targets \(targetShape).",
          remedy: "Choose a model and a data set that belong together.")
      }
      return try FNO1D(
        shape: FNO1D.Shape(
          points: inputShape[0], width: fno.width, modes: fno.modes, blocks: fno.blocks, projection: fno.projection,
          activation: fno.activation),
        collision: fno.collision.options, divide: fno.collision.divide[0], capacity: capacity)
    case .resnet(let resnet):
      return try ResNet(
        shape: resnet.shape(classes: classes(of: dataSet, for: ResNetConfiguration.kind), inputShape: inputShape),
        collision: resnet.collision.options, divide: resnet.collision.divide, capacity: capacity)
    case .whitenedResNet(let resnet):
      return try WhitenedResNet(
        shape: resnet.shape(
          classes: classes(of: dataSet, for: WhitenedResNetConfiguration.kind), inputShape: inputShape),
        collision: resnet.collision.options, divide: resnet.collision.divide, capacity: capacity)
    }
  }

  /// How many classes a data set of images has.
  private static func classes(of dataSet: any SampleSource, for kind: String) throws -> Int {
    guard dataSet.inputShape.count == 3, let classes = dataSet.classCount else {
      throw KitiError(
        .usage,
        "model.kind \(kind) tells classes of images apart, and the data set \(dataSet.path) has samples of shape "
          + "\(dataSet.inputShape)\(dataSet.classCount == nil ? " and no classes" : "").",
        remedy: "Choose a model and a data set that belong together.")
    }
    return classes
  }

  /// What a model of these outputs learns from this data set.
  public static func objective(
    _ configuration: TrainingConfiguration, dataSet: any SampleSource
  ) -> any Objective {
    if let classes = dataSet.classCount {
      return ClassificationObjective(classes: classes, labelSmoothing: configuration.labelSmoothing)
    }
    return FieldObjective(outputShape: dataSet.targetShape)
  }

  /// - Parameter shard: what of the store it updates.
  public static func optimizer(
    _ configuration: OptimizerConfiguration, store: ParameterStore, shard: OptimizerShard
  ) -> any Optimizer {
    let count = shard.count
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
        count: count, momentum: Float(values.momentum), nesterov: values.nesterov, weightDecay: decay,
        shifts: shard.stateRanges(
          of: zip(store.parameters, store.ranges).filter { $0.0.isShift }.map { $1.lowerBound..<$0.endInStore }),
        shiftRate: Float(values.shiftRate))
    case .lars(let values):
      LARS(
        store: store, shard: shard, momentum: Float(values.momentum), weightDecay: decay, trust: Float(values.trust))
    case .muon(let values):
      Muon(
        store: store, momentum: Float(values.momentum), othersRate: Float(values.othersRate), weightDecay: decay)
    }
  }
}
