import KitiCore
import KitiMPI
import KitiTestSupport
import XCTest

/// Ten images of noise, which a look moves and mirrors with nothing beyond their edges.
private final class Noise: SampleSource {
  let path = "noise"
  let inputShape = [8, 8, 3]
  let targetShape = [1]
  let classCount: Int? = 4

  func sampleCount(_ split: DataSplit) -> Int { 10 }

  func read(
    _ split: DataSplit, sample: Int, view: SampleView, input: UnsafeMutableBufferPointer<Float>,
    target: UnsafeMutableBufferPointer<Float>
  ) {
    var look = ImageAugmentation.Look()
    if case .look(let asked) = view { look = asked }
    for place in 0..<192 {
      let (y, x, channel) = (place / 24, place / 3 % 8, place % 3)
      let (row, column) = (y + look.down, (look.isMirrored ? 7 - x : x) + look.right)
      let isInside = (0..<8).contains(row) && (0..<8).contains(column)
      let pixel: Int = (sample * 8 + row) * 8 + column
      var random = TestNumbers(1_000 + 3 * pixel + channel)
      input[place] = isInside ? Float.random(in: -1...1, using: &random) : 0
    }
    target[0] = Float(sample % 4)
  }
}

final class EvaluationTests: MPITestCase {
  private let noise = Noise()
  private let objective = ClassificationObjective(classes: 4)

  private func model(capacity: Int) throws -> (model: ResNet, store: ParameterStore) {
    let shape = ResNet.Shape(depth: 8, classes: 4, inputShape: noise.inputShape, width: 8)
    let model = try ResNet(shape: shape, collision: CollisionOptions(scheme: .none), divide: [], capacity: capacity)
    return (model, ParameterStore(model, seed: 3))
  }

  /// Sample by sample and look by look, in double precision.
  private func expected(_ looks: [ImageAugmentation.Look]) throws -> [Double] {
    let (model, store) = try model(capacity: 1)
    return withExtendedLifetime(store) {
      var sums = objective.metrics.map { _ in 0.0 }
      var (input, target) = ([Float](repeating: 0, count: 192), [Float(0)])
      for sample in 0..<10 {
        var mean = [Double](repeating: 0, count: 4)
        for look in looks {
          input.withUnsafeMutableBufferPointer { input in
            target.withUnsafeMutableBufferPointer { target in
              noise.read(.test, sample: sample, view: .look(look), input: input, target: target)
            }
            let prediction = model.forward(UnsafePointer(input.baseAddress!), batch: 1, pass: .evaluation)
            for index in 0..<4 { mean[index] += Double(prediction[index]) / Double(looks.count) }
          }
        }
        objective.measure(prediction: mean.map { Float($0) }, target: target, batch: 1, sums: &sums)
      }
      return sums.map { $0 / 10 }
    }
  }

  func testPredictionsAreTheMeansOverAllViews() throws {
    var results: [[Double]] = []
    for views in [TestViews.plain, .init(flips: true), .init(shift: 1), .init(flips: true, shift: 2)] {
      let (model, store) = try model(capacity: 3)
      let result = try withExtendedLifetime(store) {
        try Evaluation(model: model, objective: objective, dataSet: noise, views: views)
          .run(.test, communicator: world)
      }
      XCTAssertEqual(result.samples, 10)
      assertClose(result.values.map { Float($0.value) }, try expected(views.looks), within: 1e-6)
      results.append(result.values.map(\.value))
    }
    for index in 1..<4 { XCTAssertNotEqual(results[index], results[0], "views that change nothing show nothing") }
  }

  func testViewsAreAllMovesAndTheirMirrorImages() {
    XCTAssertEqual(TestViews.plain.looks, [ImageAugmentation.Look()])
    XCTAssertEqual(
      TestViews(flips: true).looks, [ImageAugmentation.Look(), ImageAugmentation.Look(isMirrored: true)])
    let looks = TestViews(flips: true, shift: 2).looks
    XCTAssertEqual(looks.count, 50)
    for down in -2...2 {
      for right in -2...2 {
        for isMirrored in [false, true] {
          XCTAssertTrue(looks.contains(ImageAugmentation.Look(down: down, right: right, isMirrored: isMirrored)))
        }
      }
    }
  }
}
