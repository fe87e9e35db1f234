import KitiCore
import XCTest

final class WeightAverageTests: XCTestCase {
  private func store(_ count: Int) -> ParameterStore {
    ParameterStore(
      [Parameter("w", shape: [count], initialization: .uniform(low: -1, high: 1))],
      statistics: [Parameter("mean", shape: [3], initialization: .constant(2))], seed: 3)
  }

  func testTheAverageFollowsTheValuesWithItsDecay() {
    for count in [1, 16, 37] {
      let store = store(count)
      let average = WeightAverage(store: store, decay: 0.6)
      var exact = store.values.buffer.map(Double.init)
      var numbers = TestNumbers(130)
      for step in 1...12 {
        for index in 0..<store.values.count { store.values.pointer[index] = Float(numbers.normal()) }
        average.update(step: step)
        // 2/11, 3/12, … until the decay is reached.
        let decay = min(0.6, Double(1 + step) / Double(10 + step))
        for index in exact.indices { exact[index] += (1 - decay) * (Double(store.values.pointer[index]) - exact[index]) }
      }
      assertClose(Array(average.average.buffer), exact, within: 1e-6)
    }
  }

  func testSwappingTwiceLeavesAllAsItWas() {
    let store = store(21)
    let average = WeightAverage(store: store, decay: 0.9)
    let start = Array(store.values.buffer)
    for index in 0..<store.values.count { store.values.pointer[index] += 1 }
    let moved = Array(store.values.buffer)
    average.swap()
    XCTAssertEqual(Array(store.values.buffer), start)
    XCTAssertEqual(Array(average.average.buffer), moved)
    average.swap()
    XCTAssertEqual(Array(store.values.buffer), moved)
  }
}
