import KitiCore
import XCTest

/// Whole networks, forward and backward, against the reference with the same collisions.
final class WhitenedResNetGradientTests: XCTestCase {
  private let classes = 3

  private func check(
    _ options: CollisionOptions, size: [Int] = [17, 18, 2], widths: [Int] = [3, 5, 4], divide: [Int] = [4, 2, 1],
    batch: Int = 3, _ name: String
  ) throws {
    let shape = WhitenedResNet.Shape(classes: classes, inputShape: size, widths: widths, outputScale: 0.3)
    let rig = try WhitenedResNetRig(shape, collision: options, divide: divide, capacity: batch + 1)
    let pass = Pass(isTraining: true, seed: 3, step: 5, rank: 1)
    // Behind a pass of another size nothing of it must be left.
    _ = rig.step(batch: batch + 1, pass: pass)
    rig.clearGradients()
    rig.step(batch: batch, pass: pass)
    let upstream = outputGradient(rig, batch: batch, pass: pass)
    let network = ReferenceWhitenedResNet(rig, options: options, divide: divide)
    let collisions = Dictionary(
      uniqueKeysWithValues: rig.model.collisions.map { block in
        (block.name, (0..<batch).map { block.pairs(sample: $0, pass: pass) })
      })
    if options.scheme != .none {
      XCTAssertGreaterThan(collisions.values.joined().joined().count, 0, "\(name): nothing collides")
    }
    let count = size.reduce(1, *)
    let input = rig.input.values.doubles
    let images = (0..<batch).map { Array(input[$0 * count..<($0 + 1) * count]) }
    let parameters = rig.model.parameters.map { rig.values($0).doubles }
    let outputs = try network.output(images, parameters, collisions: collisions)
    assertClose(rig.forward(batch: batch, pass: pass), outputs, within: 1e-5, "\(name), output")
    var numbers = TestNumbers(4)
    for (index, parameter) in rig.model.parameters.enumerated() {
      let coordinates = (0..<min(parameter.count, 5)).map { _ in Int.random(in: 0..<parameter.count, using: &numbers) }
      let differences = try coordinates.map { coordinate in
        let step = 1e-6
        let ends = try [step, -step].map { move in
          var all = parameters
          all[index][coordinate] += move
          return dot(try network.output(images, all, collisions: collisions), upstream)
        }
        return (ends[0] - ends[1]) / (2 * step)
      }
      let gradients = rig.gradients(parameter)
      // The last batch norm has a dozen numbers to a channel, which costs fp32 a digit.
      assertClose(
        coordinates.map { gradients[$0] }, differences, within: 2e-4, magnitude: 0.01, "\(name), \(parameter.path)")
    }
  }

  /// The gradient that the loss gives the output: a linear loss for the differences. The model may overwrite its copy.
  private func outputGradient(_ rig: WhitenedResNetRig, batch: Int, pass: Pass) -> [Double] {
    let prediction = GuardedArray(rig.forward(batch: batch, pass: pass))
    let gradient = GuardedArray(count: batch * classes)
    let loss = SoftmaxCrossEntropy()
    _ = loss.sum(
      prediction: prediction.pointer, target: rig.target.pointer, batch: batch, classes: classes,
      scale: 1 / Float(batch), gradient: gradient.pointer)
    return gradient.values.doubles
  }

  func testWithoutCollisions() throws {
    try check(CollisionOptions(scheme: .none), "plain")
    try check(CollisionOptions(scheme: .none), size: [19, 23, 1], widths: [2, 1, 3], batch: 2, "odd sizes")
    try check(CollisionOptions(scheme: .none, timeStep: 0.6), "time step")
    // Wide enough for the transformed convolution and for whole vectors.
    try check(CollisionOptions(scheme: .none), size: [17, 17, 3], widths: [17, 9, 8], batch: 2, "wide")
  }

  func testCollisions() throws {
    try check(.eager, "matching")
    try check(.eager, divide: [4, 0, 2], "a stage without")
    try check(CollisionOptions(coefficient: 1, timeStep: 0.6), "rms, time step")
    try check(CollisionOptions(scheme: .dense, coefficient: 0.3, lengthScale: .value(.infinity)), "dense")
    try check(
      CollisionOptions(coefficient: 1, lengthScale: .value(.infinity), timeStep: 0.75, midpoint: true, carry: true),
      "midpoint and carried velocities")
  }
}
