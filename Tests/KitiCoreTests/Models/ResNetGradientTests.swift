import KitiCore
import XCTest

/// Whole residual networks, forward and backward, against the reference with the same collisions.
final class ResNetGradientTests: XCTestCase {
  private let classes = 3

  private func shape(
    _ depth: Int = 8, _ shortcut: ResNet.Shortcut = .projection, size: [Int] = [8, 8, 2], width: Int = 2
  ) -> ResNet.Shape {
    ResNet.Shape(depth: depth, classes: classes, inputShape: size, shortcut: shortcut, width: width)
  }

  private func check(
    _ shape: ResNet.Shape, _ options: CollisionOptions, divide: [Int] = [4, 2, 1], batch: Int = 3, step: UInt64 = 5,
    _ name: String
  ) throws {
    // Deep stacks of few numbers to a batch norm multiply rounding errors: to 1.1e-3 with AVX2.
    let tolerance = shape.hasBottlenecks ? 2e-3 : 1e-4
    let rig = try ResNetRig(shape, collision: options, divide: divide, capacity: batch + 1)
    let pass = Pass(isTraining: true, seed: 3, step: step, rank: 1)
    // Behind a pass of another size nothing of it must be left.
    _ = rig.forward(batch: batch + 1, pass: pass)
    _ = rig.step(batch: batch, pass: pass)
    let prediction = rig.forward(batch: batch, pass: pass)
    let network = ReferenceResNet(rig.model, options: options, divide: divide)
    let collisions = Dictionary(
      uniqueKeysWithValues: rig.model.collisions.map { block in
        (block.name, (0..<batch).map { block.pairs(sample: $0, pass: pass) })
      })
    if options.scheme != .none {
      XCTAssertGreaterThan(collisions.values.joined().joined().count, 0, "\(name): nothing collides")
    }
    let size = shape.inputShape.reduce(1, *)
    let input = rig.input.values.doubles
    let images = (0..<batch).map { Array(input[$0 * size..<($0 + 1) * size]) }
    let parameters = rig.model.parameters.map { rig.values($0).doubles }
    let outputs = try network.output(images, parameters, collisions: collisions)
    assertClose(prediction, outputs, within: 1e-5, "\(name), output")
    // A linear loss: the gradient of the output is whatever the cross-entropy gave.
    _ = rig.step(batch: batch, pass: pass)
    let upstream = Array(rig.gradient.values.doubles[..<(batch * classes)])
    var numbers = TestNumbers(4)
    for (index, parameter) in rig.model.parameters.enumerated() {
      let coordinates = (0..<min(parameter.count, shape.hasBottlenecks ? 1 : 4)).map { _ in
        Int.random(in: 0..<parameter.count, using: &numbers)
      }
      let differences = try throwing { failure in
        centralDifferences(
          of: { moved in
            var all = parameters
            all[index] = moved
            do {
              return dot(try network.output(images, all, collisions: collisions), upstream)
            } catch {
              failure = error
              return 0
            }
          }, at: parameters[index], coordinates: coordinates, step: 1e-6)
      }
      // Two passes have added their gradients.
      let gradients = rig.gradients(parameter)
      assertClose(
        coordinates.map { gradients[$0] / 2 }, differences, within: tolerance, magnitude: 0.01,
        "\(name), \(parameter.path)")
    }
  }

  private func throwing<Value>(_ body: (inout (any Error)?) -> Value) throws -> Value {
    var failure: (any Error)?
    let value = body(&failure)
    if let failure { throw failure }
    return value
  }

  func testWithoutCollisions() throws {
    let none = CollisionOptions(scheme: .none)
    try check(shape(), none, "projection")
    try check(shape(8, .padding), none, "padding")
    try check(shape(20, size: [5, 7, 1], width: 3), none, batch: 2, "odd sizes")
    try check(shape(18, size: [9, 8, 3]), none, divide: [], "four stages")
    try check(shape(50, size: [16, 16, 3], width: 1), none, divide: [], "bottlenecks")
    try check(shape(50, .padding, size: [16, 16, 3], width: 1), none, divide: [], "bottlenecks with padding")
    try check(shape(), CollisionOptions(scheme: .none, timeStep: 0.6), "time step")
  }

  func testCollisions() throws {
    try check(shape(14), .eager, "matching")
    try check(shape(14), .eager, step: CollisionResidual.driftInterval, "matching, drift measured")
    try check(shape(8, .padding), .eager, "matching, padding")
    try check(shape(18, size: [16, 16, 2]), .eager, divide: [16, 8, 4, 2], "matching, four stages")
    try check(shape(50, size: [16, 16, 2], width: 1), .eager, divide: [4, 4, 4, 2], "matching, bottlenecks")
    try check(shape(), CollisionOptions(coefficient: 1, timeStep: 0.6), "rms, time step")
    try check(
      shape(), CollisionOptions(scheme: .dense, coefficient: 0.3, lengthScale: .value(.infinity)), "dense")
  }

  func testStagesWithoutCollisionsAmongOthers() throws {
    for divide in [[0, 2, 1], [4, 0, 1], [4, 2, 0]] { try check(shape(14), .eager, divide: divide, "divide \(divide)") }
  }

  func testMidpointAndCarriedVelocities() throws {
    for shortcut in ResNet.Shortcut.allCases {
      for (scheme, midpoint, carry, timeStep) in [
        (CollisionOptions.Scheme.ntc, true, false, 1.0), (.ntc, false, true, 1), (.ntc, true, true, 0.75),
        (.none, false, true, 0.75),
      ] {
        let options = CollisionOptions(
          scheme: scheme, coefficient: 1, lengthScale: .value(.infinity), timeStep: timeStep, midpoint: midpoint,
          carry: carry)
        try check(
          shape(14, shortcut), options, divide: [4, 0, 1],
          "\(shortcut), \(scheme), midpoint \(midpoint), carry \(carry)")
      }
    }
  }
}
