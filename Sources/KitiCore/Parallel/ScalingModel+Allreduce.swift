/// How an array is summed over ranks.
public enum AllreduceAlgorithm: String, Sendable, CaseIterable {
  /// Up a binomial tree and down again: what Open MPI's non-blocking allreduce does in place unless told, whatever the
  /// size (coll/libnbc, `nbc_iallreduce.c`). ⌈lg p⌉ levels of whole arrays either way.
  case binomial
  /// lg p exchanges of the whole array (Thakur, Rabenseifner and Gropp 2005, on allreduce).
  case recursiveDoubling = "recursive-doubling"
  /// Reduce-scatter by recursive halving, allgather by recursive doubling (there, after Rabenseifner): what this
  /// program asks Open MPI for.
  case rabenseifner
  /// 2(p − 1) messages of 1/p of the array to the next rank (Patarasuk and Yuan 2009, §3).
  case ring
  /// Every rank sends each other rank its part, and the sums back: this program's own (`DirectExchange`).
  case direct
}

/// What moving one array, or bucket, costs a rank that is busiest.
package struct ExchangeCost: Equatable {
  /// From its start to its end, with nothing else under way.
  package var seconds = 0.0
  /// For which messages take the network's port.
  package var networkSeconds = 0.0
  /// For which the rank's own core copies and adds.
  package var hostSeconds = 0.0
}

/// Steps of an exchange which are alike.
private struct Round {
  var times = 1.0
  /// Bytes of the message to or from a rank of the same node and one of another; nil without such a message. They
  /// travel at the same time.
  var nodeBytes: Double?
  var networkBytes: Double?
  /// Ranks of a node that send to other nodes at once.
  var sharing = 1
  var summedBytes = 0.0
}

extension AllreduceAlgorithm {
  package func cost(bytes: Double, placement: Placement, cluster: ClusterModel) -> ExchangeCost {
    guard placement.ranks > 1 else { return ExchangeCost() }
    return Self.cost(rounds(bytes: bytes, placement), cluster)
  }

  /// One half of the direct exchange: parts to their owners (`isSummed`), or from them to all.
  static func directHalf(
    bytes: Double, isSummed: Bool, placement: Placement, cluster: ClusterModel
  ) -> ExchangeCost {
    guard placement.ranks > 1 else { return ExchangeCost() }
    return cost(directRounds(bytes: bytes, isSummed: isSummed, placement), cluster)
  }

  /// Of one small number that all ranks agree on: recursive doubling, nothing to wait for but messages.
  static func agreementSeconds(bytes: Double, placement: Placement, cluster: ClusterModel) -> Double {
    recursiveDoubling.cost(bytes: bytes, placement: placement, cluster: cluster).seconds
  }

  private static func cost(_ rounds: [Round], _ cluster: ClusterModel) -> ExchangeCost {
    var cost = ExchangeCost()
    for round in rounds {
      let node = round.nodeBytes.map { round.times * cluster.node.seconds(bytes: $0) } ?? 0
      let network =
        round.networkBytes.map { round.times * cluster.network.seconds(bytes: $0 * Double(round.sharing)) } ?? 0
      let sum = round.times * round.summedBytes * cluster.secondsPerSummedByte
      cost.seconds += max(node, network) + sum
      cost.hostSeconds += node + sum
      // Buckets that are under way together share the port: the way up of all of them through a tree ends before most
      // come down, so that its two directions do not help each other.
      cost.networkSeconds += network
    }
    return cost
  }

  private func rounds(bytes n: Double, _ placement: Placement) -> [Round] {
    let (p, k, m) = (placement.ranks, placement.neighbours, placement.nodes)
    switch self {
    case .binomial:
      let (inner, outer) = (Double(Self.logarithm(k, roundedUp: true)), Double(Self.logarithm(m, roundedUp: true)))
      return [
        Round(times: inner, nodeBytes: n, summedBytes: n),
        Round(times: outer, networkBytes: n, summedBytes: n),
        Round(times: outer, networkBytes: n),
        Round(times: inner, nodeBytes: n),
      ]
    case .recursiveDoubling:
      return Self.extraRounds(n, k, isOnNode: true) + Self.extraRounds(n, m, isOnNode: false) + [
        Round(times: Double(Self.logarithm(k)), nodeBytes: n, summedBytes: n),
        Round(times: Double(Self.logarithm(m)), networkBytes: n, sharing: k, summedBytes: n),
      ]
    case .rabenseifner:
      let (inner, outer) = (Self.logarithm(k), Self.logarithm(m))
      // Neighbours halve first: what crosses nodes is the rank's part of the node's.
      let halvings = (0..<inner + outer).map { level in
        let part = n / Double(1 << (level + 1))
        return level < inner
          ? Round(nodeBytes: part, summedBytes: part)
          : Round(networkBytes: part, sharing: 1 << inner, summedBytes: part)
      }
      let doublings = halvings.map { halving in
        var doubling = halving
        doubling.summedBytes = 0
        return doubling
      }
      return Self.extraRounds(n, k, isOnNode: true) + Self.extraRounds(n, m, isOnNode: false) + halvings + doublings
    case .ring:
      let part = n / Double(p)
      let half = Round(times: Double(p - 1), nodeBytes: k > 1 ? part : nil, networkBytes: m > 1 ? part : nil)
      var first = half
      first.summedBytes = part
      return [first, half]
    case .direct:
      return Self.directRounds(bytes: n, isSummed: true, placement)
        + Self.directRounds(bytes: n, isSummed: false, placement)
    }
  }

  private static func directRounds(bytes: Double, isSummed: Bool, _ placement: Placement) -> [Round] {
    let (p, k) = (placement.ranks, placement.neighbours)
    let part = bytes / Double(p)
    let summed = isSummed ? part : 0
    return [
      Round(times: Double(k - 1), nodeBytes: part, summedBytes: summed),
      Round(times: Double(p - k), networkBytes: part, sharing: k, summedBytes: summed),
    ]
  }

  /// What a number of ranks that is no power of two costs beside the largest power below it: the ranks too many hand
  /// their arrays over first and get the sums last (Thakur, Rabenseifner and Gropp 2005).
  private static func extraRounds(_ bytes: Double, _ count: Int, isOnNode: Bool) -> [Round] {
    guard count & (count - 1) != 0 else { return [] }
    let before = Round(
      nodeBytes: isOnNode ? bytes : nil, networkBytes: isOnNode ? nil : bytes, summedBytes: bytes)
    var after = before
    after.summedBytes = 0
    return [before, after]
  }

  /// lg, rounded down unless told.
  static func logarithm(_ count: Int, roundedUp: Bool = false) -> Int {
    let down = Int.bitWidth - 1 - count.leadingZeroBitCount
    return roundedUp && count != 1 << down ? down + 1 : down
  }
}
