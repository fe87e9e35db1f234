import Foundation
import KitiCore
import KitiMPI
import KitiTestSupport
import XCTest

extension MPITestCase {
  /// The names in the test's folder, or in one in it.
  func names(in subfolder: String = "") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/\(subfolder)").sorted()
  }
}

/// A model of odd shapes with the state of an optimizer, filled with numbers that depend on a seed only, so that all
/// ranks hold the same.
struct Sample {
  static let configuration = "name: Größe\nseed: 7\nmodel: {kind: fno1d}\n"
  static let shapes: [(String, [Int])] = [
    ("lift/weight", [1, 17]), ("blocks/0/spectral/weight", [2, 3, 5, 7]), ("blocks/0/pointwise/weight", [13, 11]),
    ("blocks/0/pointwise/bias", [1]), ("blocks/1/empty", [3, 0]), ("blocks/1/scale", []), ("head/weight", [129]),
  ]

  let store: ParameterStore
  let optimizer: [(name: String, buffer: AlignedBuffer<Float>)]
  var state: TrainingState

  /// - Parameter seed: 0 leaves zeros everywhere.
  ///
  /// The state `average`, if there is one, covers the statistics as well.
  init(
    shapes: [(String, [Int])] = Sample.shapes, statistics: [(String, [Int])] = [], states: [String] = ["square", "mean"],
    seed: UInt64 = 1
  ) {
    func parameters(_ shapes: [(String, [Int])]) -> [Parameter] {
      shapes.map { Parameter($0.0, shape: $0.1, initialization: .zero) }
    }
    let store = ParameterStore(parameters(shapes), statistics: parameters(statistics), seed: 1)
    self.store = store
    optimizer = states.map { ($0, AlignedBuffer(count: $0 == "average" ? store.values.count : store.count)) }
    state = TrainingState(
      step: 12, epoch: 3, stepInEpoch: 2, samplesInEpoch: 80, seed: .max - seed, worldSize: 4, globalBatch: 40,
      bestMetric: 0.1 + 0.2, elapsedSeconds: 1.0 / 3, collisionLengths: [1.0 / 7, 1, 1e6],
      learningRateFactor: 0.0625)
    guard seed != 0 else { return }
    var bits = seed
    for buffer in buffers {
      for range in store.ranges + store.statisticsRanges where range.upperBound <= buffer.count {
        for index in range {
          bits = bits &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          // Any pattern at all: infinite values, denormal ones and those that are not numbers as well.
          buffer.pointer[index] = Float(bitPattern: UInt32(truncatingIfNeeded: bits >> 32))
        }
      }
    }
  }

  var buffers: [AlignedBuffer<Float>] { [store.values] + optimizer.map(\.buffer) }

  /// Every bit of every buffer, gaps included.
  var bits: [[UInt32]] {
    buffers.map { buffer in withExtendedLifetime(buffer) { buffer.buffer.map(\.bitPattern) } }
  }

  func write(to path: String, _ communicator: Communicator) throws {
    try Checkpoint.write(
      to: path, store: store, optimizerState: optimizer, state: state, configuration: Self.configuration,
      communicator: communicator)
  }

  @discardableResult
  func read(from path: String, _ communicator: Communicator) throws -> TrainingState {
    try Checkpoint.read(from: path, into: store, optimizerState: optimizer, communicator: communicator)
  }
}

/// Checks that `body` throws an error of this kind whose text holds all of `fragments`. The error.
@discardableResult
func assertCheckpointError(
  _ kind: KitiError.Kind, naming fragments: String..., file: StaticString = #filePath, line: UInt = #line,
  _ body: () throws -> Void
) -> KitiError? {
  do {
    try body()
    XCTFail("nothing was thrown", file: file, line: line)
  } catch where error is KitiError || error is AgreedFailure {
    let error = KitiError(describing: error)
    XCTAssertEqual(error.kind, kind, "\(error)", file: file, line: line)
    for fragment in fragments {
      XCTAssertTrue(error.description.contains(fragment), "'\(fragment)' missing in: \(error)", file: file, line: line)
    }
    return error
  } catch {
    XCTFail("\(error)", file: file, line: line)
  }
  return nil
}
