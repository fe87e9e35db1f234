import KitiCore
import KitiTestSupport
import XCTest

/// What the trainer relies on: announced gradients, batches of every size, evaluation, no allocation, errors.
final class WhitenedResNetPassTests: XCTestCase {
  private let shape = WhitenedResNet.Shape(classes: 5, inputShape: [17, 17, 3], widths: [6, 12, 8])
  private let divide = [4, 2, 1]
  private let pass = Pass(isTraining: true, seed: 3, step: 5)
  private let none = CollisionOptions(scheme: .none)

  func testAnnouncedGradientsAreFinalAndGrowToTheWholeStore() throws {
    for options in [none, .eager] {
      let rig = try WhitenedResNetRig(shape, collision: options, divide: divide, capacity: 4)
      let announced = rig.assertAnnouncedGradientsAreFinal(batch: 4, pass: pass)
      XCTAssertEqual(announced, 11, "nine convolutions, the linear layer, the whitening layer's bias")
    }
  }

  func testGradientsAccumulate() throws {
    let rig = try WhitenedResNetRig(shape, collision: .eager, divide: divide, capacity: 3)
    rig.assertGradientsAccumulate(batch: 3, pass: pass)
  }

  func testEvaluationTreatsEverySampleAloneAndHasNoCollisions() throws {
    let plain = try WhitenedResNetRig(shape, capacity: 5)
    let colliding = try WhitenedResNetRig(shape, collision: .eager, divide: divide, capacity: 5)
    let together = plain.forward(batch: 5, pass: .evaluation)
    XCTAssertEqual(colliding.forward(batch: 5, pass: .evaluation), together)
    let alone = (0..<5).flatMap { plain.forward(batch: 1, pass: .evaluation, first: $0) }
    assertClose(alone, together.doubles, within: 1e-6)
    XCTAssertNotEqual(colliding.forward(batch: 5, pass: pass), plain.forward(batch: 5, pass: pass))
    XCTAssertEqual(
      colliding.model.collisions.map(\.name), ["stages/0/block", "stages/1/block", "stages/2/block"])
    XCTAssertTrue(plain.model.collisions.isEmpty)
  }

  func testConvolutionsMayStartAsIdentity() throws {
    for startsAsIdentity in [true, false] {
      var shape = shape
      shape.startsAsIdentity = startsAsIdentity
      let model = try WhitenedResNet(shape: shape, collision: none, divide: [], capacity: 1)
      let convolutions = model.parameters.filter { $0.shape.count == 4 }
      XCTAssertEqual(convolutions.count, 9)
      for parameter in convolutions {
        if case .identity = parameter.initialization {
          XCTAssertTrue(startsAsIdentity, parameter.path)
        } else {
          XCTAssertFalse(startsAsIdentity, parameter.path)
        }
      }
      for parameter in model.parameters {
        XCTAssertEqual(parameter.isShift, parameter.path.hasSuffix("/shift"), parameter.path)
      }
    }
  }

  func testPreparationMakesTheFiltersAndNothingElse() throws {
    let rig = try WhitenedResNetRig(shape, capacity: 4)
    let before = (rig.model.parameters + rig.model.statistics).map(rig.values)
    rig.model.prepare(from: rig.input.pointer, count: 4)
    let after = (rig.model.parameters + rig.model.statistics).map(rig.values)
    for (index, parameter) in (rig.model.parameters + rig.model.statistics).enumerated() {
      XCTAssertEqual(before[index] != after[index], parameter.path == "whitening/weight", parameter.path)
    }
  }

  func testStepsAllocateNothing() throws {
    guard AllocationCount.during({}) != nil else {
      throw XCTSkip("this Swift runtime does not let allocations be counted")
    }
    final class Listener: GradientObserver {
      var count = 0
      func gradientsFinished(_ count: Int) { self.count = count }
    }
    final class Alone: StatisticsReducer {
      func sum(_ values: UnsafeMutableBufferPointer<Double>) {}
    }
    let (listener, reducer) = (Listener(), Alone())
    for options in [none, .eager] {
      let rig = try WhitenedResNetRig(shape, collision: options, divide: divide, capacity: 4)
      func step(_ number: Int) {
        let pass = Pass(isTraining: true, seed: 1, step: UInt64(number), reducer: number % 2 == 0 ? reducer : nil)
        rig.step(batch: 4, pass: pass, observer: listener)
        _ = rig.model.forward(rig.input.pointer, batch: 3, pass: .evaluation)
      }
      step(1)
      XCTAssertEqual(AllocationCount.during { for number in 2..<5 { step(number) } }, 0, "\(options)")
    }
  }

  func testImpossibleSizesAreNamed() {
    func message(_ shape: WhitenedResNet.Shape, divide: [Int] = [4, 2, 1]) -> String {
      do {
        _ = try WhitenedResNet(shape: shape, collision: .eager, divide: divide, capacity: 1)
        return ""
      } catch {
        XCTAssertEqual(error.kind, .usage)
        return error.description
      }
    }
    func assertSays(_ text: String, _ parts: [String]) {
      for part in parts { XCTAssertTrue(text.contains(part), text) }
    }
    assertSays(message(.init(classes: 0)), ["model.classes 0"])
    for widths in [[], [64, 256], [64, 0, 256]] {
      assertSays(message(.init(classes: 10, widths: widths)), ["\(widths)"])
    }
    for size in [[32, 32], [], [8, 32, 3], [32, 8, 3], [32, 32, 0]] {
      assertSays(message(.init(classes: 10, inputShape: size)), ["\(size)"])
    }
    assertSays(message(shape, divide: [4, 2]), ["[4, 2]", "3 stages", "[9, 7, 1]"])
    assertSays(message(shape, divide: [4, 3, 1]), ["stages/1/block", "collision.divide 3", "[16 places, 12 channels]"])
    XCTAssertEqual(message(.init(classes: 10, inputShape: [9, 9, 1]), divide: [4, 2, 0]), "", "the smallest image")
    XCTAssertEqual(message(.init(classes: 10), divide: WhitenedResNet.Shape.defaultDivide), "")
  }

  func testSummaryCountsEveryParameter() throws {
    let model = try WhitenedResNet(shape: .init(classes: 10), collision: none, divide: [], capacity: 1)
    XCTAssertEqual(model.parameters.reduce(0) { $0 + $1.count }, 3_188_450)
    XCTAssertEqual(model.summary.reduce(0) { $0 + $1.parameterCount }, 3_188_450)
    let paths = (model.parameters + model.statistics).map(\.path)
    XCTAssertEqual(Set(paths).count, paths.count)
    for path in paths { XCTAssertTrue(model.summary.contains { path.hasPrefix($0.path + "/") }, path) }
  }
}

/// One batch over all ranks.
final class WhitenedResNetRanksTests: MPITestCase {
  func testSynchronisedBatchNormMakesRanksOneBatchEvenIfOneHasNoSample() throws {
    let shape = WhitenedResNet.Shape(classes: 5, inputShape: [17, 17, 3], widths: [4, 6, 5])
    let samples = max(2, world.size - 1)
    let whole = try WhitenedResNetRig(shape, capacity: samples)
    let loss = whole.step(batch: samples, pass: Pass(isTraining: true))
    let rig = try WhitenedResNetRig(shape, capacity: samples)
    // The first rank has what is left by ranks with one each; the last has none.
    let first = world.rank == 0 ? 0 : samples - max(0, world.size - 2) + world.rank - 1
    let end = world.rank == 0 ? samples - max(0, world.size - 2) : min(first + 1, samples)
    let pass = Pass(isTraining: true, rank: world.rank, reducer: try RankSums(over: world))
    let part = rig.step(batch: end - first, pass: pass, first: first, samples: samples)
    XCTAssertEqual(try world.allreduce(part, .sum), loss, accuracy: 1e-5)
    let gradients = try world.allreduce(rig.allGradients.doubles, .sum)
    assertClose(whole.allGradients, gradients, within: 1e-4, "gradients")
    for (own, expected) in zip(rig.model.statistics, whole.model.statistics) {
      assertClose(rig.values(own), whole.values(expected).doubles, within: 1e-5, own.path)
    }
  }
}
