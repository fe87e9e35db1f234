import KitiCore

extension Reference {
  /// w_ij of the accepted pairs of a sample of `count` particles.
  static func weights(_ pairs: [Collision], _ count: Int, _ weights: CollisionOptions.Weights) -> [Double] {
    var partners = [Int](repeating: 0, count: count)
    for pair in pairs {
      partners[pair.first] += 1
      partners[pair.second] += 1
    }
    return pairs.map { weights == .sum ? 1 : 1 / Double(max(partners[$0.first], partners[$0.second])) }
  }

  /// v_i + Σ w_ij [(v_j − v_i)/2 + s_ij/2 · e_ij]; without turns, what `midpoint` does to positions.
  static func exchanged(
    _ v: [Double], _ particles: Particles, _ pairs: [Collision], _ weights: [Double], turns: Bool = true
  ) -> [Double] {
    var result = v
    for (pair, weight) in zip(pairs, weights) {
      let (vi, vj) = (particles.gather(v, pair.first), particles.gather(v, pair.second))
      let w = zip(vj, vi).map { $0 - $1 }
      let s = turns ? dot(w, w).squareRoot() : 0
      for d in 0..<particles.dimensions {
        let change = weight * (w[d] + s * pair.direction[d]) / 2
        result[particles.feature(pair.first, d)] += change
        result[particles.feature(pair.second, d)] -= change
      }
    }
    return result
  }
}
