import Foundation
import KitiCore
import KitiTestSupport
import XCTest

final class CondensationTests: MPITestCase {
  /// Channels given as vectors, as weights `[inputs, channels]`.
  private func layer(_ vectors: [[Float]]) throws -> LayerCondensation {
    let inputs = vectors[0].count
    let weights = (0..<inputs).flatMap { row in vectors.map { $0[row] } }
    return try XCTUnwrap(LayerCondensation(path: "a/weight", weights: weights, inputs: inputs, channels: vectors.count))
  }

  private func normals(_ inputs: Int, _ channels: Int, seed: UInt64) -> [Float] {
    let numbers = AlignedBuffer<Float>(count: inputs * channels)
    RandomStream(seed: seed, stream: 0, domain: .dataSet).fillNormals(numbers.buffer, at: .init())
    return Array(numbers.buffer)
  }

  func testOrthogonalChannelsHaveNothingInCommon() throws {
    let found = try layer([[2, 0, 0, 0], [0, -1, 0, 0], [0, 0, 3, 0]])
    XCTAssertEqual(found.similarity, 0)
    XCTAssertEqual(found.alignedPairs, 0)
    XCTAssertEqual(found.directions, 3)
    XCTAssertEqual(found.cosines, [1, 0, 0, 0, 1, 0, 0, 0, 1])
  }

  func testChannelsOnOneLineAreOneDirectionWhateverTheirLengthsAndSigns() throws {
    for scale: Float in [1e-30, 1, 1e30] {
      let found = try layer([[1, 2, -3], [-2, -4, 6], [0.5, 1, -1.5]].map { $0.map { $0 * scale } })
      XCTAssertEqual(found.similarity, 1, accuracy: 1e-6)
      XCTAssertEqual(found.alignedPairs, 1)
      XCTAssertEqual(found.directions, 1, accuracy: 1e-6)
      XCTAssertEqual(found.dominantChannels, 2, "4 + 1 of 4 + 1 + 0.25 squares are the first nine tenths")
    }
  }

  func testGroupsLieSideBySide() throws {
    // Three channels along the first axis and two along the second, mixed: ΣD² = 9 + 4.
    let found = try layer([[1, 0], [0, 1], [-1, 0], [0, 5], [2, 0]])
    XCTAssertEqual(found.directions, 25.0 / 13, accuracy: 1e-9)
    XCTAssertEqual(found.alignedPairs, 0.4)
    XCTAssertEqual(found.similarity, 0.4)
    let groups = found.order.map { [0, 2, 4].contains($0) }
    XCTAssertEqual(zip(groups, groups.dropFirst()).filter { $0 != $1 }.count, 1, "\(found.order)")
    XCTAssertEqual(found.order.sorted(), [0, 1, 2, 3, 4])
    for (m, first) in found.order.enumerated() {
      for (n, second) in found.order.enumerated() {
        let together = [0, 2, 4].contains(first) == [0, 2, 4].contains(second)
        let sign: Float = first != second && (first == 2 || second == 2) ? -1 : 1
        XCTAssertEqual(found.cosines[m * 5 + n], together ? sign : 0)
      }
    }
  }

  func testChannelsWithoutWeightsHaveNoDirection() throws {
    let found = try layer([[0, 0], [1, 0], [0, 0], [0, 1]])
    XCTAssertEqual(found.channels, 4)
    XCTAssertEqual(found.directed, 2)
    XCTAssertEqual(Set(found.order), [1, 3])
    XCTAssertEqual(found.directions, 2)
    XCTAssertNil(LayerCondensation(path: "a", weights: [0, 1, 0, 1], inputs: 2, channels: 2))
  }

  func testRandomDirectionsAreAsAlikeAsChanceHasIt() throws {
    // Known means of |cos| in 2, 3 and 4 dimensions.
    for (inputs, mean) in [(2, 2 / Double.pi), (3, 0.5), (4, 4 / (3 * Double.pi))] {
      let found = try XCTUnwrap(
        LayerCondensation(path: "a", weights: normals(inputs, 2, seed: 1), inputs: inputs, channels: 2))
      XCTAssertEqual(found.similarityByChance, mean, accuracy: 1e-12)
    }
    for inputs in [2, 27, 144] {
      let channels = 200
      let found = try XCTUnwrap(
        LayerCondensation(path: "a", weights: normals(inputs, channels, seed: 2), inputs: inputs, channels: channels))
      // 19,900 pairs; |cos| of pairs are pairwise independent, with a variance below 1/inputs: five standard errors, a
      // false alarm in less than a million.
      let pairs = Double(channels * (channels - 1) / 2)
      let error = 5 / (Double(inputs) * pairs).squareRoot()
      XCTAssertEqual(found.similarity, found.similarityByChance, accuracy: error, "\(inputs)")
      // ΣD² − N is 2·pairs·mean of D², whose variance is below 3/inputs².
      let excess = Double(channels * channels) / found.directions - Double(channels)
      XCTAssertEqual(
        excess / (2 * pairs), 1 / Double(inputs), accuracy: 5 * 3.0.squareRoot() / (Double(inputs) * pairs.squareRoot()))
    }
  }

  func testCosinesAreThoseOfDoublePrecision() throws {
    let (inputs, channels) = (577, 33)
    let weights = normals(inputs, channels, seed: 3)
    let found = try XCTUnwrap(LayerCondensation(path: "a", weights: weights, inputs: inputs, channels: channels))
    func product(_ m: Int, _ n: Int) -> Double {
      (0..<inputs).reduce(0) { $0 + Double(weights[$1 * channels + m]) * Double(weights[$1 * channels + n]) }
    }
    for m in 0..<channels {
      for n in 0..<channels where m != n {
        let (first, second) = (found.order[m], found.order[n])
        let cosine = product(first, second) / (product(first, first) * product(second, second)).squareRoot()
        XCTAssertEqual(Double(found.cosines[m * channels + n]), cosine, accuracy: 1e-6)
      }
    }
  }

  func testLayersOfACheckpointAreThoseWithDirections() throws {
    try requireSingleRank()
    let shapes: [(String, [Int])] = [
      ("b/weight", [3, 3, 2, 4]), ("a/weight", [5, 2]), ("a/bias", [2]), ("one/weight", [5, 1]), ("single/weight", [1, 5]),
    ]
    let sample = Sample(shapes: shapes, states: ["mean"], seed: 0)
    for (index, parameter) in sample.store.parameters.enumerated() {
      for (place, number) in normals(parameter.count, 1, seed: UInt64(index)).enumerated() {
        parameter.values[place] = number
      }
    }
    try sample.write(to: path(), world)
    let found = try Checkpoint.condensation(path())
    XCTAssertEqual(found.state, sample.state)
    XCTAssertEqual(found.layers.map(\.path), ["a/weight", "b/weight"])
    XCTAssertEqual(found.layers.map(\.inputs), [5, 18])
    XCTAssertEqual(found.layers.map(\.channels), [2, 4])
    let weight = try XCTUnwrap(sample.store.parameters.first { $0.path == "a/weight" })
    let (x, y) = ([0, 2, 4, 6, 8].map { Double(weight.values[$0]) }, [1, 3, 5, 7, 9].map { Double(weight.values[$0]) })
    func product(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    XCTAssertEqual(
      found.layers[0].similarity, abs(product(x, y)) / (product(x, x) * product(y, y)).squareRoot(), accuracy: 1e-6)
  }

  func testWeightsThatAreNotFiniteAreNamed() throws {
    try requireSingleRank()
    let sample = Sample(shapes: [("a/weight", [2, 2])], states: [], seed: 0)
    sample.store.parameters[0].values[1] = .nan
    try sample.write(to: path(), world)
    XCTAssertThrowsError(try Checkpoint.condensation(path())) { error in
      XCTAssertEqual((error as? KitiError)?.kind, .badData)
      XCTAssertTrue("\(error)".contains("/model/a/weight"), "\(error)")
    }
  }
}
