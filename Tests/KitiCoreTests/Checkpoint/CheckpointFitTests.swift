import KitiCore
import KitiMPI
import KitiTestSupport
import XCTest

/// A checkpoint of another model or another optimizer is refused on all ranks, in words that tell the difference, and
/// leaves the model as it was.
final class CheckpointFitTests: MPITestCase {
  private func assertRefused(
    _ shapes: [(String, [Int])] = Sample.shapes, states: [String] = ["square", "mean"], naming fragments: [String],
    line: UInt = #line
  ) throws {
    try Sample().write(to: path(), world)
    let other = Sample(shapes: shapes, states: states, seed: 9)
    let before = other.bits
    let error = assertCheckpointError(.usage, naming: path(), line: line) { try other.read(from: path(), world) }
    for fragment in fragments {
      XCTAssertTrue("\(error!)".contains(fragment), "'\(fragment)' missing in: \(error!)", line: line)
    }
    XCTAssertEqual(other.bits, before, "the model was changed", line: line)
  }

  func testAMissingParameterIsNamed() throws {
    try assertRefused(
      Sample.shapes + [("more/weight", [4])], naming: ["1 parameter is missing in the file (more/weight [4])"])
  }

  func testAnUnexpectedParameterIsNamed() throws {
    try assertRefused(Sample.shapes.dropLast(), naming: ["1 parameter is unknown to the model (head/weight [129])"])
  }

  func testAnotherShapeIsShownBesideTheExpectedOne() throws {
    var shapes = Sample.shapes
    shapes[2].1 = [11, 13]
    try assertRefused(shapes, naming: ["blocks/0/pointwise/weight [13, 11] in the file and [11, 13] in the model"])
  }

  func testOfManyDifferencesTheFirstAreNamed() throws {
    let shapes = (0..<9).map { ("layers/\($0)/weight", [2]) }
    try assertRefused(
      shapes,
      naming: [
        "9 parameters are missing in the file (layers/0/weight [2], layers/1/weight [2], layers/2/weight [2], and 6 ",
        "7 parameters are unknown to the model",
      ])
  }

  func testAnOptimizerWithOtherStatesIsRefused() throws {
    try assertRefused(states: ["velocity"], naming: ["mean, square", "velocity"])
    try assertRefused(states: [], naming: ["this one has none"])
    try assertRefused(states: ["mean", "square", "maximum"], naming: ["maximum, mean, square"])
  }

  func testAStateShorterThanTheStoreIsRefused() throws {
    let sample = Sample()
    let short = [(name: "mean", buffer: AlignedBuffer<Float>(count: 3))]
    assertCheckpointError(.failed, naming: "mean", "3 numbers") {
      try Checkpoint.write(
        to: path(), store: sample.store, optimizerState: short, state: sample.state, configuration: "",
        communicator: world)
    }
  }
}
