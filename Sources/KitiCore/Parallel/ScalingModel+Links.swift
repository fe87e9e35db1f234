/// What a message costs between two ranks: α + β·bytes (Hockney, Parallel Computing 20, 1994).
public struct LinkModel: Sendable, Equatable {
  /// α, seconds of a message without content.
  public var latency: Double
  /// β, seconds of a byte.
  public var secondsPerByte: Double

  public init(latency: Double, secondsPerByte: Double) {
    self.latency = latency
    self.secondsPerByte = secondsPerByte
  }

  /// - Parameters:
  ///   - microseconds: α.
  ///   - gigabitsPerSecond: 1/β.
  public init(microseconds: Double, gigabitsPerSecond: Double) {
    self.init(latency: microseconds * 1e-6, secondsPerByte: 8e-9 / gigabitsPerSecond)
  }

  public var gigabitsPerSecond: Double { 8e-9 / secondsPerByte }

  func seconds(bytes: Double) -> Double { latency + bytes * secondsPerByte }

  /// The link that explains measured sums over ranks best, by least squares of the relative errors.
  ///
  /// - Parameters:
  ///   - sums: bytes of an array and the seconds of its sum; at least two sizes.
  ///   - algorithm, ranks: how it was summed, over ranks that all have this link between them.
  ///   - secondsPerSummedByte: γ, which is part of the seconds.
  /// - Returns: α and β of at least zero.
  public static func fitting(
    _ sums: [(bytes: Double, seconds: Double)], algorithm: AllreduceAlgorithm, ranks: Int, secondsPerSummedByte: Double
  ) -> LinkModel {
    // seconds = intercept + slope·bytes, each equation divided by its seconds.
    var (w, wx, wxx, wy, wxy) = (0.0, 0.0, 0.0, 0.0, 0.0)
    for sum in sums {
      let weight = 1 / (sum.seconds * sum.seconds)
      w += weight
      wx += weight * sum.bytes
      wxx += weight * sum.bytes * sum.bytes
      wy += weight * sum.seconds
      wxy += weight * sum.bytes * sum.seconds
    }
    let determinant = w * wxx - wx * wx
    let slope = determinant > 0 ? (w * wxy - wx * wy) / determinant : 0
    let intercept = determinant > 0 ? (wy * wxx - wx * wxy) / determinant : 0
    // How often α, β and γ occur in the sum of one byte: the cost with each of them alone equal to one.
    func cost(latency: Double, perByte: Double, perSummedByte: Double) -> Double {
      let link = LinkModel(latency: latency, secondsPerByte: perByte)
      let cluster = ClusterModel(node: link, network: link, secondsPerSummedByte: perSummedByte)
      return algorithm.cost(bytes: 1, placement: Placement(ranks: ranks, ranksPerNode: ranks), cluster: cluster).seconds
    }
    let messages = cost(latency: 1, perByte: 0, perSummedByte: 0)
    let volume = cost(latency: 0, perByte: 1, perSummedByte: 0)
    let summed = cost(latency: 0, perByte: 0, perSummedByte: 1)
    return LinkModel(
      latency: max(0, intercept / messages),
      secondsPerByte: max(0, (slope - summed * secondsPerSummedByte) / volume))
  }
}

/// The machine that a plan is for.
public struct ClusterModel: Sendable, Equatable {
  /// Between ranks on a node: the cores themselves copy.
  public var node: LinkModel
  /// Between nodes: the network moves messages by itself. All ranks of a node share its port.
  public var network: LinkModel
  /// γ, of adding a byte of one array to another.
  public var secondsPerSummedByte: Double
  /// Ranks beyond it take turns on a node's cores; nil where each rank has one.
  public var coresPerNode: Int?

  public init(node: LinkModel, network: LinkModel, secondsPerSummedByte: Double, coresPerNode: Int? = nil) {
    self.node = node
    self.network = network
    self.secondsPerSummedByte = secondsPerSummedByte
    self.coresPerNode = coresPerNode
  }
}

/// Where ranks are: node by node, each filled before the next.
public struct Placement: Sendable, Equatable {
  public var ranks: Int
  /// Of a full node.
  public var ranksPerNode: Int

  public init(ranks: Int, ranksPerNode: Int) {
    precondition(ranks > 0 && ranksPerNode > 0, "there is at least one rank, and a node has some")
    self.ranks = ranks
    self.ranksPerNode = ranksPerNode
  }

  static let alone = Placement(ranks: 1, ranksPerNode: 1)

  public var nodes: Int { (ranks + ranksPerNode - 1) / ranksPerNode }
  /// Ranks of the first node.
  var neighbours: Int { min(ranks, ranksPerNode) }
}
