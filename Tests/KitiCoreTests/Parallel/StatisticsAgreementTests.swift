import KitiCore
import KitiMPI
import KitiTestSupport
import XCTest

final class StatisticsAgreementTests: MPITestCase {
  func testStatisticsBecomeTheirMeansOverTheRanks() throws {
    let store = ParameterStore(
      [Parameter("w", shape: [3], initialization: .constant(Float(world.rank)))],
      statistics: [Parameter("norm/mean", shape: [5], initialization: .constant(Float(2 * world.rank)))], seed: 1)
    try world.average(store.statisticsBuffer)
    XCTAssertEqual(Array(store.statisticsBuffer.prefix(5)), Array(repeating: Float(world.size - 1), count: 5))
    XCTAssertEqual(store.values.pointer[0], Float(world.rank), "parameters are none of its business")
    try world.average(UnsafeMutableBufferPointer(start: nil, count: 0))
  }

  /// Filters from the data are statistics that no rank changes, and so is all that synchronised batch norm keeps.
  func testStatisticsThatAreTheSameStayToTheBit() throws {
    let store = ParameterStore(
      [], statistics: [Parameter("whitening/weight", shape: [999], initialization: .normal(deviation: 1))], seed: 1)
    let before = store.statisticsBuffer.map(\.bitPattern)
    for _ in 0..<5 { try world.average(store.statisticsBuffer) }
    XCTAssertEqual(store.statisticsBuffer.map(\.bitPattern), before)
  }

  func testSumsOverRanksDoNotMixWithGradientsUnderWay() throws {
    let sums = try RankSums(over: world)
    let gradients = AlignedBuffer<Float>(count: 1_000)
    gradients.buffer.update(repeating: 1)
    let requests = RequestSet(capacity: 1)
    try requests.startAllreduce(inPlace: gradients.buffer, .sum, on: world)
    let values = AlignedBuffer<Double>(count: 3)
    for index in 0..<3 { values.pointer[index] = Double(world.rank + index) }
    sums.sum(values.buffer)
    try sums.requireSuccess()
    try requests.waitAll()
    let total = Double(world.size * (world.size - 1) / 2)
    XCTAssertEqual(Array(values.buffer), (0..<3).map { total + Double($0 * world.size) })
    XCTAssertTrue(gradients.buffer.allSatisfy { $0 == Float(world.size) })
  }
}
