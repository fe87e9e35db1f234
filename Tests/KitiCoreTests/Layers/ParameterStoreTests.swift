import KitiCore
import XCTest

/// The flat stores: order, alignment, gaps and starts.
final class ParameterStoreTests: XCTestCase {
  private func parameters() -> [Parameter] {
    [
      Parameter("a", shape: [3, 7], initialization: .uniform(low: -0.5, high: 0.25)),
      Parameter("b", shape: [16], initialization: .constant(2)),
      Parameter("c", shape: [1], initialization: .zero),
      Parameter("d", shape: [1_000], initialization: .uniform(low: 1, high: 3)),
    ]
  }

  func testLayoutIsTheReverseOrderOnCacheLines() {
    let all = parameters()
    let store = ParameterStore(all, seed: 1)
    XCTAssertEqual(store.parameters.map(\.path), ["d", "c", "b", "a"])
    XCTAssertEqual(store.parameterCount, 21 + 16 + 1 + 1_000)
    XCTAssertEqual(store.count % 16, 0)
    var end = 0
    for (parameter, range) in zip(store.parameters, store.ranges) {
      XCTAssertEqual(range.lowerBound, end, "\(parameter.path) does not follow the one before")
      XCTAssertEqual(range.count, parameter.count)
      XCTAssertEqual(UInt(bitPattern: parameter.values) % 64, 0)
      XCTAssertEqual(parameter.values, store.values.pointer + range.lowerBound)
      XCTAssertEqual(parameter.gradients, store.gradients.pointer + range.lowerBound)
      end = (range.upperBound + 15) / 16 * 16
      for gap in range.upperBound..<end { XCTAssertEqual(store.values.pointer[gap], 0) }
    }
    XCTAssertEqual(end, store.count)
  }

  func testIdentityPassesInputsToTheFirstOutputs() {
    for (inputs, outputs) in [(3, 5), (4, 4), (5, 2)] {
      let weight = Parameter("w", shape: [3, 3, inputs, outputs], initialization: .identity(deviation: 0.5))
      let store = ParameterStore([weight], seed: 1)
      var rest: [Float] = []
      for index in 0..<weight.count {
        let (place, input, output) = (index / (inputs * outputs), index / outputs % inputs, index % outputs)
        if output < inputs {
          XCTAssertEqual(weight.values[index], place == 4 && input == output ? 1 : 0)
        } else {
          rest.append(weight.values[index])
        }
      }
      XCTAssertEqual(rest.count, 9 * inputs * max(0, outputs - inputs))
      XCTAssertFalse(rest.contains(0), "what there is more of is normal")
      withExtendedLifetime(store) {}
    }
  }

  func testStartsFollowTheirRules() {
    let all = parameters()
    let store = ParameterStore(all, seed: 1)
    for index in 0..<21 { XCTAssertTrue(all[0].values[index] >= -0.5 && all[0].values[index] < 0.25) }
    for index in 0..<16 { XCTAssertEqual(all[1].values[index], 2) }
    XCTAssertEqual(all[2].values[0], 0)
    let numbers = (0..<1_000).map { all[3].values[$0] }
    let distance = Statistics.kolmogorovDistance(numbers) { min(max(($0 - 1) / 2, 0), 1) }
    XCTAssertLessThan(distance, Statistics.kolmogorovLimit(count: 1_000))
    for index in 0..<store.count { XCTAssertEqual(store.gradients.pointer[index], 0) }
  }

  func testStartsAreTheSameFromTheSameSeedOnly() {
    func start(_ seed: UInt64) -> [Float] {
      let store = ParameterStore(parameters(), seed: seed)
      return withExtendedLifetime(store) { Array(store.values.buffer) }
    }
    XCTAssertEqual(start(7), start(7))
    XCTAssertNotEqual(start(7), start(8))
  }
}
