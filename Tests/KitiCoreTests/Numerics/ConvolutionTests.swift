import KitiCore
import XCTest

/// All kernels keep what `ConvolutionKernel` promises, against a plain form in double precision.
final class ConvolutionTests: XCTestCase {
  private static let sizes = [(1, 1), (2, 3), (4, 4), (5, 7), (8, 8)]
  private static let channels = [(1, 1), (3, 16), (16, 16), (17, 5), (32, 48), (67, 33)]

  /// A kernel and the stride that it is tested with.
  private struct Trial {
    let kernel: any ConvolutionKernel.Type
    let stride: Int

    func shape(_ height: Int, _ width: Int, _ inputs: Int, _ outputs: Int) -> ConvolutionShape {
      ConvolutionShape(
        height: height, width: width, inputs: inputs, outputs: outputs, kernel: 3, stride: stride, padding: 1)
    }

    var shapes: [ConvolutionShape] {
      ConvolutionTests.sizes.flatMap { size in
        ConvolutionTests.channels.map { shape(size.0, size.1, $0.0, $0.1) }
      } + [(33, 31, 7, 18), (4, 4, 140, 130), (9, 4, 130, 66), (3, 2_080, 9, 10)].map(shape)
    }
  }

  private static var trials: [Trial] {
    [
      Trial(kernel: DirectConvolution.self, stride: 1), Trial(kernel: WinogradConvolution.self, stride: 1),
      Trial(kernel: WinogradConvolution.self, stride: 2),
    ]
  }

  func testPlainConvolutionAndGradients() {
    for trial in ConvolutionTests.trials {
      for (index, shape) in trial.shapes.enumerated() {
        for samples in index % 4 == 0 ? [1, 3] : [1 + index % 2 * 2] {
          ConvolutionCase(shape, samples: samples, fusion: 0, seed: index).check(trial.kernel)
        }
      }
    }
  }

  func testEverythingThatIsFused() {
    for trial in ConvolutionTests.trials {
      for (index, shape) in trial.shapes.enumerated() {
        ConvolutionCase(shape, samples: 1 + index % 2 * 2, fusion: 1 + index % 3, seed: index).check(trial.kernel)
      }
    }
  }

  func testAnotherGradientAtEverySecondPlace() {
    for kernel: any ConvolutionKernel.Type in [DirectConvolution.self, WinogradConvolution.self] {
      for (index, shape) in Trial(kernel: kernel, stride: 2).shapes.enumerated() {
        ConvolutionCase(shape, samples: 1 + index % 2 * 2, fusion: 4, seed: index).check(kernel)
      }
    }
  }

  func testOtherKernelsAndStrides() {
    for (kernel, stride, padding) in [(1, 1, 0), (1, 2, 0), (3, 2, 1), (5, 1, 2), (2, 2, 0), (7, 3, 3)] {
      for (height, width) in [(7, 9), (8, 8)] {
        let shape = ConvolutionShape(
          height: height, width: width, inputs: 5, outputs: 18, kernel: kernel, stride: stride, padding: padding)
        ConvolutionCase(shape, samples: 2, fusion: kernel % 4, seed: kernel).check(DirectConvolution.self)
      }
    }
  }

  func testNoSamplesChangeNothing() {
    for trial in ConvolutionTests.trials {
      ConvolutionCase(trial.shape(5, 5, 4, 6), samples: 0, fusion: 1, seed: 1).check(trial.kernel)
    }
  }

  func testKernelsAreUsedAgainWithFewerSamples() {
    for trial in ConvolutionTests.trials {
      let shape = trial.shape(6, 5, 18, 20)
      let kernel = trial.kernel.init(shape, capacity: 5)
      for samples in [5, 2, 4] { ConvolutionCase(shape, samples: samples, fusion: 1, seed: samples).check(kernel) }
    }
  }

  /// Sums over a whole batch of places are accurate enough for a variance.
  func testSumsOfManyPlaces() {
    for trial in ConvolutionTests.trials {
      ConvolutionCase(trial.shape(16, 16, 3, 16), samples: 8, fusion: 2, seed: 3).check(trial.kernel)
    }
  }

  /// More tiles than are transformed together, with few channels and with weights that are kept and that are not.
  func testBatchesOfManyBlocks() {
    for trial in ConvolutionTests.trials.dropFirst() {
      for (channels, samples) in [((16, 16), 60), ((140, 130), 140), ((352, 360), 140)] {
        let shape = trial.shape(1, 1, channels.0, channels.1)
        ConvolutionCase(shape, samples: samples, fusion: 1, seed: 5).check(trial.kernel)
      }
    }
  }

  func testErrorOfWinogradStaysSmallForManyChannels() {
    for trial in ConvolutionTests.trials.dropFirst() {
      ConvolutionCase(trial.shape(4, 4, 512, 32), samples: 2, fusion: 0, seed: 1).check(trial.kernel, tolerance: 1e-5)
    }
  }

  func testNaNPassesThroughReading() {
    for trial in ConvolutionTests.trials {
      let shape = trial.shape(8, 8, 16, 16)
      let kernel = trial.kernel.init(shape, capacity: 1)
      var values = [Float](repeating: 1, count: shape.inputSize)
      values[9 * 16 + 5] = .nan
      let (x, w) = (GuardedArray(values), GuardedArray(count: shape.weightCount, repeating: 0.5))
      let (scale, shift) = (GuardedArray(count: 16, repeating: 1), GuardedArray(count: 16, repeating: 0))
      let y = GuardedArray(count: shape.outputSize, repeating: 0)
      let normalization = (scale: UnsafePointer(scale.pointer), shift: UnsafePointer(shift.pointer))
      let source = NormalizedValues(x.pointer, normalization: normalization)
      kernel.forward(source, weight: w.pointer, into: y.pointer, samples: 1, sums: nil)
      XCTAssertTrue(y.values[..<((4 - trial.stride) * 16)].allSatisfy(\.isNaN), "\(trial.kernel)")
    }
  }

  func testMaskOfNaNLetsNothingPass() {
    for trial in ConvolutionTests.trials {
      let shape = trial.shape(4, 4, 16, 16)
      let kernel = trial.kernel.init(shape, capacity: 1)
      var mask = [Float](repeating: 1, count: shape.inputSize)
      mask[37] = .nan
      let x = GuardedArray(count: shape.inputSize, repeating: 1)
      let g = GuardedArray(count: shape.outputSize, repeating: 1)
      let (w, m) = (GuardedArray(count: shape.weightCount, repeating: 0.5), GuardedArray(mask))
      let (dw, dx) = (GuardedArray(count: shape.weightCount, repeating: 0), GuardedArray(count: shape.inputSize))
      kernel.backward(
        NormalizedValues(x.pointer), gradient: ConvolutionGradient(g.pointer), weight: w.pointer,
        weightGradient: dw.pointer, inputGradient: dx.pointer, finish: GradientFinish(mask: .rectified(m.pointer)),
        samples: 1)
      XCTAssertEqual(dx.values[37], 0)
      XCTAssertEqual(dx.values.count { $0 != 0 }, shape.inputSize - 1)
    }
  }

  func testNothingIsAllocated() throws {
    for trial in ConvolutionTests.trials {
      for shape in [trial.shape(8, 8, 16, 16), trial.shape(5, 7, 140, 130)] {
        let convolution = ConvolutionCase(shape, samples: 3, fusion: 1, seed: 2)
        let run = convolution.prepared(trial.kernel.init(shape, capacity: 3))
        run()
        guard let count = AllocationCount.during(run) else {
          throw XCTSkip("this runtime does not let allocations be counted")
        }
        XCTAssertEqual(count, 0, "\(trial.kernel) of \(shape)")
      }
    }
  }
}
