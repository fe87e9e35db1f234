import KitiCore
import KitiTestSupport
import XCTest

/// What the trainer relies on: announced gradients, batches of every size, evaluation, no allocation, errors.
final class ResNetPassTests: XCTestCase {
  private let shape = ResNet.Shape(depth: 14, classes: 5, inputShape: [8, 8, 3], width: 6)
  private let divide = [4, 2, 1]
  private let pass = Pass(isTraining: true, seed: 3, step: 5)
  private var carried: CollisionOptions {
    CollisionOptions(coefficient: 1, lengthScale: .value(.infinity), midpoint: true, carry: true)
  }

  func testAnnouncedGradientsAreFinalAndGrowToTheWholeStore() throws {
    let bottlenecks = ResNet.Shape(depth: 50, classes: 5, inputShape: [8, 8, 3], width: 1)
    let padded = ResNet.Shape(depth: 14, classes: 5, inputShape: [8, 8, 3], shortcut: .padding, width: 6)
    for (shape, options, divide) in [
      (shape, CollisionOptions(scheme: .none), divide), (shape, .eager, divide), (shape, carried, divide),
      (padded, .eager, divide), (bottlenecks, CollisionOptions(scheme: .none), []),
    ] {
      let rig = try ResNetRig(shape, collision: options, divide: divide, capacity: 4)
      let announced = rig.assertAnnouncedGradientsAreFinal(batch: 4, pass: pass)
      let convolutions = rig.model.parameters.filter { $0.shape.count == 4 }.count
      XCTAssertEqual(announced, convolutions + 1, "one for each convolution and the linear layer")
    }
  }

  func testGradientsAccumulate() throws {
    let rig = try ResNetRig(shape, collision: .eager, divide: divide, capacity: 3)
    rig.assertGradientsAccumulate(batch: 3, pass: pass)
  }

  func testEvaluationTreatsEverySampleAloneAndHasNoCollisions() throws {
    let plain = try ResNetRig(shape, capacity: 5)
    let colliding = try ResNetRig(shape, collision: .eager, divide: divide, capacity: 5)
    let together = plain.forward(batch: 5, pass: .evaluation)
    XCTAssertEqual(colliding.forward(batch: 5, pass: .evaluation), together)
    let alone = (0..<5).flatMap { plain.forward(batch: 1, pass: .evaluation, first: $0) }
    assertClose(alone, together.doubles, within: 1e-6)
    XCTAssertNotEqual(colliding.forward(batch: 5, pass: pass), plain.forward(batch: 5, pass: pass))
    XCTAssertEqual(colliding.model.collisions.count, 6)
    XCTAssertTrue(plain.model.collisions.isEmpty)
  }

  func testBlocksCollideIndependentlyAndStagesWithoutDoNot() throws {
    let rig = try ResNetRig(shape, collision: .eager, divide: [8, 0, 1], capacity: 1)
    _ = rig.forward(batch: 1, pass: pass)
    XCTAssertEqual(rig.model.collisions.map(\.name), ["stages/0/0", "stages/0/1", "stages/2/0", "stages/2/1"])
    let matchings = rig.model.collisions.prefix(2).map { $0.candidates.map { [$0.first, $0.second] } }
    XCTAssertEqual(Set(matchings).count, 2, "two blocks drew the same matching")
  }

  func testBlocksMayStartAsTheirShortcuts() throws {
    var shape = shape
    shape.startsAsShortcuts = true
    let model = try ResNet(shape: shape, collision: .init(scheme: .none), divide: [], capacity: 1)
    for parameter in model.parameters where parameter.path.hasSuffix("scale") {
      let expected: Float = parameter.path.hasSuffix("norm2/scale") ? 0 : 1
      XCTAssertEqual(parameter.initialization, .constant(expected), parameter.path)
    }
  }

  func testDropoutActsInTrainingOnly() throws {
    var dropping = shape
    dropping.dropout = 0.5
    let (plain, rig) = (try ResNetRig(shape, capacity: 4), try ResNetRig(dropping, capacity: 4))
    XCTAssertEqual(rig.forward(batch: 4, pass: .evaluation), plain.forward(batch: 4, pass: .evaluation))
    XCTAssertNotEqual(rig.forward(batch: 4, pass: pass), plain.forward(batch: 4, pass: pass))
    // A dropped number gives its weights no gradient.
    rig.step(batch: 1, pass: pass)
    let head = rig.model.parameters.first { $0.path == "head/weight" }!
    let rows = rig.gradients(head)
    let dropped = (0..<head.shape[0]).filter { row in rows[row * 5..<(row + 1) * 5].allSatisfy { $0 == 0 } }
    XCTAssertTrue((4...20).contains(dropped.count), "\(dropped.count) of 24")
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
    let listener = Listener()
    var dropping = shape
    dropping.dropout = 0.3
    let padded = ResNet.Shape(depth: 14, classes: 5, inputShape: [8, 8, 3], shortcut: .padding, width: 6)
    let bottlenecks = ResNet.Shape(depth: 50, classes: 5, inputShape: [8, 8, 3], width: 1)
    for (shape, options, divide) in [
      (dropping, CollisionOptions(scheme: .none), divide), (shape, .eager, divide), (shape, carried, divide),
      (padded, .eager, divide), (bottlenecks, CollisionOptions(scheme: .none), []),
    ] {
      let rig = try ResNetRig(shape, collision: options, divide: divide, capacity: 4)
      func step(_ number: Int) {
        let pass = Pass(isTraining: true, seed: 1, step: UInt64(number), reducer: number % 2 == 0 ? reducer : nil)
        rig.step(batch: 4, pass: pass, observer: listener)
        _ = rig.model.forward(rig.input.pointer, batch: 3, pass: .evaluation)
      }
      let reducer = Alone()
      step(1)
      XCTAssertEqual(AllocationCount.during { for number in 2..<5 { step(number) } }, 0, "\(shape), \(options)")
    }
  }

  func testImpossibleSizesAreNamed() {
    func message(_ shape: ResNet.Shape, _ options: CollisionOptions = .eager, divide: [Int] = [4, 2, 1]) -> String {
      do {
        _ = try ResNet(shape: shape, collision: options, divide: divide, capacity: 1)
        return ""
      } catch {
        XCTAssertEqual(error.kind, .usage)
        return error.description
      }
    }
    func assertSays(_ text: String, _ parts: [String]) {
      for part in parts { XCTAssertTrue(text.contains(part), text) }
    }
    for depth in [-4, 0, 2, 19, 21] { assertSays(message(.init(depth: depth, classes: 10)), ["model.depth \(depth)"]) }
    assertSays(message(.init(depth: 20, classes: 0)), ["model.classes 0"])
    assertSays(message(.init(depth: 20, classes: 10, width: 0)), ["model.width 0"])
    assertSays(message(.init(depth: 20, classes: 10, dropout: 1)), ["model.dropout 1"])
    for size in [[32, 32], [], [0, 32, 3]] {
      assertSays(message(.init(depth: 20, classes: 10, inputShape: size)), ["\(size)"])
    }
    assertSays(message(shape, divide: [4, 2]), ["[4, 2]", "3 stages", "[16, 8, 4]"])
    assertSays(message(shape, divide: [4, 3, 1]), ["stages/1/0", "collision.divide 3", "[16 places, 12 channels]"])
    assertSays(message(shape, divide: [4, 2, 4]), ["stages/2/0", "collision.divide 4", "[4 places, 24 channels]"])
    XCTAssertEqual(
      message(shape, CollisionOptions(scheme: .none), divide: [5]), "", "without collisions nothing is cut")
  }

  func testSummaryCountsEveryParameterOfThePublishedNetworks() throws {
    // With 10 classes; He et al. 2016, table 6, gives 0.27, 0.46 and 0.66 millions (option A).
    for (depth, shortcut, expected) in [
      (20, ResNet.Shortcut.padding, 269_722), (20, .projection, 272_474), (32, .padding, 464_154),
      (44, .padding, 658_586), (18, .projection, 11_173_962),
    ] {
      let model = try ResNet(
        shape: .init(depth: depth, classes: 10, shortcut: shortcut), collision: .init(scheme: .none), divide: [],
        capacity: 1)
      let summary = model.summary.reduce(0) { $0 + $1.parameterCount }
      XCTAssertEqual(summary, expected, "ResNet-\(depth)")
      XCTAssertEqual(model.parameters.reduce(0) { $0 + $1.count }, expected)
      let paths = (model.parameters + model.statistics).map(\.path)
      XCTAssertEqual(Set(paths).count, paths.count)
      for path in paths { XCTAssertTrue(model.summary.contains { path.hasPrefix($0.path + "/") }, path) }
    }
  }
}

/// One batch over all ranks.
final class ResNetRanksTests: MPITestCase {
  func testSynchronisedBatchNormMakesRanksOneBatchEvenIfOneHasNoSample() throws {
    let shape = ResNet.Shape(depth: 8, classes: 5, inputShape: [8, 8, 3], width: 4)
    let samples = max(2, world.size - 1)
    let whole = try ResNetRig(shape, capacity: samples)
    let loss = whole.step(batch: samples, pass: Pass(isTraining: true))
    let rig = try ResNetRig(shape, capacity: samples)
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
