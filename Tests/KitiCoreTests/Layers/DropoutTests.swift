import KitiCore
import XCTest

/// Numbers that are dropped in training: how many, which, and their gradients.
final class DropoutTests: XCTestCase {
  private let pass = Pass(isTraining: true, seed: 5, step: 3, rank: 1)

  private func forward(_ layer: Dropout, samples: Range<Int>, _ pass: Pass, input: [Float]? = nil) -> [Float] {
    let size = layer.inputShape.reduce(1, *)
    let x = GuardedArray(input ?? [Float](repeating: 1, count: samples.upperBound * size))
    let y = GuardedArray(count: x.count, repeating: 7)
    layer.forward(x.pointer, into: y.pointer, samples: samples, pass: pass)
    XCTAssertTrue(y.guardsHold)
    return y.values
  }

  func testAShareOfTheRateIsDroppedAndTheRestScaled() {
    for rate in [0.1, 0.5, 0.9] {
      let values = forward(Dropout(shape: [100, 100], rate: rate, layerIndex: 0), samples: 0..<1, pass)
      let scale = Float(1 / (1 - rate))
      XCTAssertTrue(values.allSatisfy { $0 == 0 || $0 == scale })
      let share = Double(values.filter { $0 == 0 }.count) / 10_000
      XCTAssertEqual(share, rate, accuracy: 4 * (rate * (1 - rate) / 10_000).squareRoot())
    }
  }

  func testNothingIsDroppedInEvaluationOrAtRateZero() {
    var numbers = TestNumbers(1)
    let input = numbers.normals(30)
    XCTAssertEqual(
      forward(Dropout(shape: [10], rate: 0.5, layerIndex: 0), samples: 0..<3, .evaluation, input: input), input)
    XCTAssertEqual(forward(Dropout(shape: [10], rate: 0, layerIndex: 0), samples: 0..<3, pass, input: input), input)
  }

  func testTheBackwardPassDropsTheSameNumbers() {
    var numbers = TestNumbers(2)
    let layer = Dropout(shape: [37], rate: 0.4, layerIndex: 0)
    let values = forward(layer, samples: 0..<3, pass)
    let upstream = numbers.normals(3 * 37)
    let g = GuardedArray(upstream)
    layer.backward(g.pointer, outputGradient: g.pointer, into: g.pointer, samples: 0..<3, pass: pass)
    XCTAssertEqual(g.values, zip(upstream, values).map { $0 * $1 }, "in place")
  }

  func testStreamsOfTheRankDependOnRankStepPlaceAndLayer() {
    let layer = Dropout(shape: [64], rate: 0.5, layerIndex: 0)
    let two = forward(layer, samples: 0..<2, pass)
    XCTAssertNotEqual(Array(two[..<64]), Array(two[64...]), "two samples lose the same numbers")
    var other = pass
    other.firstSample = 1
    XCTAssertEqual(forward(layer, samples: 0..<1, other), Array(two[64...]), "accumulated batches go on")
    for change in [\Pass.step, \Pass.seed] {
      var other = pass
      other[keyPath: change] += 1
      XCTAssertNotEqual(forward(layer, samples: 0..<2, other), two)
    }
    var rank = pass
    rank.rank = 2
    XCTAssertNotEqual(forward(layer, samples: 0..<2, rank), two)
    XCTAssertNotEqual(forward(Dropout(shape: [64], rate: 0.5, layerIndex: 1), samples: 0..<2, pass), two)
  }

  func testStreamsOfTheSampleDependOnItsIndexAlone() {
    let layer = Dropout(shape: [64], rate: 0.5, layerIndex: 0, usesSampleStreams: true)
    [11, 12, 13].withUnsafeBufferPointer { indices in
      var pass = pass
      pass.sampleIndices = indices.baseAddress!
      let three = forward(layer, samples: 0..<3, pass)
      pass.sampleIndices = indices.baseAddress! + 2
      (pass.rank, pass.firstSample) = (0, 5)
      XCTAssertEqual(forward(layer, samples: 0..<1, pass), Array(three[128...]))
    }
  }
}
