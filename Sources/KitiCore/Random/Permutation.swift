/// Random permutations by the method of Fisher and Yates.
public enum Permutation {
  /// Fills `order` with a uniformly random permutation of 0 ..< count.
  ///
  /// Index j of step i is the high half of word · (i + 1): its bias is below count / 2³².
  ///
  /// - Parameters:
  ///   - order: the result.
  ///   - words: workspace, at least as long; a multiple of 64 is drawn fastest.
  public static func fill(
    _ order: UnsafeMutableBufferPointer<UInt32>, words: UnsafeMutableBufferPointer<UInt32>, from stream: RandomStream,
    at address: RandomStream.Address
  ) {
    stream.fillWords(words, at: address)
    for index in 0..<order.count { order[index] = UInt32(truncatingIfNeeded: index) }
    var index = order.count - 1
    while index > 0 {
      let other = Int(truncatingIfNeeded: (UInt64(words[index]) &* UInt64(truncatingIfNeeded: index + 1)) >> 32)
      let kept = order[index]
      order[index] = order[other]
      order[other] = kept
      index -= 1
    }
  }
}
