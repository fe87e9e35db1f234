import Foundation
import KitiCore
import XCTest

/// Filters that make patches uncorrelated, and the convolution with them.
final class WhiteningConvolutionTests: XCTestCase {
  private struct Rig {
    let layer: WhiteningConvolution
    let parameters: ParameterStore
    let statistics: ParameterStore

    init(_ shape: [Int]) {
      layer = WhiteningConvolution("whitening", inputShape: shape)
      parameters = ParameterStore(layer.parameters, seed: 1)
      statistics = ParameterStore(layer.statistics, seed: 1)
    }

    func output(_ input: GuardedArray, count: Int) -> [Float] {
      let output = GuardedArray(count: count * layer.outputShape.reduce(1, *))
      layer.forward(input.pointer, into: output.pointer, samples: 0..<count, pass: .evaluation)
      XCTAssertTrue(output.guardsHold)
      return output.values
    }
  }

  /// The covariance of the first half of the outputs.
  private func covariance(_ output: [Float], filters: Int) -> [[Double]] {
    let rows = stride(from: 0, to: output.count, by: 2 * filters).map { output[$0..<$0 + filters].map(Double.init) }
    let means = (0..<filters).map { filter in rows.reduce(0) { $0 + $1[filter] } / Double(rows.count) }
    return (0..<filters).map { i in
      (0..<filters).map { j in
        rows.reduce(0) { $0 + ($1[i] - means[i]) * ($1[j] - means[j]) } / Double(rows.count)
      }
    }
  }

  private func assertWhite(_ images: [Float], shape: [Int], _ name: String) {
    let rig = Rig(shape)
    let count = images.count / shape.reduce(1, *)
    let input = GuardedArray(images)
    rig.layer.fit(to: input.pointer, count: count)
    let filters = 4 * shape[2]
    let output = rig.output(input, count: count)
    for (i, row) in covariance(output, filters: filters).enumerated() {
      for (j, value) in row.enumerated() {
        XCTAssertEqual(value, i == j ? 1 : 0, accuracy: 1e-3, "\(name), \(i) and \(j)")
      }
    }
    for place in stride(from: 0, to: output.count, by: 2 * filters) {
      for filter in place..<place + filters {
        XCTAssertEqual(output[filter], -output[filter + filters], accuracy: 1e-4, name)
      }
    }
  }

  func testPatchesOfRandomAndOfCorrelatedImagesBecomeWhite() {
    var numbers = TestNumbers(31)
    for channels in [1, 3] {
      let shape = [9, 7, channels]
      assertWhite(numbers.normals(20 * shape.reduce(1, *), scale: 2), shape: shape, "random, \(channels)")
      // Each pixel follows the one before it in the row and the channel, around a mean far from 0.
      var images = numbers.normals(20 * shape.reduce(1, *), scale: 3)
      for index in channels..<images.count { images[index] += 0.8 * (images[index - channels] + images[index - 1]) / 2 }
      assertWhite(images.map { $0 + 5 }, shape: shape, "correlated, \(channels)")
    }
  }

  func testDirectionsWithoutVarianceStayQuiet() {
    let rig = Rig([6, 6, 1])
    var numbers = TestNumbers(33)
    // Every image has one colour: patches differ in one direction only.
    let input = GuardedArray((0..<50).flatMap { _ in [Float](repeating: Float(numbers.normal()), count: 36) })
    rig.layer.fit(to: input.pointer, count: 50)
    let covariance = covariance(rig.output(input, count: 50), filters: 4)
    XCTAssertEqual(covariance[0][0], 1, accuracy: 1e-3)
    for filter in 1..<4 { XCTAssertEqual(covariance[filter][filter], 0, accuracy: 1e-6) }
    let largest = (0..<rig.layer.weight.count).map { abs(rig.layer.weight.values[$0]) }.max()!
    XCTAssertLessThanOrEqual(largest, Float(1 / 5e-4.squareRoot()) * 1.001)
  }

  func testForwardAndBiasGradientAgainstTheReference() {
    var numbers = TestNumbers(35)
    for shape in [[2, 2, 1], [5, 4, 3], [3, 9, 5]] {
      let rig = Rig(shape)
      let size = shape.reduce(1, *)
      let input = GuardedArray(numbers.normals(3 * size))
      for index in 0..<rig.layer.bias.count { rig.layer.bias.values[index] = Float(numbers.normal()) }
      let weight = (0..<rig.layer.weight.count).map { Double(rig.layer.weight.values[$0]) }
      let bias = (0..<rig.layer.bias.count).map { Double(rig.layer.bias.values[$0]) }
      let images = (0..<3).map { Array(input.values.doubles[$0 * size..<($0 + 1) * size]) }
      let expected = images.flatMap {
        Reference.validConvolution($0, shape: shape, weight: weight, bias: bias, kernel: 2).values
      }
      assertClose(rig.output(input, count: 3), expected, within: 2e-6, "\(shape)")
      let g = GuardedArray(numbers.normals(expected.count))
      let outputSize = expected.count / 3
      rig.layer.backward(
        input.pointer, outputGradient: g.pointer, into: nil, samples: 1..<3, pass: Pass(isTraining: true))
      var sums = [Double](repeating: 0, count: bias.count)
      for index in outputSize..<3 * outputSize { sums[index % bias.count] += Double(g.values[index]) }
      assertClose((0..<bias.count).map { rig.layer.bias.gradients[$0] }, sums, within: 2e-6, "\(shape), bias")
    }
  }
}
