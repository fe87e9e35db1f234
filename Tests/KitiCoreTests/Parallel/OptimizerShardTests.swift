import KitiCore
import XCTest

final class OptimizerShardTests: XCTestCase {
  func testAWholeStoreHasItsRangesWhereTheyAre() {
    XCTAssertEqual(OptimizerShard(whole: 100).stateRanges(of: [3..<9, 50..<100]), [3..<9, 50..<100])
  }

  func testRangesOfTheStoreAreFoundInTheStateOfTheirOwners() {
    // 40 cache lines in buckets of 1 KiB, which is 16 of them.
    let layout = BucketLayout(count: 640, bucketMiB: 1.0 / 1_024, ranks: 3)
    let ranges = [0..<16, 80..<400, 416..<640]
    for rank in 0..<3 {
      let shard = OptimizerShard(layout, rank: rank)
      // What a sweep over the store would give.
      var expected: [Int] = []
      for piece in shard.pieces {
        for index in piece.range where ranges.contains(where: { $0.contains(index) }) {
          expected.append(piece.stateOffset + index - piece.range.lowerBound)
        }
      }
      XCTAssertFalse(expected.isEmpty)
      XCTAssertEqual(shard.stateRanges(of: ranges).flatMap { Array($0) }, expected, "rank \(rank)")
    }
  }
}
