import KitiCore
import XCTest

/// The convolution by gathered products against plain loops in double precision.
final class DirectConvolutionTests: XCTestCase {
  /// Which of the folded passes a trial uses.
  private struct Form {
    var normalizesSource = false
    var normalizesGradient = false
    /// 0: none, 1: another array, 2: the array that receives the result, 3: every second place of another array.
    var other = 0
    /// 0: none, 1: rectified, 2: normalized.
    var mask = 0
    var sums = false
  }

  private func check(_ shape: ConvolutionShape, samples: Int, _ form: Form, _ numbers: inout TestNumbers) {
    let (inputCount, outputCount) = (samples * shape.inputSize, samples * shape.outputSize)
    var trial = ConvolutionTrial(
      shape: shape, samples: samples, x: numbers.floats(inputCount), weight: numbers.floats(shape.weightCount),
      sourceNumbers: form.normalizesSource ? (numbers.floats(shape.inputs), numbers.floats(shape.inputs)) : nil,
      g: numbers.floats(outputCount), z: numbers.floats(outputCount),
      gradientNumbers: form.normalizesGradient
        ? (numbers.floats(shape.outputs), numbers.floats(shape.outputs), numbers.floats(shape.outputs)) : nil,
      other: form.other > 0 ? numbers.floats(inputCount) : nil, masked: numbers.floats(inputCount),
      maskNumbers: (numbers.floats(shape.inputs), numbers.floats(shape.inputs)), factor: numbers.floats(inputCount))
    let otherStride = form.other == 3 ? 2 : 1
    let sampled = trial.sampleOther(stride: otherStride)
    let what = "\(shape), \(samples) samples, \(form)"
    let kernel = DirectConvolution(shape, capacity: samples)
    let y = GuardedArray(count: outputCount, repeating: .nan)
    let sums = AlignedBuffer<Double>(count: 2 * shape.outputs)
    let weightGradientBefore = numbers.floats(shape.weightCount)
    let weightGradient = GuardedArray(weightGradientBefore)
    let other = GuardedArray(sampled)
    let result = form.other == 2 ? other : GuardedArray(count: inputCount, repeating: .nan)
    let inputSums = AlignedBuffer<Double>(count: 2 * shape.inputs)
    let arrays = [
      trial.x, trial.weight, trial.sourceNumbers?.0 ?? [], trial.sourceNumbers?.1 ?? [], trial.g, trial.z,
      trial.gradientNumbers?.0 ?? [], trial.gradientNumbers?.1 ?? [], trial.gradientNumbers?.2 ?? [], trial.masked,
      trial.maskNumbers.0, trial.maskNumbers.1, trial.factor,
    ].map { GuardedArray($0) }
    let p = arrays.map { UnsafePointer($0.pointer) }
    let source = NormalizedValues(p[0], normalization: form.normalizesSource ? (p[2], p[3]) : nil)
    let gradient = ConvolutionGradient(
      p[4],
      normalization: form.normalizesGradient
        ? .init(output: p[5], gradientScale: p[6], outputScale: p[7], shift: p[8]) : nil)
    let mask: GradientFinish.Mask = [.none, .rectified(p[9]), .normalized(p[9], scale: p[10], shift: p[11])][form.mask]
    let finish = GradientFinish(
      other: form.other > 0 ? UnsafePointer(other.pointer) : nil, otherStride: otherStride, mask: mask,
      sums: form.sums ? .init(factor: p[12], sums: inputSums.pointer) : nil)

    kernel.forward(
      source, weight: p[1], into: y.pointer, samples: samples, sums: form.sums ? sums.pointer : nil)
    // Twice into the weight's gradient, of which once without a gradient of the input.
    kernel.backward(
      source, gradient: gradient, weight: p[1], weightGradient: weightGradient.pointer, inputGradient: nil,
      finish: GradientFinish(), samples: samples)
    kernel.backward(
      source, gradient: gradient, weight: p[1], weightGradient: weightGradient.pointer, inputGradient: result.pointer,
      finish: finish, samples: samples)

    XCTAssertTrue(
      y.guardsHold && weightGradient.guardsHold && result.guardsHold && other.guardsHold, "wrote outside: \(what)")
    expect(y, trial.output(), "output: \(what)")
    let expected = trial.weightGradient()
    expect(
      weightGradient,
      expected.indices.map {
        (Double(weightGradientBefore[$0]) + 2 * expected[$0].value, 1 + 2 * expected[$0].magnitude)
      }, "weight gradient: \(what)")
    expect(result, trial.inputGradient(mask: form.mask), "input gradient: \(what)")
    guard form.sums else { return }
    // The sums are those of the numbers that were written.
    expectSums(sums, y, y, shape.outputs, "output's sums: \(what)")
    expectSums(inputSums, result, arrays[12], shape.inputs, "input gradient's sums: \(what)")
  }

  private func expect(_ found: GuardedArray, _ expected: [(value: Double, magnitude: Double)], _ what: String) {
    for (index, wanted) in expected.enumerated() {
      let error = abs(Double(found.pointer[index]) - wanted.value)
      if !(error <= 2e-6 * wanted.magnitude + 1e-7) {
        return XCTFail("[\(index)] is \(found.pointer[index]), not \(wanted.value): \(what)")
      }
    }
  }

  private func expectSums(
    _ found: AlignedBuffer<Double>, _ x: GuardedArray, _ factor: GuardedArray, _ channels: Int, _ what: String
  ) {
    var (expected, magnitude) = ([Double](repeating: 0, count: 2 * channels), [Double](repeating: 0, count: 2 * channels))
    for index in 0..<x.count {
      let (value, product) = (Double(x.pointer[index]), Double(x.pointer[index]) * Double(factor.pointer[index]))
      expected[index % channels] += value
      magnitude[index % channels] += abs(value)
      expected[channels + index % channels] += product
      magnitude[channels + index % channels] += abs(product)
    }
    for index in 0..<2 * channels {
      XCTAssertEqual(found.pointer[index], expected[index], accuracy: 1e-6 * magnitude[index] + 1e-9, what)
    }
  }

  private func randomForm(_ numbers: inout TestNumbers) -> Form {
    Form(
      normalizesSource: Bool.random(using: &numbers), normalizesGradient: Bool.random(using: &numbers),
      other: Int.random(in: 0...3, using: &numbers), mask: Int.random(in: 0...2, using: &numbers),
      sums: Bool.random(using: &numbers))
  }

  func testEveryKernelStrideAndPadding() {
    var numbers = TestNumbers(11)
    for kernel in 1...7 {
      for stride in 1...3 {
        for padding in 0...3 {
          let shape = ConvolutionShape(
            height: Int.random(in: 1...9, using: &numbers), width: Int.random(in: 1...9, using: &numbers),
            inputs: Int.random(in: 1...20, using: &numbers), outputs: Int.random(in: 1...20, using: &numbers),
            kernel: kernel, stride: stride, padding: padding)
          check(shape, samples: [0, 1, 3].randomElement(using: &numbers)!, randomForm(&numbers), &numbers)
        }
      }
    }
  }

  func testEveryNumberOfChannels() {
    var numbers = TestNumbers(12)
    for channels in 1...67 {
      let stride = 1 + channels % 2
      for (inputs, outputs) in [(channels, 68 - channels), (channels, 3 + channels % 5)] {
        check(
          ConvolutionShape(
            height: 5, width: 4, inputs: inputs, outputs: outputs, kernel: 1 + channels % 3, stride: stride, padding: 1),
          samples: 1 + channels % 3, randomForm(&numbers), &numbers)
      }
    }
  }

  func testEveryFormOfSomeShapes() {
    var numbers = TestNumbers(13)
    let shapes = [
      ConvolutionShape(height: 6, width: 6, inputs: 16, outputs: 32, kernel: 3, stride: 2, padding: 1),
      ConvolutionShape(height: 5, width: 7, inputs: 6, outputs: 40, kernel: 1, padding: 0),
      ConvolutionShape(height: 5, width: 4, inputs: 32, outputs: 17, kernel: 1, stride: 2, padding: 0),
      ConvolutionShape(height: 6, width: 5, inputs: 3, outputs: 24, kernel: 2, padding: 0),
    ]
    for shape in shapes {
      for bits in 0..<8 {
        for other in 0...3 {
          for mask in 0...2 {
            check(
              shape, samples: 2,
              Form(
                normalizesSource: bits & 1 == 0, normalizesGradient: bits & 2 == 0, other: other, mask: mask,
                sums: bits & 4 == 0), &numbers)
          }
        }
      }
    }
  }

  func testSeveralBlocksOfSamplesDepthAndColumns() {
    var numbers = TestNumbers(14)
    let shapes = [
      (ConvolutionShape(height: 32, width: 32, inputs: 3, outputs: 64, kernel: 3, padding: 1), 5),
      (ConvolutionShape(height: 8, width: 8, inputs: 70, outputs: 130, kernel: 3, stride: 2, padding: 1), 23),
      (ConvolutionShape(height: 2, width: 2, inputs: 24, outputs: 530, kernel: 1, padding: 0), 3),
    ]
    for (shape, samples) in shapes { check(shape, samples: samples, randomForm(&numbers), &numbers) }
  }

  func testKernelsThatDoNotFitLeaveNoOutputAndNoGradient() {
    var numbers = TestNumbers(15)
    let shape = ConvolutionShape(height: 2, width: 1, inputs: 3, outputs: 5, kernel: 7, stride: 2, padding: 1)
    XCTAssertEqual(shape.outputSize, 0)
    check(shape, samples: 2, Form(other: 1, mask: 1, sums: true), &numbers)
  }

  func testNaNPassesTheRectifierAndIsMasked() {
    let shape = ConvolutionShape(height: 3, width: 3, inputs: 2, outputs: 16, kernel: 1, padding: 0)
    let x = GuardedArray(count: shape.inputSize, repeating: -1)
    x.pointer[4 * 2] = .nan
    let weight = GuardedArray(count: shape.weightCount, repeating: 1)
    let (one, zero) = (GuardedArray(count: 2, repeating: 1), GuardedArray(count: 2, repeating: 0))
    let y = GuardedArray(count: shape.outputSize)
    let kernel = DirectConvolution(shape, capacity: 1)
    let normalization = (scale: UnsafePointer(one.pointer), shift: UnsafePointer(zero.pointer))
    let source = NormalizedValues(x.pointer, normalization: normalization)
    kernel.forward(source, weight: weight.pointer, into: y.pointer, samples: 1, sums: nil)
    for index in 0..<shape.outputSize {
      XCTAssertEqual(y.pointer[index].isNaN, index / 16 == 4)
      if index / 16 != 4 { XCTAssertEqual(y.pointer[index], 0) }
    }
    let g = GuardedArray(count: shape.outputSize, repeating: 1)
    let weightGradient = GuardedArray(count: shape.weightCount)
    for mask: GradientFinish.Mask in [
      .rectified(x.pointer), .normalized(x.pointer, scale: one.pointer, shift: zero.pointer),
    ] {
      let r = GuardedArray(count: shape.inputSize, repeating: .nan)
      kernel.backward(
        NormalizedValues(x.pointer), gradient: ConvolutionGradient(g.pointer),
        weight: weight.pointer, weightGradient: weightGradient.pointer, inputGradient: r.pointer,
        finish: GradientFinish(mask: mask), samples: 1)
      for index in 0..<shape.inputSize { XCTAssertEqual(r.pointer[index], 0) }
    }
  }
}
