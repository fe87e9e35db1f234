import KitiCore
import XCTest

/// The relative L2 error and its gradient.
final class RelativeL2Tests: XCTestCase {
  private func run(
    _ prediction: [Float], _ target: [Float], batch: Int, scale: Float = 1
  ) -> (sum: Double, gradient: [Float]) {
    let gradient = GuardedArray(count: prediction.count)
    let (p, t) = (GuardedArray(prediction), GuardedArray(target))
    let sum = RelativeL2().sum(
      prediction: p.pointer, target: t.pointer, batch: batch, size: prediction.count / batch, scale: scale,
      gradient: gradient.pointer)
    XCTAssertTrue(gradient.guardsHold)
    let without = RelativeL2().sum(
      prediction: p.pointer, target: t.pointer, batch: batch, size: prediction.count / batch, scale: scale,
      gradient: nil)
    XCTAssertEqual(sum.bitPattern, without.bitPattern, "evaluation gives another loss")
    return (sum, gradient.values)
  }

  func testSumAndGradientMatchTheReference() {
    var numbers = TestNumbers(100)
    for (batch, size) in [(1, 1), (1, 7), (3, 16), (5, 33)] {
      let (p, t) = (numbers.normals(batch * size), numbers.normals(batch * size))
      let (sum, gradient) = run(p, t, batch: batch, scale: 0.25)
      let exact = Reference.relativeL2(p.doubles, t.doubles, size: size)
      XCTAssertEqual(sum, exact, accuracy: 1e-7 * exact)
      let differences = centralDifferences(
        of: { 0.25 * Reference.relativeL2($0, t.doubles, size: size) }, at: p.doubles)
      assertClose(gradient, differences, within: 5e-7, "\(batch) × \(size)")
    }
  }

  func testATargetOfZerosCountsTheNormOfThePrediction() {
    let (sum, gradient) = run([3, 4, 1, 2], [0, 0, 1, 0], batch: 2)
    XCTAssertEqual(sum, 5 + 2, accuracy: 1e-7)
    assertClose(gradient, [0.6, 0.8, 0, 1], within: 1e-7)
  }

  func testAnExactPredictionHasNoErrorAndNoGradient() {
    let (sum, gradient) = run([3, 4, 0, 0, 1, 2], [3, 4, 0, 0, 1, 1], batch: 3)
    XCTAssertEqual(sum, 1 / 2.0.squareRoot(), accuracy: 1e-7)
    XCTAssertEqual(Array(gradient[..<4]), [0, 0, 0, 0])
    XCTAssertEqual(gradient[4], 0)
    XCTAssertEqual(gradient[5], 1 / Float(2).squareRoot(), accuracy: 1e-6)
  }

  func testNonFinitePredictionsShowInTheSum() {
    XCTAssertTrue(run([.nan, 1], [1, 1], batch: 1).sum.isNaN)
    XCTAssertFalse(run([.infinity, 1], [1, 1], batch: 1).sum.isFinite)
  }

  func testLargeAndSmallNumbersDoNotOverflow() {
    let (sum, gradient) = run([2e30, 0, 2e-30, 0], [1e30, 0, 1e-30, 0], batch: 2)
    XCTAssertEqual(sum, 2, accuracy: 1e-6)
    XCTAssertEqual(gradient[0], 1e-30, accuracy: 1e-36)
    XCTAssertEqual(gradient[2], 1e30, accuracy: 1e24)
  }

  func testPyTorchAgrees() throws {
    for (name, fixture) in try Fixture("losses")["relativeL2"].cases() {
      let shape = try fixture.shape("prediction")
      let (sum, gradient) = run(
        try fixture.floats("prediction"), try fixture.floats("target"), batch: shape[0], scale: 1 / Float(shape[0]))
      let loss = try fixture.number("loss")
      XCTAssertEqual(sum / Double(shape[0]), loss, accuracy: 1e-7 * loss, name)
      assertClose(gradient, try fixture.doubles("predictionGradient"), within: 5e-7, name)
    }
  }
}
