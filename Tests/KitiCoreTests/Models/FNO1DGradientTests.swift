import KitiCore
import XCTest

/// The whole network, forward and backward, against the reference with the same collisions.
final class FNO1DGradientTests: XCTestCase {
  private func check(
    _ shape: FNO1D.Shape, _ options: CollisionOptions, divide: Int = 1, batch: Int = 3, _ name: String
  ) throws {
    let rig = try ModelRig(shape, collision: options, divide: divide, capacity: batch + 1, seed: 7)
    let pass = Pass(isTraining: true, seed: 3, step: 5, rank: 1)
    let loss = rig.step(batch: batch, pass: pass)
    let prediction = rig.forward(batch: batch, pass: pass)
    let isActive = options.scheme != .none
    let particles = isActive ? try Particles(places: shape.points, channels: shape.width, divide: divide) : nil
    let network = ReferenceNetwork(rig.model, particles: particles, options: options)
    let collisions = (0..<batch).map { sample in rig.model.collisions.map { $0.pairs(sample: sample, pass: pass) } }
    if isActive { XCTAssertGreaterThan(collisions.joined().joined().count, 0, "\(name): nothing collides") }
    let points = shape.points
    let (fields, targets) = (rig.input.values.doubles, rig.target.values.doubles)
    let parameters = rig.model.parameters.map { rig.values($0).doubles }
    func outputs(_ parameters: [[Double]]) -> [Double] {
      (0..<batch).flatMap { sample in
        network.output(
          Array(fields[sample * points..<(sample + 1) * points]), parameters, collisions: collisions[sample])
      }
    }
    func exactLoss(_ parameters: [[Double]]) -> Double {
      Reference.relativeL2(outputs(parameters), Array(targets[..<(batch * points)]), size: points) / Double(batch)
    }
    assertClose(prediction, outputs(parameters), within: 3e-6, "\(name), output")
    XCTAssertEqual(loss, exactLoss(parameters), accuracy: 2e-6 * loss, "\(name), loss")
    for (index, parameter) in rig.model.parameters.enumerated() {
      let differences = centralDifferences(
        of: { moved in
          var all = parameters
          all[index] = moved
          return exactLoss(all)
        }, at: parameters[index])
      assertClose(rig.gradients(parameter), differences, within: 1e-5, "\(name), \(parameter.path)")
    }
  }

  private let small = FNO1D.Shape(points: 12, width: 5, modes: 3, blocks: 3, projection: 7)

  func testWithoutCollisions() throws {
    try check(small, CollisionOptions(scheme: .none), "plain")
  }

  func testOneAndTwoBlocks() throws {
    for blocks in [1, 2] {
      let shape = FNO1D.Shape(points: 12, width: 5, modes: 4, blocks: blocks, projection: 6)
      try check(shape, CollisionOptions(scheme: .none), "\(blocks) blocks")
      try check(shape, .eager, "\(blocks) blocks with collisions")
    }
  }

  func testOddSizes() throws {
    try check(.init(points: 11, width: 3, modes: 6, blocks: 2, projection: 1), .eager, "11 points, all modes")
    try check(.init(points: 8, width: 1, modes: 5, blocks: 2, projection: 3), .eager, "one channel, all modes")
    try check(.init(points: 16, width: 9, modes: 2, blocks: 2, projection: 17), .eager, batch: 1, "one sample")
    // One mode alone moves all places alike: there is nothing to collide.
    let one = FNO1D.Shape(points: 9, width: 4, modes: 1, blocks: 2, projection: 5)
    try check(one, CollisionOptions(scheme: .none), "one mode")
  }

  func testReLU() throws {
    try check(.init(points: 12, width: 5, modes: 3, blocks: 2, projection: 7, activation: .relu), .eager, "relu")
  }

  func testCollisionsOfEveryDivision() throws {
    for divide in [1, 2, 4] { try check(small, .eager, divide: divide, "divide \(divide)") }
    try check(small, CollisionOptions(coefficient: 1), divide: 2, "rms")
  }

  func testTimeStep() throws {
    var options = CollisionOptions.eager
    options.timeStep = 0.375
    try check(small, options, "time step 0.375")
    try check(small, CollisionOptions(scheme: .none, timeStep: 1.5), "time step 1.5 without collisions")
  }

  func testDenseCollisions() throws {
    for weights in CollisionOptions.Weights.allCases {
      try check(
        small, CollisionOptions(scheme: .dense, weights: weights, coefficient: 0.3, lengthScale: .value(.infinity)),
        divide: 2, "dense, \(weights)")
    }
  }

  func testMidpointAndCarriedVelocities() throws {
    for scheme in CollisionOptions.Scheme.allCases {
      for (midpoint, carry, timeStep) in [(true, false, 1.0), (false, true, 1), (true, true, 0.75)] {
        try check(
          small,
          CollisionOptions(
            scheme: scheme, coefficient: scheme == .dense ? 0.3 : 1, lengthScale: .value(.infinity), timeStep: timeStep,
            midpoint: midpoint, carry: carry),
          "\(scheme), midpoint \(midpoint), carry \(carry)")
      }
    }
    try check(
      .init(points: 12, width: 5, modes: 4, blocks: 1, projection: 6),
      CollisionOptions(coefficient: 1, midpoint: true, carry: true), "one block")
  }
}
