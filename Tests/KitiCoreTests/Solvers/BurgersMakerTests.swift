import Foundation
import KitiCore
import XCTest

/// Samples for operator learning.
final class BurgersMakerTests: XCTestCase {
  private static func normals(_ sample: Int, _ numbers: UnsafeMutableBufferPointer<Double>) {
    var generator = NormalNumbers(seed: sample)
    generator.fill(numbers)
  }

  private func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
    zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }

  func testInputIsTheFieldAndTargetTheSolution() throws {
    let maker = try BurgersMaker(resolution: 256)
    let (inputs, targets) = try maker.makeSamples(3..<5, normals: Self.normals)
    XCTAssertEqual(inputs.count, 2 * 256)
    XCTAssertEqual(targets.count, 2 * 256)
    let solver = try BurgersSolver(viscosity: 0.1, gridPoints: 4096, timeStep: .atMost(1 / 1024))
    for sample in 3..<5 {
      let start = try evaluate(randomSeries(sample), points: 4096)
      let end = try solver.solved(start)
      for j in 0..<256 {
        XCTAssertEqual(inputs[(sample - 3) * 256 + j], Float(start[16 * j]), accuracy: 1e-6)
        XCTAssertEqual(targets[(sample - 3) * 256 + j], Float(end[16 * j]), accuracy: 1e-6)
      }
    }
  }

  func testDefaultGridIsFineEnoughForTheDefaultViscosity() throws {
    for sample in 0..<5 {
      let series = try randomSeries(sample)
      func target(_ points: Int) throws -> [Double] {
        let solver = try BurgersSolver(viscosity: 0.1, gridPoints: points, timeStep: .atMost(1 / 512))
        var values = [Double](repeating: 0, count: points)
        try series.withUnsafeBufferPointer { series in
          try values.withUnsafeMutableBufferPointer { try solver.solve(series: series, into: $0) }
        }
        return stride(from: 0, to: points, by: points / 1024).map { values[$0] }
      }
      XCTAssertLessThan(relativeError(try target(1024), try target(4096)), 1e-13)
    }
  }

  func testSamplesDoNotDependOnRangeOrResolution() throws {
    let maker = try BurgersMaker(resolution: 64)
    let all = try maker.makeSamples(0..<6, normals: Self.normals)
    let some = try BurgersMaker(resolution: 64).makeSamples(4..<6, normals: Self.normals)
    XCTAssertEqual(Array(all.inputs[256...]), some.inputs)
    XCTAssertEqual(Array(all.targets[256...]), some.targets)
    for resolution in [192, 1024, 2048] {
      let fine = try BurgersMaker(resolution: resolution).makeSamples(0..<6, normals: Self.normals)
      let thinned = stride(from: 0, to: 6 * resolution, by: resolution / 64)
      XCTAssertLessThan(largestDifference(thinned.map { fine.inputs[$0] }, all.inputs), 1e-6)
      XCTAssertLessThan(largestDifference(thinned.map { fine.targets[$0] }, all.targets), 1e-6)
    }
  }

  func testOneSampleIsTheSameAsInARange() throws {
    let maker = try BurgersMaker(resolution: 128)
    let expected = try maker.makeSamples(9..<10, normals: Self.normals)
    var numbers = [Double](repeating: 0, count: maker.field.normalCount)
    numbers.withUnsafeMutableBufferPointer { Self.normals(9, $0) }
    let original = numbers
    var input = [Float](repeating: 0, count: 128)
    var target = input
    try numbers.withUnsafeBufferPointer { numbers in
      try input.withUnsafeMutableBufferPointer { input in
        try target.withUnsafeMutableBufferPointer { target in
          try maker.makeSample(9, normals: numbers, input: input, target: target)
        }
      }
    }
    XCTAssertEqual(input, expected.inputs)
    XCTAssertEqual(target, expected.targets)
    XCTAssertEqual(numbers, original)
  }

  func testMakersWorkSideBySide() async throws {
    let expected = try BurgersMaker(resolution: 64).makeSamples(0..<4, normals: Self.normals)
    try await withThrowingTaskGroup(of: [Float].self) { group in
      for _ in 0..<8 {
        group.addTask { try BurgersMaker(resolution: 64).makeSamples(0..<4, normals: Self.normals).targets }
      }
      for try await targets in group { XCTAssertEqual(targets, expected.targets) }
    }
  }

  func testDefaultGrids() {
    let grids = [2: 1024, 64: 1024, 1024: 1024, 2048: 2048, 8192: 8192, 100: 1100, 205: 1230, 1025: 2050]
    for (resolution, grid) in grids {
      XCTAssertEqual(BurgersMaker.defaultGridPoints(resolution: resolution), grid, "resolution \(resolution)")
    }
  }

  func testAnEmptyRangeGivesNoSamples() throws {
    let (inputs, targets) = try BurgersMaker(resolution: 64).makeSamples(7..<7, normals: Self.normals)
    XCTAssertTrue(inputs.isEmpty && targets.isEmpty)
  }

  func testRefusesWhatCannotBeMade() throws {
    for resolution in [Int.min, -4, 0, 1, .max] {
      XCTAssertThrowsError(try BurgersMaker(resolution: resolution)) {
        XCTAssertTrue(($0 as? KitiError)?.problem.contains("\(resolution) points") == true, "\($0)")
      }
    }
    XCTAssertThrowsError(try BurgersMaker(resolution: 100, gridPoints: 1024)) {
      XCTAssertTrue(($0 as? KitiError)?.remedy.contains("1100") == true, "\($0)")
    }
    XCTAssertThrowsError(try BurgersMaker(resolution: 64, viscosity: -1))
    let maker = try BurgersMaker(resolution: 64)
    XCTAssertThrowsError(try maker.makeSamples(5..<6) { _, numbers in numbers[3] = .nan }) {
      XCTAssertEqual(($0 as? KitiError)?.kind, .badData)
      XCTAssertTrue(($0 as? KitiError)?.problem.contains("sample 5") == true, "\($0)")
    }
  }
}
