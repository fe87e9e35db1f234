import KitiCore
import XCTest

/// Outputs and gradients of each layer against its reference, over whole batches and parts of them.
final class LayerGradientTests: XCTestCase {
  private func check(
    _ layer: any Layer, _ name: String, _ reference: @escaping ([Double], [[Double]]) -> [Double], seed: Int
  ) {
    let check = LayerCheck(layer: layer, name: name, reference: reference)
    check.run(batch: 1, pieces: [0..<1], seed: seed)
    check.run(batch: 3, pieces: [0..<3], seed: seed + 1)
    check.run(batch: 4, pieces: [1..<3], seed: seed + 2)
    check.run(batch: 4, pieces: [0..<1, 1..<4], seed: seed + 3)
  }

  func testLinear() {
    let shapes: [([Int], Int)] = [
      ([1, 1], 1), ([1], 1), ([5, 3], 7), ([4, 7], 8), ([3, 2], 9), ([1, 33], 1), ([6, 5], 17), ([2, 3, 4], 3),
      ([2, 1], 16), ([9, 8], 24),
    ]
    for (seed, (shape, outputs)) in shapes.enumerated() {
      check(
        Linear("linear", inputShape: shape, outputs: outputs), "linear \(shape) to \(outputs)",
        { Reference.linear($0, inputs: shape.last!, outputs: outputs, weight: $1[0], bias: $1[1]) }, seed: 10 * seed)
    }
  }

  func testMaximumPooling() {
    for (seed, (shape, kernel, stride)) in [
      ([1, 1, 1], 1, 1), ([2, 2, 3], 2, 2), ([5, 7, 17], 2, 2), ([4, 6, 33], 3, 1), ([3, 3, 16], 3, 3),
    ].enumerated() {
      check(
        Pooling2D(.maximum, inputShape: shape, kernel: kernel, stride: stride), "maximum of \(shape) by \(kernel)",
        { x, _ in Reference.maximum(x, shape: shape, kernel: kernel, stride: stride) }, seed: 10 * seed)
    }
    for (seed, shape) in [[1, 1], [3, 3, 5], [7, 2, 33], [16]].enumerated() {
      check(
        GlobalMaximumPooling(inputShape: shape), "global maximum of \(shape)",
        { x, _ in
          (0..<shape.last!).map { channel in
            stride(from: channel, to: x.count, by: shape.last!).map { x[$0] }.max()!
          }
        }, seed: 10 * seed)
    }
  }

  func testMaximumOfNotANumberIsNone() {
    let layer = GlobalMaximumPooling(inputShape: [3, 1])
    for place in 0..<3 {
      let input = GuardedArray((0..<3).map { $0 == place ? .nan : Float($0) })
      let output = GuardedArray(count: 1, repeating: 0)
      layer.forward(input.pointer, into: output.pointer, samples: 0..<1, pass: .evaluation)
      XCTAssertTrue(output.values[0].isNaN, "at place \(place)")
    }
  }

  func testActivation() {
    for (seed, shape) in [[1], [3, 5], [2, 8]].enumerated() {
      check(
        Activation(.gelu, shape: shape, capacity: 4), "gelu \(shape)", { x, _ in Reference.activation(.gelu, x) },
        seed: 10 * seed)
      check(
        Activation(.relu, shape: shape, capacity: 4), "relu \(shape)", { x, _ in Reference.activation(.relu, x) },
        seed: 10 * seed)
    }
  }

  func testSpectralConvolution() {
    let shapes: [(points: Int, inputs: Int, outputs: Int, modes: Int)] = [
      (1, 1, 1, 1), (2, 1, 1, 2), (12, 3, 3, 3), (15, 3, 5, 4), (16, 2, 9, 9), (18, 9, 2, 5), (8, 1, 1, 1),
      (20, 8, 8, 6), (9, 4, 4, 5), (7, 1, 8, 4),
    ]
    for (seed, shape) in shapes.enumerated() {
      check(
        SpectralConvolution1D(
          "spectral", inputShape: [shape.points, shape.inputs], outputs: shape.outputs, modes: shape.modes, capacity: 4
        ),
        "spectral \(shape)",
        {
          Reference.spectral(
            $0, points: shape.points, inputs: shape.inputs, outputs: shape.outputs, modes: shape.modes, weight: $1[0])
        }, seed: 10 * seed)
    }
  }

  func testActivationAddsTheScaledBranchFirst() {
    var numbers = TestNumbers(20)
    let layer = Activation(.gelu, shape: [7, 3], capacity: 2)
    let (x, v) = (GuardedArray(numbers.normals(21)), GuardedArray(numbers.normals(21)))
    let g = GuardedArray(numbers.normals(21))
    let output = GuardedArray(count: 21)
    layer.forward(1, x.pointer, plus: v.pointer, scale: 0.375, into: output.pointer, isTraining: true)
    let sum = zip(x.values, v.values).map { Double($0) + 0.375 * Double($1) }
    assertClose(output.values, Reference.activation(.gelu, sum), within: 5e-7)
    let upstream = g.values.doubles
    let expected = centralDifferences(of: { dot(Reference.activation(.gelu, $0), upstream) }, at: sum)
    layer.backward(1, outputGradient: g.pointer, into: g.pointer)
    assertClose(g.values, expected, within: 1e-6, "backward in place")
  }

  func testTheImaginaryPartsWithoutEffectGetNoGradient() {
    let layer = SpectralConvolution1D("s", inputShape: [8, 3], outputs: 3, modes: 5, capacity: 1)
    let store = ParameterStore(layer.parameters, seed: 3)
    var numbers = TestNumbers(21)
    let (x, g) = (GuardedArray(numbers.normals(24)), GuardedArray(numbers.normals(24)))
    let y = GuardedArray(count: 24)
    layer.forward(x.pointer, into: y.pointer, samples: 0..<1, pass: Pass(isTraining: true))
    layer.backward(x.pointer, outputGradient: g.pointer, into: nil, samples: 0..<1, pass: Pass(isTraining: true))
    for mode in [0, 4] {
      for index in 0..<9 { XCTAssertEqual(layer.weight.gradients[(2 * mode + 1) * 9 + index], 0, "mode \(mode)") }
    }
    withExtendedLifetime(store) {}
  }
}
