import KitiCore
import XCTest

/// Philox against the vectors its authors published with it, and the vector path against the scalar one.
final class PhiloxTests: XCTestCase {
  func testPublishedKnownAnswers() {
    let cases: [(counter: SIMD4<UInt32>, key: SIMD2<UInt32>, answer: SIMD4<UInt32>)] = [
      (SIMD4(0, 0, 0, 0), SIMD2(0, 0), SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)),
      (
        SIMD4(repeating: .max), SIMD2(repeating: .max),
        SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)
      ),
      (
        SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), SIMD2(0xa409_3822, 0x299f_31d0),
        SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)
      ),
    ]
    for one in cases { XCTAssertEqual(Philox.block(counter: one.counter, key: one.key), one.answer) }
  }

  func testWordsFollowTheDocumentedLaneOrderAtAnyLength() {
    let stream = RandomStream(seed: 0x1234_5678_9abc_def0, stream: 3, domain: .collision, index: 7)
    let at = RandomStream.Address(step: 11, sample: 0xffff_fff0, item: 5)
    for count in [0, 1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 80, 100, 127, 128, 129, 257] {
      var words = [UInt32](repeating: 0xdead_beef, count: count + 3)
      words.withUnsafeMutableBufferPointer {
        stream.fillWords(UnsafeMutableBufferPointer(rebasing: $0[0..<count]), at: at)
      }
      for lane in 0..<count {
        let (group, word, block) = (lane / 64, lane % 64 / 16, lane % 16)
        let expected = Philox.block(
          counter: SIMD4(UInt32(16 * group + block), at.item, at.sample, at.step), key: stream.key)
        XCTAssertEqual(words[lane], expected[word], "lane \(lane) of \(count)")
      }
      XCTAssertEqual(Array(words[count...]), [0xdead_beef, 0xdead_beef, 0xdead_beef], "wrote past \(count) words")
    }
  }

  func testKeyIsTheBlockOfSeedStreamDomainAndIndex() {
    let stream = RandomStream(seed: 0x1111_2222_3333_4444, stream: 0x5_0000_0006, domain: .order, index: 9)
    let block = Philox.block(
      counter: SIMD4(6, 5, RandomDomain.order.rawValue, 9), key: SIMD2(0x3333_4444, 0x1111_2222))
    XCTAssertEqual(stream.key, SIMD2(block.x, block.y))
  }
}
