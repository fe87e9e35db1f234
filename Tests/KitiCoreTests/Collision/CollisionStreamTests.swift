import KitiCore
import XCTest

/// Whose random numbers a collision draws, and that the same ones give the same bits.
final class CollisionStreamTests: XCTestCase {
  private let particles = try! Particles(places: 24, channels: 3, divide: 1)
  private var x: [Float] = []
  private var v: [Float] = []

  override func setUp() {
    var numbers = TestNumbers(80)
    x = numbers.normals(72)
    v = numbers.normals(72)
  }

  /// The same particles as every sample of a batch; velocities of each sample after the collision.
  private func outcome(
    _ options: CollisionOptions = .eager, layer: Int = 0, batch: Int = 1, seed: UInt64 = 1, step: UInt64 = 0,
    rank: Int = 0, firstSample: Int = 0, indices: [Int]? = nil
  ) -> [[Float]] {
    let rig = CollisionRig(particles, options, layerIndex: layer, batch: batch)
    func run(_ indices: UnsafePointer<Int>?) -> [Float] {
      rig.collide(
        (0..<batch).flatMap { _ in x }, (0..<batch).flatMap { _ in v },
        pass: Pass(
          isTraining: true, seed: seed, step: step, rank: rank, firstSample: firstSample, sampleIndices: indices))
    }
    let all = indices.map { $0.withUnsafeBufferPointer { run($0.baseAddress) } } ?? run(nil)
    return (0..<batch).map { Array(all[$0 * 72..<($0 + 1) * 72]) }
  }

  func testTheSamePlaceInTheRunGivesTheSameBits() {
    XCTAssertEqual(
      outcome(layer: 2, batch: 3, seed: 9, step: 7, rank: 4), outcome(layer: 2, batch: 3, seed: 9, step: 7, rank: 4))
  }

  func testOneResidualGivesTheSameBitsAgainAfterOtherPasses() {
    let rig = CollisionRig(particles, .eager)
    let first = Pass(isTraining: true, seed: 1, step: 3, rank: 2)
    let kept = rig.collide(x, v, pass: first)
    for other in [
      Pass(isTraining: true, seed: 2, step: 3, rank: 2), Pass(isTraining: true, seed: 1, step: 3, rank: 5),
      Pass(isTraining: true, seed: 1, step: 4, rank: 2),
    ] { XCTAssertNotEqual(rig.collide(x, v, pass: other), kept) }
    XCTAssertEqual(rig.collide(x, v, pass: first), kept)
  }

  func testSeedRankStepLayerAndSampleEachChangeTheOutcome() {
    let base = outcome(batch: 3)
    XCTAssertEqual(Set(base).count, 3, "two samples of a batch drew the same numbers")
    for (what, other) in [
      ("seed", outcome(batch: 3, seed: 2)), ("step", outcome(batch: 3, step: 1)), ("rank", outcome(batch: 3, rank: 1)),
      ("layer", outcome(layer: 1, batch: 3)), ("first sample", outcome(batch: 3, firstSample: 3)),
    ] { XCTAssertTrue(Set(base).isDisjoint(with: other), "\(what) does not matter") }
  }

  func testAccumulatedBatchesDrawAsOneLargeBatch() {
    let whole = outcome(batch: 4)
    XCTAssertEqual(outcome(batch: 2, firstSample: 0) + outcome(batch: 2, firstSample: 2), whole)
  }

  func testSampleStreamsDependOnTheSampleAlone() {
    var options = CollisionOptions.eager
    options.streams = .sample
    let alone = outcome(options, indices: [17])[0]
    let batch = outcome(options, batch: 3, rank: 5, firstSample: 8, indices: [4, 17, 99])
    XCTAssertEqual(batch[1], alone)
    XCTAssertEqual(Set(batch).count, 3)
    XCTAssertNotEqual(outcome(options, step: 1, indices: [17])[0], alone)
    XCTAssertNotEqual(outcome(options, seed: 2, indices: [17])[0], alone)
    XCTAssertNotEqual(outcome(options, layer: 1, indices: [17])[0], alone)
  }

  /// In many dimensions the normal vectors of `dense` are shared by the samples of a step, and must be so on every rank.
  func testSampleStreamsOfDenseDependOnTheSampleAlone() throws {
    let particles = try Particles(places: 12, channels: 70, divide: 1)
    let options = CollisionOptions(scheme: .dense, acceptance: .constant, coefficient: 0.5, streams: .sample)
    var numbers = TestNumbers(81)
    let (x, v) = (numbers.normals(particles.features), numbers.normals(particles.features))
    func outcome(rank: Int, step: UInt64, indices: [Int]) -> [[Float]] {
      let rig = CollisionRig(particles, options, batch: indices.count)
      let all = indices.withUnsafeBufferPointer {
        rig.collide(
          indices.flatMap { _ in x }, indices.flatMap { _ in v },
          pass: Pass(isTraining: true, seed: 1, step: step, rank: rank, sampleIndices: $0.baseAddress))
      }
      return indices.indices.map { Array(all[$0 * particles.features..<($0 + 1) * particles.features]) }
    }
    let alone = outcome(rank: 0, step: 3, indices: [17])[0]
    let batch = outcome(rank: 5, step: 3, indices: [4, 17, 99])
    XCTAssertEqual(batch[1], alone)
    XCTAssertEqual(Set(batch).count, 3)
    XCTAssertNotEqual(outcome(rank: 0, step: 4, indices: [17])[0], alone)
  }

  /// The backward pass draws the directions of the forward pass again, also after a pass of another step.
  func testDenseDirectionsAreThoseOfTheForwardPass() throws {
    let particles = try Particles(places: 12, channels: 70, divide: 1)
    let rig = CollisionRig(particles, CollisionOptions(scheme: .dense, acceptance: .constant, coefficient: 0.5))
    var numbers = TestNumbers(82)
    let (x, v, g) = (
      numbers.normals(particles.features), numbers.normals(particles.features), numbers.normals(particles.features)
    )
    let pass = Pass(isTraining: true, seed: 1, step: 3)
    _ = rig.collide(x, v, pass: pass)
    let gradient = rig.backward(g, pass: pass)
    _ = rig.collide(x, v, pass: Pass(isTraining: true, seed: 1, step: 4))
    _ = rig.collide(x, v, pass: pass)
    XCTAssertEqual(rig.backward(g, pass: pass), gradient)
  }

  func testSampleStreamsShareNothingWithRankStreams() {
    var options = CollisionOptions.eager
    options.streams = .sample
    // Sample 0 of the data set and rank 0 would have the same stream without the domain of each.
    XCTAssertNotEqual(outcome(options, indices: [0]), outcome())
  }

  func testStepsBeyond32BitsStillWork() {
    XCTAssertEqual(outcome(step: 1 << 40).count, 1)
  }
}
