import Foundation
import KitiCore
import KitiTestSupport
import XCTest

/// The gas of `physics relax`, on any number of ranks.
final class GasRelaxationTests: MPITestCase {
  /// At 10⁶ particles the relative error of the factor has a standard deviation below 0.0015, estimated from 30 seeds at
  /// 200,000 particles (0.0023 for d = 2, 0.0031 for d = 16): 3 % is twenty of them, 1 % is six, odds of one in 10⁸.
  func testFactorsAreThoseOfTheClosedForm() throws {
    for (dimensions, probability) in [(2, 1.0), (3, 1), (16, 1), (3, 0.4), (1, 1)] {
      let gas = GasRelaxation(dimensions: dimensions, probability: probability)
      let result = try gas.run(communicator: .world)
      XCTAssertEqual(
        result.expectedFactor, 1 - probability * Double(dimensions - 1) / Double(2 * dimensions), accuracy: 1e-12)
      XCTAssertLessThan(result.relativeError, 0.01, "d = \(dimensions), p = \(probability)")
      XCTAssertGreaterThan(result.moments[0].excess, result.moments[0].second)
      XCTAssertLessThan(result.momentumDrift, 1e-7)
      XCTAssertLessThan(result.energyDrift, 1e-6)
      if probability == 1 { XCTAssertEqual(result.collisionRate, 1) }
      let start = result.moments[0].excess
      for moments in result.moments {
        XCTAssertEqual(moments.expected, start * pow(result.expectedFactor, Double(moments.step)), accuracy: 1e-9 * start)
      }
    }
  }

  func testFilesHoldEveryStep() throws {
    let result = try GasRelaxation(dimensions: 3, particles: 10_000, steps: 5).run(communicator: .world)
    XCTAssertEqual(result.csv.split(separator: "\n").count, 7)
    let plot = result.svg(title: "gas")
    XCTAssertEqual(plot.components(separatedBy: "<circle").count - 1, result.moments.filter { $0.excess > 0 }.count)
    XCTAssertTrue(plot.hasPrefix("<svg") && plot.hasSuffix("</svg>\n"))
  }
}
