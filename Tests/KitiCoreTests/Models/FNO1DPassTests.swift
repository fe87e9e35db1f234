import KitiCore
import XCTest

/// What the trainer relies on: announced gradients, batches of every size, evaluation, no allocation, errors.
final class FNO1DPassTests: XCTestCase {
  private let shape = FNO1D.Shape(points: 24, width: 10, modes: 4, blocks: 3, projection: 12)
  private let pass = Pass(isTraining: true, seed: 3, step: 5)

  func testAnnouncedGradientsAreFinalAndGrowToTheWholeStore() throws {
    for blocks in [1, 2, 4] {
      for options in [CollisionOptions(scheme: .none), .eager] {
        var shape = shape
        shape.blocks = blocks
        let rig = try ModelRig(shape, collision: options, capacity: 4)
        let announced = rig.assertAnnouncedGradientsAreFinal(batch: 4, pass: pass)
        XCTAssertGreaterThan(announced, blocks)
      }
    }
  }

  func testGradientsAccumulate() throws {
    let rig = try ModelRig(shape, collision: .eager, capacity: 3)
    rig.assertGradientsAccumulate(batch: 3, pass: pass)
  }

  func testABatchOfAnySizeGivesWhatItsSamplesGiveAlone() throws {
    var options = CollisionOptions.eager
    options.streams = .sample
    for options in [CollisionOptions(scheme: .none), options] {
      let rig = try ModelRig(shape, collision: options, capacity: 7)
      let indices = (0..<7).map { 100 + 3 * $0 }
      indices.withUnsafeBufferPointer { indices in
        for batch in [1, 2, 3, 5, 7] {
          var pass = pass
          pass.sampleIndices = indices.baseAddress!
          let together = rig.forward(batch: batch, pass: pass)
          rig.clearGradients()
          let loss = rig.step(batch: batch, pass: pass)
          let gradients = rig.allGradients
          rig.clearGradients()
          var (alone, sum) = ([Float](), 0.0)
          for sample in 0..<batch {
            pass.sampleIndices = indices.baseAddress! + sample
            alone += rig.forward(batch: 1, pass: pass, first: sample)
            sum += rig.step(batch: 1, pass: pass, first: sample, samples: batch)
          }
          assertClose(together, alone.doubles, within: 1e-6, "batch of \(batch)")
          XCTAssertEqual(loss, sum, accuracy: 1e-6 * sum)
          assertClose(gradients, rig.allGradients.doubles, within: 2e-6, "gradients of a batch of \(batch)")
        }
      }
    }
  }

  func testEvaluationHasNoCollisions() throws {
    let plain = try ModelRig(shape, capacity: 2)
    let colliding = try ModelRig(shape, collision: .eager, capacity: 2)
    XCTAssertEqual(
      colliding.forward(batch: 2, pass: .evaluation), plain.forward(batch: 2, pass: .evaluation))
    XCTAssertEqual(plain.forward(batch: 2, pass: pass), plain.forward(batch: 2, pass: .evaluation))
    XCTAssertNotEqual(colliding.forward(batch: 2, pass: pass), plain.forward(batch: 2, pass: pass))
    XCTAssertEqual(colliding.model.collisions.count, shape.blocks)
    XCTAssertTrue(plain.model.collisions.isEmpty)
  }

  func testBlocksCollideIndependently() throws {
    let rig = try ModelRig(shape, collision: .eager, capacity: 1)
    _ = rig.forward(batch: 1, pass: pass)
    let matchings = rig.model.collisions.map { $0.candidates.map { [$0.first, $0.second] } }
    XCTAssertEqual(Set(matchings).count, shape.blocks, "two blocks drew the same matching")
  }

  func testStepsAllocateNothing() throws {
    var kept: [[Int]] = []
    let some = AllocationCount.during { for count in 5..<8 { kept.append([Int](repeating: 3, count: count)) } }
    guard let some else { throw XCTSkip("this Swift runtime does not let allocations be counted") }
    XCTAssertGreaterThanOrEqual(some, 3, "allocations are not counted")
    XCTAssertEqual(kept.count, 3)
    final class Listener: GradientObserver {
      var count = 0
      func gradientsFinished(_ count: Int) { self.count = count }
    }
    let listener = Listener()
    var sample = CollisionOptions.eager
    sample.streams = .sample
    for options in [CollisionOptions(scheme: .none), CollisionOptions(), .eager, sample] {
      let rig = try ModelRig(shape, collision: options, divide: 2, capacity: 4)
      let optimizers: [any Optimizer] = [
        Adam(count: rig.store.count), StochasticGradientDescent(count: rig.store.count, momentum: 0.9),
      ]
      let indices = [5, 6, 7, 8]
      indices.withUnsafeBufferPointer { indices in
        func step(_ number: Int) {
          let pass = Pass(
            isTraining: true, seed: 1, step: UInt64(number), rank: 0, sampleIndices: indices.baseAddress!)
          rig.step(batch: 4, pass: pass, observer: listener)
          for optimizer in optimizers {
            optimizer.update(
              values: rig.store.values.pointer, gradients: rig.store.gradients.pointer, range: 0..<rig.store.count,
              learningRate: 1e-3, step: number, gradientScale: 1)
          }
          _ = rig.model.forward(rig.input.pointer, batch: 3, pass: .evaluation)
        }
        step(1)
        XCTAssertEqual(AllocationCount.during { for number in 2..<5 { step(number) } }, 0, "\(options)")
      }
    }
  }

  func testImpossibleSizesAreNamed() {
    func message(_ shape: FNO1D.Shape, _ options: CollisionOptions, divide: Int) -> String {
      do {
        _ = try FNO1D(shape: shape, collision: options, divide: divide, capacity: 1)
        return ""
      } catch {
        XCTAssertEqual(error.kind, .usage)
        return error.description
      }
    }
    var many = shape
    many.modes = 14
    let text = message(many, .eager, divide: 1)
    for part in ["model.modes 14", "13 modes", "24 points"] { XCTAssertTrue(text.contains(part), text) }
    for (name, path) in [
      ("points", \FNO1D.Shape.points), ("width", \.width), ("modes", \.modes), ("blocks", \.blocks),
      ("projection", \.projection),
    ] as [(String, WritableKeyPath<FNO1D.Shape, Int>)] {
      var none = shape
      none[keyPath: path] = 0
      let text = message(none, .eager, divide: 1)
      XCTAssertTrue(text.contains("\(name) 0"), text)
    }
    let cut = message(shape, .eager, divide: 5)
    for part in ["blocks/0", "collision.divide 5", "[24 places, 10 channels]"] {
      XCTAssertTrue(cut.contains(part), cut)
    }
    XCTAssertEqual(message(shape, CollisionOptions(scheme: .none), divide: 5), "", "without collisions nothing is cut")
  }

  func testSummaryCountsEveryParameter() throws {
    let rig = try ModelRig(shape, capacity: 1)
    let sum = rig.model.summary.reduce(0) { $0 + $1.parameterCount }
    XCTAssertEqual(sum, rig.store.parameterCount)
    XCTAssertEqual(Set(rig.model.parameters.map(\.path)).count, rig.model.parameters.count)
    for parameter in rig.model.parameters {
      XCTAssertTrue(rig.model.summary.contains { parameter.path.hasPrefix($0.path + "/") }, parameter.path)
    }
  }

  func testNonFiniteInputShowsInTheOutputAndCrashesNothing() throws {
    for bad in [Float.nan, .infinity] {
      let rig = try ModelRig(shape, collision: .eager, capacity: 2)
      rig.input.pointer[3] = bad
      let loss = rig.step(batch: 2, pass: pass)
      XCTAssertFalse(loss.isFinite)
      let other = rig.forward(batch: 2, pass: .evaluation)[shape.points...]
      XCTAssertTrue(other.allSatisfy(\.isFinite), "one sample's \(bad) reached another")
    }
  }
}
