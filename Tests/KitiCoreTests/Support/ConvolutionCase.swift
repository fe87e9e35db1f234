import KitiCore
import XCTest

/// A convolution with numbers for all that its contract takes, and what must come out.
struct ConvolutionCase {
  private let shape: ConvolutionShape
  private let samples: Int
  private let fusion: Int
  private var numbers: [String: GuardedArray] = [:]
  private let reference: ConvolutionReference
  private let weightGradient: GuardedArray
  private let inputGradient: GuardedArray
  private let output: GuardedArray

  /// - Parameter fusion: 0 for none, 1 for a folded batch norm on both sides and a mask from it, 2 for a mask from
  ///   rectified numbers and sums, 3 for another gradient that is the target itself, 4 for one at every second place and a
  ///   mask from rectified numbers.
  init(_ shape: ConvolutionShape, samples: Int, fusion: Int, seed: Int) {
    (self.shape, self.samples, self.fusion) = (shape, samples, fusion)
    var random = TestNumbers(seed)
    let (inputCount, outputCount) = (samples * shape.inputSize, samples * shape.outputSize)
    for (name, count) in [
      ("x", inputCount), ("w", shape.weightCount), ("g", outputCount), ("scale", shape.inputs),
      ("shift", shape.inputs), ("z", outputCount), ("gradientScale", shape.outputs), ("outputScale", shape.outputs),
      ("gradientShift", shape.outputs), ("other", inputCount), ("rectified", inputCount), ("factor", inputCount),
    ] {
      numbers[name] = GuardedArray(random.normals(count))
    }
    weightGradient = GuardedArray(random.normals(shape.weightCount))
    inputGradient = fusion == 3 ? GuardedArray(numbers["other"]!.values) : GuardedArray(count: inputCount)
    output = GuardedArray(count: outputCount)
    let doubles = numbers.mapValues { $0.values.doubles }
    var reference = ConvolutionReference(
      shape: shape, samples: samples, input: doubles["x"]!, weight: doubles["w"]!, gradient: doubles["g"]!)
    if fusion == 1 {
      reference.sourceNormalization = (doubles["scale"]!, doubles["shift"]!)
      reference.gradientNormalization = (
        doubles["z"]!, doubles["gradientScale"]!, doubles["outputScale"]!, doubles["gradientShift"]!
      )
      reference.mask = reference.source.map { $0 > 0 ? 1 : 0 }
      reference.factor = doubles["factor"]
    }
    if fusion == 2 {
      reference.mask = doubles["rectified"]!.map { $0 > 0 ? 1 : 0 }
      reference.other = doubles["other"]
      reference.factor = doubles["factor"]
    }
    if fusion == 3 { reference.other = doubles["other"] }
    if fusion == 4 {
      reference.mask = doubles["rectified"]!.map { $0 > 0 ? 1 : 0 }
      reference.other = ConvolutionCase.spread(doubles["other"]!, over: shape, samples: samples)
    }
    self.reference = reference
  }

  /// Numbers at every second place of an input, and zeros between.
  private static func spread(_ values: [Double], over shape: ConvolutionShape, samples: Int) -> [Double] {
    var result: [Double] = []
    var next = 0
    for _ in 0..<samples {
      for row in 0..<shape.height {
        for column in 0..<shape.width {
          let isTaken = row % 2 == 0 && column % 2 == 0
          result += isTaken ? values[next..<next + shape.inputs] : [Double](repeating: 0, count: shape.inputs)[...]
          if isTaken { next += shape.inputs }
        }
      }
    }
    return result
  }

  private func pointer(_ name: String) -> UnsafePointer<Float> { UnsafePointer(numbers[name]!.pointer) }

  private var source: NormalizedValues {
    NormalizedValues(pointer("x"), normalization: fusion == 1 ? (pointer("scale"), pointer("shift")) : nil)
  }

  private var gradient: ConvolutionGradient {
    guard fusion == 1 else { return ConvolutionGradient(pointer("g")) }
    return ConvolutionGradient(
      pointer("g"),
      normalization: .init(
        output: pointer("z"), gradientScale: pointer("gradientScale"), outputScale: pointer("outputScale"),
        shift: pointer("gradientShift")))
  }

  private func finish(_ sums: UnsafeMutablePointer<Double>) -> GradientFinish {
    let collected = GradientFinish.Sums(factor: pointer("factor"), sums: sums)
    switch fusion {
    case 1:
      return GradientFinish(
        mask: .normalized(pointer("x"), scale: pointer("scale"), shift: pointer("shift")), sums: collected)
    case 2: return GradientFinish(other: pointer("other"), mask: .rectified(pointer("rectified")), sums: collected)
    case 3: return GradientFinish(other: UnsafePointer(inputGradient.pointer))
    case 4: return GradientFinish(other: pointer("other"), otherStride: 2, mask: .rectified(pointer("rectified")))
    default: return GradientFinish()
    }
  }

  func check(_ type: any ConvolutionKernel.Type, tolerance: Double = 1e-5) {
    check(type.init(shape, capacity: max(1, samples)), tolerance: tolerance)
  }

  /// Runs both passes and compares all that they write, and once more without the input's gradient.
  func check(_ kernel: any ConvolutionKernel, tolerance: Double = 1e-5) {
    let name = "\(type(of: kernel)) of \(shape), \(samples) samples, fusion \(fusion)"
    let before = weightGradient.values.doubles
    var outputSums = [Double](repeating: 1, count: 2 * shape.outputs)
    var inputSums = [Double](repeating: 1, count: 2 * shape.inputs)
    kernel.forward(source, weight: pointer("w"), into: output.pointer, samples: samples, sums: &outputSums)
    inputSums.withUnsafeMutableBufferPointer {
      kernel.backward(
        source, gradient: gradient, weight: pointer("w"), weightGradient: weightGradient.pointer,
        inputGradient: inputGradient.pointer, finish: finish($0.baseAddress!), samples: samples)
    }
    let y = reference.output
    assertClose(output.values, y, within: tolerance, "output, \(name)")
    assertSumsClose(
      outputSums, ConvolutionReference.sums(y, y, channels: shape.outputs),
      magnitudes: ConvolutionReference.sums(y.map(abs), y.map(abs), channels: shape.outputs), "output, \(name)")
    let change = reference.weightGradient
    assertClose(weightGradient.values, zip(before, change).map(+), within: tolerance, "weight gradient, \(name)")
    let r = reference.inputGradient
    assertClose(inputGradient.values, r, within: tolerance, "input gradient, \(name)")
    let factor = reference.factor ?? r.map { _ in 0 }
    let magnitudes = ConvolutionReference.sums(r.map(abs), factor.map(abs), channels: shape.inputs)
    let expected = reference.factor.map { ConvolutionReference.sums(r, $0, channels: shape.inputs) }
    assertSumsClose(
      inputSums, expected ?? [Double](repeating: 0, count: 2 * shape.inputs), magnitudes: magnitudes,
      "input gradient, \(name)")

    kernel.backward(
      source, gradient: gradient, weight: pointer("w"), weightGradient: weightGradient.pointer, inputGradient: nil,
      finish: GradientFinish(), samples: samples)
    assertClose(
      weightGradient.values, zip(before, change).map { $0 + 2 * $1 }, within: tolerance,
      "second weight gradient, \(name)")
    let arrays = numbers.values + [weightGradient, inputGradient, output]
    XCTAssertTrue(arrays.allSatisfy(\.guardsHold), "something outside was written, \(name)")
  }

  /// Both passes with all that they take made ready.
  func prepared(_ kernel: any ConvolutionKernel) -> () -> Void {
    let sums = AlignedBuffer<Double>(count: 2 * max(shape.inputs, shape.outputs))
    let (source, gradient, finish, weight) = (source, gradient, finish(sums.pointer), pointer("w"))
    let (output, weightGradient, inputGradient) = (output.pointer, weightGradient.pointer, inputGradient.pointer)
    let samples = samples
    return {
      kernel.forward(source, weight: weight, into: output, samples: samples, sums: sums.pointer)
      kernel.backward(
        source, gradient: gradient, weight: weight, weightGradient: weightGradient, inputGradient: inputGradient,
        finish: finish, samples: samples)
    }
  }

  /// Sums that were added to 1.
  private func assertSumsClose(_ sums: [Double], _ expected: [Double], magnitudes: [Double], _ what: String) {
    for (index, (sum, value)) in zip(sums, expected).enumerated() {
      let error = abs(sum - 1 - value)
      XCTAssertTrue(error <= 3e-5 * max(1, magnitudes[index]), "sum \(index): \(sum - 1), not \(value), \(what)")
    }
  }
}
