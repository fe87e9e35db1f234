/// How gradients change the parameters.
public struct OptimizerConfiguration: Sendable, Equatable {
  /// The rule of a step, with the values that only it has.
  public enum Rule: Sendable, Equatable {
    /// Stochastic gradient descent; weight decay is added to the gradient.
    case sgd(SGDConfiguration)
    /// Adam; weight decay is added to the gradient.
    case adam(AdamConfiguration)
    /// Adam with weight decay apart from the gradient.
    case adamw(AdamConfiguration)
    /// Stochastic gradient descent with a rate for each layer, for large batches.
    case lars(LARSConfiguration)
    /// Momentum orthogonalized for the filters of convolutions.
    case muon(MuonConfiguration)
  }

  public var rule: Rule
  /// The learning rate, before the schedule changes it.
  public var learningRate: Double
  /// The global batch that the learning rate is for: with another one it is scaled in proportion. Nil leaves it.
  public var referenceBatch: Int?
  public var weightDecay: Double
  public var schedule: ScheduleConfiguration

  public init(
    rule: Rule, learningRate: Double, referenceBatch: Int? = nil, weightDecay: Double = 0,
    schedule: ScheduleConfiguration = .init()
  ) {
    self.rule = rule
    self.learningRate = learningRate
    self.referenceBatch = referenceBatch
    self.weightDecay = weightDecay
    self.schedule = schedule
  }
}

/// The values of stochastic gradient descent.
public struct SGDConfiguration: Sendable, Equatable {
  /// From 0 (none) to below 1.
  public var momentum: Double
  /// Whether the step looks ahead along the momentum, which must be above 0.
  public var nesterov: Bool
  /// How many times faster the shifts of batch norms learn than the rest, above 0.
  public var shiftRate: Double

  public init(momentum: Double = 0, nesterov: Bool = false, shiftRate: Double = 1) {
    self.momentum = momentum
    self.nesterov = nesterov
    self.shiftRate = shiftRate
  }
}

/// The values of layer-wise adaptive rate scaling.
public struct LARSConfiguration: Sendable, Equatable {
  /// From 0 (none) to below 1.
  public var momentum: Double
  /// How far a layer may move in a step, as a share of its own length, for a learning rate of 1.
  public var trust: Double

  public init(momentum: Double = 0.9, trust: Double = 0.001) {
    self.momentum = momentum
    self.trust = trust
  }
}

/// The values of Muon.
public struct MuonConfiguration: Sendable, Equatable {
  /// Above 0 and below 1.
  public var momentum: Double
  /// How many times the learning rate of filters everything else learns with, by stochastic gradient descent.
  public var othersRate: Double

  public init(momentum: Double = 0.9, othersRate: Double = 10) {
    self.momentum = momentum
    self.othersRate = othersRate
  }
}

/// The values of Adam and AdamW.
public struct AdamConfiguration: Sendable, Equatable {
  /// Decay of the mean of the gradient, from 0 to below 1.
  public var beta1: Double
  /// Decay of the mean of the squared gradient, from 0 to below 1.
  public var beta2: Double
  /// What is added to the denominator.
  public var epsilon: Double

  public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
  }
}

extension OptimizerConfiguration {
  private enum Kind: String, CaseIterable {
    case sgd, adam, adamw, lars, muon
  }

  package init(_ section: ConfigurationSection) throws {
    let kind: Kind = try section.required("kind", .choice)
    let own =
      switch kind {
      case .sgd: SGDConfiguration.keys
      case .adam, .adamw: AdamConfiguration.keys
      case .lars: LARSConfiguration.keys
      case .muon: MuonConfiguration.keys
      }
    try section.accept(
      ["kind", "learningRate", "referenceBatch", "weightDecay"] + own + ["schedule"], kind: kind.rawValue,
      others: [
        "sgd": SGDConfiguration.keys, "adam": AdamConfiguration.keys, "adamw": AdamConfiguration.keys,
        "lars": LARSConfiguration.keys, "muon": MuonConfiguration.keys,
      ])
    rule =
      switch kind {
      case .sgd: .sgd(try SGDConfiguration(section))
      case .adam: .adam(try AdamConfiguration(section))
      case .adamw: .adamw(try AdamConfiguration(section))
      case .lars: .lars(try LARSConfiguration(section))
      case .muon: .muon(try MuonConfiguration(section))
      }
    learningRate = try section.required("learningRate", .number(.positive))
    referenceBatch = try section.optional("referenceBatch", .count)
    weightDecay = try section.value("weightDecay", .number(.nonNegative), default: 0)
    let scheduleSection = try section.section("schedule")
    schedule = try ScheduleConfiguration(scheduleSection)
    if case .cosine(let minimum) = schedule.shape, minimum > learningRate {
      throw scheduleSection.impossible(
        "minimum", "is \(minimum), above '\(section.dotted("learningRate"))', which is \(learningRate)",
        remedy: "The schedule goes down to its minimum: lower it or raise the learning rate.")
    }
  }

  package var node: ConfigurationNode {
    let (kind, own): (Kind, [(String, ConfigurationNode)]) =
      switch rule {
      case .sgd(let values): (.sgd, values.entries)
      case .adam(let values): (.adam, values.entries)
      case .adamw(let values): (.adamw, values.entries)
      case .lars(let values): (.lars, values.entries)
      case .muon(let values): (.muon, values.entries)
      }
    return .section(
      [
        ("kind", .text(kind.rawValue)), ("learningRate", .number(learningRate)),
        ("referenceBatch", referenceBatch.map { .integer($0) } ?? .null), ("weightDecay", .number(weightDecay)),
      ] + own + [("schedule", schedule.node)])
  }
}

extension SGDConfiguration {
  fileprivate static let keys = ["momentum", "nesterov", "shiftRate"]

  fileprivate init(_ section: ConfigurationSection) throws {
    momentum = try section.value("momentum", .number(.zeroToBelowOne), default: 0)
    nesterov = try section.value("nesterov", .boolean(), default: false)
    shiftRate = try section.value("shiftRate", .number(.positive), default: 1)
    if nesterov, momentum == 0 {
      throw section.impossible(
        "nesterov", "is true, but '\(section.dotted("momentum"))' is 0", remedy: "Give a momentum above 0.")
    }
  }

  fileprivate var entries: [(String, ConfigurationNode)] {
    [("momentum", .number(momentum)), ("nesterov", .boolean(nesterov)), ("shiftRate", .number(shiftRate))]
  }
}

extension LARSConfiguration {
  fileprivate static let keys = ["momentum", "trust"]

  fileprivate init(_ section: ConfigurationSection) throws {
    let standard = LARSConfiguration()
    momentum = try section.value("momentum", .number(.zeroToBelowOne), default: standard.momentum)
    trust = try section.value("trust", .number(.positive), default: standard.trust)
  }

  fileprivate var entries: [(String, ConfigurationNode)] {
    [("momentum", .number(momentum)), ("trust", .number(trust))]
  }
}

extension MuonConfiguration {
  fileprivate static let keys = ["momentum", "othersRate"]

  fileprivate init(_ section: ConfigurationSection) throws {
    let standard = MuonConfiguration()
    momentum = try section.value("momentum", .number(.betweenZeroAndOne), default: standard.momentum)
    othersRate = try section.value("othersRate", .number(.positive), default: standard.othersRate)
  }

  fileprivate var entries: [(String, ConfigurationNode)] {
    [("momentum", .number(momentum)), ("othersRate", .number(othersRate))]
  }
}

extension AdamConfiguration {
  fileprivate static let keys = ["beta1", "beta2", "epsilon"]

  fileprivate init(_ section: ConfigurationSection) throws {
    let standard = AdamConfiguration()
    beta1 = try section.value("beta1", .number(.zeroToBelowOne), default: standard.beta1)
    beta2 = try section.value("beta2", .number(.zeroToBelowOne), default: standard.beta2)
    epsilon = try section.value("epsilon", .number(.positive), default: standard.epsilon)
  }

  fileprivate var entries: [(String, ConfigurationNode)] {
    [("beta1", .number(beta1)), ("beta2", .number(beta2)), ("epsilon", .number(epsilon))]
  }
}
