import KitiCore
import KitiMPI
import KitiTestSupport
import XCTest

final class ClockAlignmentTests: MPITestCase {
  func testRanksOfOneHostHaveOneClock() throws {
    let clock = try ClockAlignment.measure(over: world)
    XCTAssertEqual(try world.allgather(clock.origin), Array(repeating: clock.origin, count: world.size))
    // The answer was given between question and receipt, so that the error is at most half of that time, and a
    // rounding.
    if world.rank == 0 {
      XCTAssertEqual(clock.offset, 0)
    } else {
      XCTAssertLessThanOrEqual(abs(clock.offset), clock.uncertainty + 1)
      XCTAssertGreaterThan(clock.uncertainty, 0)
    }
  }
}
