import KitiCore
import XCTest

/// The cross-entropy of soft-max probabilities, its gradient and the count of correct predictions.
final class SoftmaxCrossEntropyTests: XCTestCase {
  private typealias Result = (loss: Double, correct: Int, gradient: [Float])

  private func run(
    _ prediction: [Float], _ target: [Float], smoothing: Double = 0, scale: Float = 1
  ) -> Result {
    let (x, t) = (GuardedArray(prediction), GuardedArray(target))
    let gradient = GuardedArray(count: prediction.count)
    let loss = SoftmaxCrossEntropy(labelSmoothing: smoothing)
    func sum(_ gradient: UnsafeMutablePointer<Float>?) -> (loss: Double, correct: Int) {
      loss.sum(
        prediction: x.pointer, target: t.pointer, batch: target.count,
        classes: target.isEmpty ? 3 : prediction.count / target.count, scale: scale, gradient: gradient)
    }
    let result = sum(gradient.pointer)
    XCTAssertTrue(gradient.guardsHold)
    XCTAssertEqual(sum(nil).loss.bitPattern, result.loss.bitPattern, "evaluation gives another loss")
    return (result.loss, result.correct, gradient.values)
  }

  func testLossGradientAndCountMatchPyTorch() throws {
    for (name, fixture) in try Fixture("losses")["crossEntropy"].cases() {
      let target = try fixture.floats("target")
      let result = run(
        try fixture.floats("prediction"), target, smoothing: try fixture.number("labelSmoothing"),
        scale: 1 / Float(target.count))
      let loss = try fixture.number("loss")
      XCTAssertEqual(result.loss / Double(target.count), loss, accuracy: 1e-9 * max(loss, 1e-3), name)
      XCTAssertEqual(result.correct, try fixture.count("correct"), name)
      assertClose(result.gradient, try fixture.doubles("predictionGradient"), within: 2e-7, magnitude: 1e-3, name)
    }
  }

  func testHugePredictionsNeitherOverflowNorVanish() {
    let sure = run([3e38, -3e38, 0], [0])
    XCTAssertEqual(sure.loss, 0)
    XCTAssertEqual(sure.gradient, [0, 0, 0])
    let wrong = run([1e4, 0], [1])
    XCTAssertEqual(wrong.loss, 1e4, accuracy: 1e-6)
    XCTAssertEqual(wrong.gradient, [1, -1])
    XCTAssertEqual(wrong.correct, 0)
    XCTAssertEqual(run([-.infinity, 0, 0], [1]).loss, log(2), accuracy: 1e-12, "a class of probability 0")
  }

  func testTheFirstOfEqualPredictionsCounts() {
    XCTAssertEqual(run([1, 1, 0, 2, 2, 2], [0, 1]).correct, 1)
  }

  func testNonFinitePredictionsShowInTheLoss() {
    for bad in [Float.nan, .infinity] {
      XCTAssertTrue(run([0, bad, 1], [0]).loss.isNaN)
      XCTAssertTrue(run([bad, 0, 1], [0]).loss.isNaN)
    }
  }

  func testNoSamples() {
    let result = run([], [])
    XCTAssertEqual(result.loss, 0)
    XCTAssertEqual(result.correct, 0)
  }
}
