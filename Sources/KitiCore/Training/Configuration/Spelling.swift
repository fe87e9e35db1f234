/// Finds the word that a misspelt one was meant to be.
package enum Spelling {
  /// The candidate nearest to `word`, if one is near enough to be what was meant.
  ///
  /// Letter case, `_` and `-` do not count, so `learning_rate` finds `learningRate`.
  package static func nearest(to word: String, in candidates: [String]) -> String? {
    guard word.utf8.count <= 64 else { return nil }
    let letters = normalized(word)
    let ranked = candidates.map { ($0, distance(letters, normalized($0))) }
    guard let (best, distance) = ranked.min(by: { $0.1 < $1.1 }) else { return nil }
    return distance <= max(1, (best.count + 1) / 3) && distance < best.count ? best : nil
  }

  private static func normalized(_ word: String) -> [Character] {
    word.lowercased().filter { $0 != "_" && $0 != "-" }
  }

  /// The number of letters to add, drop, change, or swap with their neighbour (optimal string alignment).
  /// O(`a.count` · `b.count`).
  private static func distance(_ a: [Character], _ b: [Character]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in a.indices {
      var row = [i + 1]
      for j in b.indices {
        var cost = min(row[j] + 1, last[j + 1] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforeLast[j - 1] + 1) }
        row.append(cost)
      }
      (beforeLast, last) = (last, row)
    }
    return last[b.count]
  }
}
