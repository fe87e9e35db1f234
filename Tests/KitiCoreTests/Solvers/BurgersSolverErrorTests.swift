import KitiCore
import XCTest

/// What the solver says about input it cannot use and solutions it cannot compute.
final class BurgersSolverErrorTests: XCTestCase {
  private func failure(_ body: () throws -> Void, file: StaticString = #filePath, line: UInt = #line) -> KitiError? {
    do {
      try body()
      XCTFail("no error", file: file, line: line)
    } catch let error as KitiError {
      XCTAssertFalse(error.remedy.isEmpty, "no remedy: \(error)", file: file, line: line)
      return error
    } catch { XCTFail("\(error)", file: file, line: line) }
    return nil
  }

  private func wave(_ points: Int, amplitude: Double = 1) -> [Double] {
    (0..<points).map { amplitude * sin(2 * .pi * Double($0) / Double(points)) }
  }

  func testRefusesGridsItCannotUse() {
    for points in [Int.min, -2, 0, 1, 2, 3, 65, Int.max - 1] {
      let error = failure { _ = try BurgersSolver(viscosity: 0.1, gridPoints: points) }
      XCTAssertEqual(error?.kind, .usage)
      XCTAssertTrue(error?.problem.contains("\(points) points") == true, "\(error?.problem ?? "")")
    }
  }

  func testRefusesNumbersOutOfRange() {
    for number in [-0.1, 0, .nan, .infinity] {
      let errors = [
        failure { _ = try BurgersSolver(viscosity: number, gridPoints: 64) },
        failure { _ = try BurgersSolver(viscosity: 0.1, gridPoints: 64, endTime: number) },
        failure { _ = try BurgersSolver(viscosity: 0.1, gridPoints: 64, timeStep: .atMost(number)) },
      ]
      for (error, subject) in zip(errors, ["viscosity", "end at time", "time step"]) {
        XCTAssertEqual(error?.kind, .usage)
        XCTAssertTrue(error?.problem.contains(subject) == true, "\(error?.problem ?? "")")
        XCTAssertTrue(error?.problem.contains("\(number)") == true, "\(error?.problem ?? "")")
      }
    }
  }

  func testRefusesInitialFieldsThatAreNotFinite() throws {
    let solver = try BurgersSolver(viscosity: 0.1, gridPoints: 64)
    for bad in [Double.nan, .infinity, -.infinity] {
      var values = wave(64)
      values[17] = bad
      let error = failure { _ = try solver.solved(values, sample: 12) }
      XCTAssertEqual(error?.kind, .badData)
      XCTAssertTrue(error?.problem.contains("Burgers sample 12") == true)
    }
    XCTAssertNoThrow(try solver.solved(wave(64)))
  }

  func testRefusesFieldsOfAnotherLength() throws {
    let solver = try BurgersSolver(viscosity: 0.1, gridPoints: 64)
    for count in [0, 63, 128] {
      XCTAssertEqual(failure { _ = try solver.solved([Double](repeating: 0, count: count)) }?.kind, .usage)
    }
  }

  func testSaysThatTheGridIsTooCoarse() throws {
    let solver = try BurgersSolver(viscosity: 0.001, gridPoints: 128)
    let error = failure { _ = try solver.solved(wave(128), sample: 7) }
    XCTAssertEqual(error?.kind, .failed)
    XCTAssertTrue(error?.problem.contains("too coarse for Burgers sample 7") == true, "\(error?.problem ?? "")")
    XCTAssertTrue(error?.remedy.contains("256 points") == true, "\(error?.remedy ?? "")")
  }

  func testSmallestGridGivesAnErrorForWavesAndKeepsConstants() throws {
    let solver = try BurgersSolver(viscosity: 0.01, gridPoints: 4, endTime: 0.5)
    XCTAssertEqual(failure { _ = try solver.solved([0, 1, 0, -1]) }?.kind, .failed)
    XCTAssertEqual(try solver.solved([2, 2, 2, 2]), [2, 2, 2, 2])
    XCTAssertEqual(try solver.solved([0, 0, 0, 0]), [0, 0, 0, 0])
  }

  func testSaysThatTheStepIsTooLong() throws {
    let solver = try BurgersSolver(viscosity: 0.01, gridPoints: 256, timeStep: .atMost(0.05))
    let error = failure { _ = try solver.solved(wave(256, amplitude: 10), sample: 3) }
    XCTAssertEqual(error?.kind, .failed)
    XCTAssertTrue(error?.problem.contains("sample 3") == true, "\(error?.problem ?? "")")
    XCTAssertTrue(error?.remedy.contains("shorter time step") == true, "\(error?.remedy ?? "")")
  }

  func testRefusesEndlessWork() throws {
    for amplitude in [1e10, 1e200, 1e308] {
      let solver = try BurgersSolver(viscosity: 0.01, gridPoints: 256)
      XCTAssertEqual(failure { _ = try solver.solved(wave(256, amplitude: amplitude)) }?.kind, .failed)
    }
    let tiny = try BurgersSolver(viscosity: 0.01, gridPoints: 256, timeStep: .atMost(1e-300))
    XCTAssertEqual(failure { _ = try tiny.solved(wave(256)) }?.kind, .failed)
  }

  func testFieldIsUnchangedAfterAnError() throws {
    let solver = try BurgersSolver(viscosity: 0.001, gridPoints: 128)
    var values = wave(128)
    XCTAssertThrowsError(try values.withUnsafeMutableBufferPointer { try solver.solve($0) })
    XCTAssertEqual(values, wave(128))
  }
}
