import KitiCore
import XCTest

/// Both kernels keep what `ConvolutionKernel` promises, against a plain form in double precision.
final class ConvolutionTests: XCTestCase {
  private static let sizes = [(1, 1), (2, 3), (4, 4), (5, 7), (8, 8)]
  private static let channels = [(1, 1), (3, 16), (16, 16), (17, 5), (32, 48), (67, 33)]

  private var shapes: [ConvolutionShape] {
    ConvolutionTests.sizes.flatMap { size in
      ConvolutionTests.channels.map { ConvolutionTests.shape(size.0, size.1, $0.0, $0.1) }
    } + [(33, 31, 7, 18), (4, 4, 140, 130), (9, 4, 130, 66)].map(ConvolutionTests.shape)
  }

  private static func shape(_ height: Int, _ width: Int, _ inputs: Int, _ outputs: Int) -> ConvolutionShape {
    ConvolutionShape(height: height, width: width, inputs: inputs, outputs: outputs, kernel: 3, padding: 1)
  }

  private static var kernels: [any ConvolutionKernel.Type] { [DirectConvolution.self, WinogradConvolution.self] }

  func testPlainConvolutionAndGradients() {
    for kernel in ConvolutionTests.kernels {
      for (index, shape) in shapes.enumerated() {
        for samples in index % 4 == 0 ? [1, 3] : [1 + index % 2 * 2] {
          ConvolutionCase(shape, samples: samples, fusion: 0, seed: index).check(kernel)
        }
      }
    }
  }

  func testEverythingThatIsFused() {
    for kernel in ConvolutionTests.kernels {
      for (index, shape) in shapes.enumerated() {
        ConvolutionCase(shape, samples: 1 + index % 2 * 2, fusion: 1 + index % 3, seed: index).check(kernel)
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
    let shape = ConvolutionTests.shape(5, 5, 4, 6)
    for kernel in ConvolutionTests.kernels {
      ConvolutionCase(shape, samples: 0, fusion: 1, seed: 1).check(kernel)
    }
  }

  func testKernelsAreUsedAgainWithFewerSamples() {
    let shape = ConvolutionTests.shape(6, 5, 18, 20)
    for type in ConvolutionTests.kernels {
      let kernel = type.init(shape, capacity: 5)
      for samples in [5, 2, 4] { ConvolutionCase(shape, samples: samples, fusion: 1, seed: samples).check(kernel) }
    }
  }

  /// Sums over a whole batch of places are accurate enough for a variance.
  func testSumsOfManyPlaces() {
    for kernel in ConvolutionTests.kernels {
      ConvolutionCase(ConvolutionTests.shape(16, 16, 3, 16), samples: 8, fusion: 2, seed: 3).check(kernel)
    }
  }

  /// More tiles than are transformed together, with few channels and with weights that are kept and that are not.
  func testBatchesOfManyBlocks() {
    for (channels, samples) in [((16, 16), 60), ((140, 130), 140), ((352, 360), 140)] {
      let shape = ConvolutionTests.shape(1, 1, channels.0, channels.1)
      ConvolutionCase(shape, samples: samples, fusion: 1, seed: 5).check(WinogradConvolution.self)
    }
  }

  func testErrorOfWinogradStaysSmallForManyChannels() {
    let shape = ConvolutionTests.shape(4, 4, 512, 32)
    ConvolutionCase(shape, samples: 2, fusion: 0, seed: 1).check(WinogradConvolution.self, tolerance: 1e-5)
  }

  func testNaNPassesThroughReading() {
    let shape = ConvolutionTests.shape(8, 8, 16, 16)
    for type in ConvolutionTests.kernels {
      let kernel = type.init(shape, capacity: 1)
      var values = [Float](repeating: 1, count: shape.inputSize)
      values[9 * 16 + 5] = .nan
      let (x, w) = (GuardedArray(values), GuardedArray(count: shape.weightCount, repeating: 0.5))
      let (scale, shift) = (GuardedArray(count: 16, repeating: 1), GuardedArray(count: 16, repeating: 0))
      let y = GuardedArray(count: shape.outputSize, repeating: 0)
      let normalization = (scale: UnsafePointer(scale.pointer), shift: UnsafePointer(shift.pointer))
      let source = NormalizedValues(x.pointer, normalization: normalization)
      kernel.forward(source, weight: w.pointer, into: y.pointer, samples: 1, sums: nil)
      XCTAssertTrue(y.values[..<(3 * 16)].allSatisfy(\.isNaN), "\(type)")
    }
  }

  func testMaskOfNaNLetsNothingPass() {
    let shape = ConvolutionTests.shape(4, 4, 16, 16)
    for type in ConvolutionTests.kernels {
      let kernel = type.init(shape, capacity: 1)
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
    for type in ConvolutionTests.kernels {
      for shape in [ConvolutionTests.shape(8, 8, 16, 16), ConvolutionTests.shape(5, 7, 140, 130)] {
        let convolution = ConvolutionCase(shape, samples: 3, fusion: 1, seed: 2)
        let run = convolution.prepared(type.init(shape, capacity: 3))
        run()
        guard let count = AllocationCount.during(run) else {
          throw XCTSkip("this runtime does not let allocations be counted")
        }
        XCTAssertEqual(count, 0, "\(type) of \(shape)")
      }
    }
  }
}
