import KitiCore
import KitiMPI
import KitiTestSupport
import XCTest

/// A rank with other parameters is found, and the parameter named.
final class ParameterConsistencyTests: MPITestCase {
  private func store() -> ParameterStore {
    ParameterStore(
      ["lift/weight", "blocks/0/bias", "head/weight"].map {
        Parameter($0, shape: [5, 7], initialization: .uniform(low: -1, high: 1))
      }, seed: 4)
  }

  func testEqualParametersPass() throws {
    try ParameterConsistency(store: store(), communicator: world).check(step: 3)
  }

  func testRankAndFirstParameterThatDiffersAreNamed() throws {
    try XCTSkipIf(world.size == 1, "one rank is always consistent")
    let store = store()
    if world.rank == world.size - 1 {
      // One bit, in two parameters: the store holds them in the reverse order, and the first is the model's first.
      for range in store.ranges.prefix(2) {
        let place = store.values.pointer + range.lowerBound + 2
        place.pointee = Float(bitPattern: place.pointee.bitPattern ^ 1)
      }
    }
    XCTAssertThrowsError(try ParameterConsistency(store: store, communicator: world).check(step: 3)) { error in
      let text = KitiError(describing: error).description
      XCTAssertTrue(error is AgreedFailure)
      XCTAssertTrue(text.contains("After step 3 rank \(world.size - 1) hold"), text)
      XCTAssertTrue(text.contains("'blocks/0/bias'"), text)
    }
    try world.barrier()
  }
}
