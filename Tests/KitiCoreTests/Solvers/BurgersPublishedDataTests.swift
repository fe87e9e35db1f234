import Foundation
import KitiCore
import XCTest

/// The solver against published trajectories (Fixtures/burgers-published.txt names the source).
final class BurgersPublishedDataTests: XCTestCase {
  private struct Description: Decodable {
    var shape: [Int]
    var viscosity: Double
    var interval: Double
    var trajectories: [Int]
  }

  private func load() throws -> (Description, [Double]) {
    let folder = try XCTUnwrap(Bundle.module.resourceURL).appendingPathComponent("Fixtures")
    let description = try JSONDecoder().decode(
      Description.self, from: Data(contentsOf: folder.appendingPathComponent("burgers-published.json")))
    let bytes = try Data(contentsOf: folder.appendingPathComponent("burgers-published.f32"))
    XCTAssertEqual(bytes.count, 4 * description.shape.reduce(1, *))
    let values = bytes.withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count, by: 4).map {
        Double(Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self))))
      }
    }
    return (description, values)
  }

  /// The trigonometric interpolation of values on an even grid; the last wave is a cosine, the only one that the
  /// grid can see.
  private func interpolation(_ values: ArraySlice<Double>) -> [Double] {
    let points = values.count
    var series = [values.reduce(0, +) / Double(points)]
    for k in 1...points / 2 {
      let scale = (2 * k == points ? 1 : 2) / Double(points)
      var (c, s) = (0.0, 0.0)
      for (j, value) in values.enumerated() {
        let angle = 2 * Double.pi * Double(k * j % points) / Double(points)
        c += scale * value * cos(angle)
        s += scale * value * sin(angle)
      }
      series += [c, 2 * k == points ? 0 : s]
    }
    return series
  }

  /// The 16 points do not show the waves above 8 of the published initial fields (some 1e-4 of them), which bounds
  /// the agreement. A viscosity wrong by one per cent gives 2.4e-3.
  func testFollowsPublishedTrajectories() throws {
    let (description, published) = try load()
    let (trajectories, snapshots, points) = (description.shape[0], description.shape[1], description.shape[2])
    let grid = 256
    let solver = try BurgersSolver(
      viscosity: description.viscosity, gridPoints: grid, endTime: description.interval, timeStep: .atMost(0.0025))
    var values = [Double](repeating: 0, count: grid)
    var (differences, squares): ([Double], [Double]) = ([], [])
    for trajectory in 0..<trajectories {
      let start = trajectory * snapshots * points
      let series = interpolation(published[start..<start + points])
      let number = description.trajectories[trajectory]
      try series.withUnsafeBufferPointer { series in
        try values.withUnsafeMutableBufferPointer { try solver.solve(series: series, into: $0, sample: number) }
      }
      var (difference, square) = (0.0, 0.0)
      for snapshot in 1..<snapshots {
        if snapshot > 1 { values = try solver.solved(values, sample: number) }
        for j in 0..<points {
          let expected = published[start + snapshot * points + j]
          let error = values[j * grid / points] - expected
          difference += error * error
          square += expected * expected
        }
      }
      differences.append(difference)
      squares.append(square)
    }
    let together = (differences.reduce(0, +) / squares.reduce(0, +)).squareRoot()
    let each = zip(differences, squares).map { ($0 / $1).squareRoot() }.sorted()
    XCTAssertLessThan(together, 1.5e-4)
    XCTAssertLessThan(each[trajectories / 2], 1.7e-4)
    XCTAssertLessThan(each[trajectories - 1], 2.5e-3)
  }
}
