import KitiCore
import XCTest

/// What becomes of steps that are not finite.
final class NonFiniteGuardTests: XCTestCase {
  private func text(_ body: () throws -> Void) -> String {
    do {
      try body()
      return ""
    } catch {
      XCTAssertTrue(error is AgreedFailure)
      return KitiError(describing: error).description
    }
  }

  func testStopNamesWhatIsWrongAndTheCheckpoint() {
    var guardian = NonFiniteGuard(.stop)
    XCTAssertEqual(try guardian.decide(loss: 1, gradientNorm: 2, step: 1, checkpoint: nil), .proceed)
    let loss = text { _ = try guardian.decide(loss: .nan, gradientNorm: 2, step: 7, checkpoint: "a.h5") }
    XCTAssertTrue(loss.contains("Step 7: the loss is not a number"), loss)
    XCTAssertTrue(loss.contains("a.h5"), loss)
    let norm = text { _ = try guardian.decide(loss: 1, gradientNorm: .infinity, step: 8, checkpoint: nil) }
    XCTAssertTrue(norm.contains("Step 8: the gradient's norm is infinite"), norm)
    XCTAssertTrue(norm.contains("No checkpoint"), norm)
  }

  func testSkipGivesUpAfterTenInARowOnly() throws {
    var guardian = NonFiniteGuard(.skip)
    for step in 1...50 {
      let isBad = step % 10 != 0
      let decision = try guardian.decide(loss: isBad ? .nan : 1, gradientNorm: 1, step: step, checkpoint: nil)
      XCTAssertEqual(decision == .proceed, !isBad)
    }
    XCTAssertEqual(guardian.skipped, 45)
    for step in 51...59 { _ = try guardian.decide(loss: .nan, gradientNorm: 1, step: step, checkpoint: nil) }
    let end = text { _ = try guardian.decide(loss: .nan, gradientNorm: 1, step: 60, checkpoint: "b.h5") }
    XCTAssertTrue(end.contains("10th step in a row"), end)
  }

  func testRestoreGivesUpAtTheEleventhOfOneCheckpoint() throws {
    var guardian = NonFiniteGuard(.restore)
    XCTAssertNotEqual(try guardian.decide(loss: .nan, gradientNorm: 1, step: 3, checkpoint: nil), .proceed)
    for _ in 1...10 { try guardian.countRestore(to: 5, failedStep: 8, reason: "r", checkpoint: "c.h5") }
    for _ in 1...10 { try guardian.countRestore(to: 9, failedStep: 12, reason: "r", checkpoint: "d.h5") }
    let end = text { try guardian.countRestore(to: 9, failedStep: 12, reason: "the loss", checkpoint: "d.h5") }
    XCTAssertTrue(end.contains("Step 12: the loss, after 10 restores"), end)
  }
}
