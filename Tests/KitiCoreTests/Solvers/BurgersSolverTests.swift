import Foundation
import KitiCore
import XCTest

/// The solver against closed forms and what the equation conserves.
final class BurgersSolverTests: XCTestCase {
  /// u = −2ν φ_x / φ with φ = 1 + Σ a_k exp(−ν(2πk)²t) cos(2πkx), a solution of the heat equation
  /// (Cole 1951, Hopf 1950), seen from a frame in which it drifts.
  private struct ColeHopf {
    var viscosity: Double
    var waves: [Double]
    var drift = 0.0

    func value(_ x: Double, _ time: Double) -> Double {
      var (potential, slope) = (1.0, 0.0)
      for (index, amplitude) in waves.enumerated() {
        let angular = 2 * Double.pi * Double(index + 1)
        let size = amplitude * exp(-viscosity * angular * angular * time)
        potential += size * cos(angular * (x - drift * time))
        slope -= size * angular * sin(angular * (x - drift * time))
      }
      return drift - 2 * viscosity * slope / potential
    }

    func values(_ points: Int, _ time: Double) -> [Double] {
      (0..<points).map { value(Double($0) / Double(points), time) }
    }

    /// Root mean square error of the solver at `time`, as a share of the initial field.
    func error(gridPoints: Int, time: Double, timeStep: BurgersSolver.TimeStep = .automatic) throws -> Double {
      let solver = try BurgersSolver(
        viscosity: viscosity, gridPoints: gridPoints, endTime: time, timeStep: timeStep)
      let start = values(gridPoints, 0)
      let result = try solver.solved(start)
      return (zip(result, values(gridPoints, time)).map(-).energy / start.energy).squareRoot()
    }
  }

  func testFollowsTheColeHopfSolution() throws {
    for (viscosity, time) in [(0.1, 0.1), (0.1, 1), (0.02, 1), (0.005, 1), (0.005, 5), (1, 0.01)] {
      for waves in [[0.9], [0.5, 0.3], [-0.2, 0.6, 0.1]] {
        let error = try ColeHopf(viscosity: viscosity, waves: waves).error(gridPoints: 512, time: time)
        XCTAssertLessThan(error, 1e-10, "viscosity \(viscosity), time \(time), waves \(waves)")
      }
    }
  }

  func testFollowsADriftingSolution() throws {
    for drift in [-3.0, 0.7, 250] {
      let solution = ColeHopf(viscosity: 0.02, waves: [0.9], drift: drift)
      XCTAssertLessThan(try solution.error(gridPoints: 256, time: 1.3), 1e-11, "drift \(drift)")
    }
  }

  func testWorksOnGridsThatAreNoPowersOfTwo() throws {
    let solution = ColeHopf(viscosity: 0.05, waves: [0.5])
    for points in [96, 150, 194] {
      XCTAssertLessThan(try solution.error(gridPoints: points, time: 0.5), 1e-11, "\(points) points")
    }
  }

  func testTimeErrorIsOfFourthOrder() throws {
    let solution = ColeHopf(viscosity: 0.05, waves: [0.9])
    let errors = try [32, 64, 128, 256].map {
      try solution.error(gridPoints: 256, time: 1, timeStep: .atMost(1 / Double($0)))
    }
    for (coarse, fine) in zip(errors, errors.dropFirst()) {
      XCTAssertEqual(log2(coarse / fine), 4, accuracy: 0.25, "errors \(errors)")
    }
  }

  /// Of 64 points the 2/3 rule keeps 21 waves. The square of the highest lies beyond them, so that it only decays;
  /// with more waves kept, or without the rule, it would feed others.
  func testKeepsTheWavesOfTheTwoThirdsRule() throws {
    let solver = try BurgersSolver(viscosity: 0.01, gridPoints: 64, endTime: 0.1)
    func wave(_ k: Int) -> [Double] { (0..<64).map { cos(2 * .pi * Double(k * $0 % 64) / 64) } }
    let decay = exp(-0.01 * pow(2 * .pi * 21, 2) * 0.1)
    XCTAssertLessThan(relativeError(try solver.solved(wave(21)), wave(21).map { $0 * decay }), 1e-7)
    XCTAssertLessThan(try solver.solved(wave(22)).energy, 1e-30)
  }

  func testShortStepIsRoundedDownToDivideTheTime() throws {
    let solver = try BurgersSolver(viscosity: 0.1, gridPoints: 64, endTime: 1, timeStep: .atMost(0.3))
    _ = try solver.solved([Double](repeating: 1, count: 64))
    XCTAssertEqual(solver.lastStepCount, 4)
    let exact = try BurgersSolver(viscosity: 0.1, gridPoints: 64, endTime: 0.06, timeStep: .atMost(0.005))
    _ = try exact.solved([Double](repeating: 1, count: 64))
    XCTAssertEqual(exact.lastStepCount, 12)
  }

  func testKeepsTheMeanAndLosesEnergy() throws {
    let solver = try BurgersSolver(viscosity: 0.01, gridPoints: 1024, endTime: 0.1)
    for sample in 0..<5 {
      var values = try evaluate(randomSeries(sample), points: 1024)
      let mean = values.mean
      var energy = values.energy
      for _ in 0..<10 {
        values = try solver.solved(values)
        XCTAssertEqual(values.mean, mean, accuracy: 1e-13)
        XCTAssertLessThan(values.energy, energy)
        energy = values.energy
      }
    }
  }

  func testEnergyIsLostAtTheRateOfTheEquation() throws {
    let viscosity = 0.05
    let solution = ColeHopf(viscosity: viscosity, waves: [0.6, 0.1])
    let points = 256
    let before = solution.values(points, 0)
    let solver = try BurgersSolver(viscosity: viscosity, gridPoints: points, endTime: 1e-4)
    let after = try solver.solved(before)
    let slopes = (0..<points).map { j -> Double in
      let x = Double(j) / Double(points)
      return (solution.value(x + 1e-5, 0.5e-4) - solution.value(x - 1e-5, 0.5e-4)) / 2e-5
    }
    let rate = (after.energy - before.energy) / 1e-4
    XCTAssertEqual(rate, -2 * viscosity * slopes.energy, accuracy: 1e-5 * abs(rate))
  }

  func testAutomaticStepAgreesWithFinerSteps() throws {
    for (viscosity, points) in [(1.0, 256), (0.1, 1024), (0.03, 1024), (0.01, 1024)] {
      for sample in 0..<5 {
        let start = try evaluate(randomSeries(sample), points: points)
        let solver = try BurgersSolver(viscosity: viscosity, gridPoints: points)
        let result = try solver.solved(start)
        let finer = try BurgersSolver(
          viscosity: viscosity, gridPoints: points, timeStep: .atMost(0.25 / Double(solver.lastStepCount)))
        let error = zip(result, try finer.solved(start)).map(-).energy.squareRoot()
        XCTAssertLessThan(error, 1e-9, "viscosity \(viscosity), sample \(sample)")
      }
    }
  }

  func testEarlierSamplesLeaveNoTrace() throws {
    let start = try evaluate(randomSeries(0), points: 256)
    let solver = try BurgersSolver(viscosity: 0.05, gridPoints: 256)
    let first = try solver.solved(start)
    _ = try solver.solved(evaluate(randomSeries(1), points: 256).map { 5 * $0 })
    XCTAssertThrowsError(try solver.solved(start.map { 1e150 * $0 }))
    XCTAssertEqual(try solver.solved(start), first)
  }

  func testExponentialStepHasTheTaylorLimitAndTheClosedForm() {
    let still = ExponentialStep(rate: 0, step: 0.3)
    XCTAssertEqual(still.full, 1)
    XCTAssertEqual(still.stage, 0.15, accuracy: 1e-15)
    XCTAssertEqual(still.first, 0.05, accuracy: 1e-15)
    XCTAssertEqual(still.middle, 0.05, accuracy: 1e-15)
    XCTAssertEqual(still.last, 0.05, accuracy: 1e-15)
    for z in [-2.0, -30, -4000] {
      let step = ExponentialStep(rate: z, step: 1)
      let cube = z * z * z
      XCTAssertEqual(step.half, exp(z / 2))
      XCTAssertEqual(step.stage, (exp(z / 2) - 1) / z, accuracy: 1e-14)
      XCTAssertEqual(step.first, (-4 - z + exp(z) * (4 - 3 * z + z * z)) / cube, accuracy: 1e-14)
      XCTAssertEqual(step.middle, (2 + z + exp(z) * (z - 2)) / cube, accuracy: 1e-14)
      XCTAssertEqual(step.last, (-4 - 3 * z - z * z + exp(z) * (4 - z)) / cube, accuracy: 1e-14)
    }
  }
}
