import Foundation
import KitiCore
import KitiHDF5
import KitiMPI
import KitiTestSupport
import XCTest

/// Data sets of Burgers' equation, made by all ranks.
final class BurgersDataSetTests: MPITestCase {
  override func setUpWithError() throws {
    try super.setUpWithError()
    setenv("SOURCE_DATE_EPOCH", "0", 1)
  }

  private func contents(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path(name))) }

  private func array(_ name: String, in file: String) throws -> [Float] {
    let file = try HDF5File.open(path(file))
    defer { try? file.close() }
    return try file.root.dataSet(name).read(Float.self)
  }

  func testSamplesAreFunctionsOfSeedAndNumber() throws {
    try BurgersDataSet(samples: 13, testSamples: 3, resolution: 32, seed: 9)
      .write(to: path("data.h5"), overwrite: false)
    let maker = try BurgersMaker(resolution: 32)
    let (inputs, targets) = try maker.makeSamples(0..<13) { sample, numbers in
      RandomStream(seed: 9, stream: UInt64(sample), domain: .dataSet).fillNormals(numbers, at: .init())
    }
    XCTAssertEqual(try array("train/inputs", in: "data.h5"), Array(inputs[..<320]))
    XCTAssertEqual(try array("train/targets", in: "data.h5"), Array(targets[..<320]))
    XCTAssertEqual(try array("test/inputs", in: "data.h5"), Array(inputs[320...]))
    XCTAssertEqual(try array("test/targets", in: "data.h5"), Array(targets[320...]))
  }

  func testTheFileIsTheSameForAnyNumberOfRanks() throws {
    let recipe = BurgersDataSet(samples: 12, resolution: 64, seed: 4)
    if world.rank == 0 { try recipe.write(to: path("alone.h5"), overwrite: false, communicator: .single) }
    let layout = try recipe.write(to: path("all.h5"), overwrite: false)
    XCTAssertEqual(layout.trainCount, 10)
    XCTAssertEqual(layout.testCount, 2)
    XCTAssertEqual(try contents("all.h5"), try contents("alone.h5"))
  }

  func testSeedsAndParametersMakeOtherData() throws {
    let recipes = [
      BurgersDataSet(samples: 4, resolution: 16), .init(samples: 4, resolution: 16, seed: 2),
      .init(samples: 4, resolution: 16, viscosity: 0.2), .init(samples: 4, resolution: 16, endTime: 0.5),
    ]
    var targets: [[Float]] = []
    for (number, recipe) in recipes.enumerated() {
      try recipe.write(to: path("\(number)"), overwrite: false)
      targets.append(try array("train/targets", in: "\(number)"))
    }
    XCTAssertEqual(Set(targets).count, recipes.count)
  }

  func testParametersAreKept() throws {
    try BurgersDataSet(
      samples: 3, testSamples: 1, resolution: 20, viscosity: 0.05, seed: 7, gridPoints: 2000, endTime: 0.5
    ).write(to: path("data.h5"), overwrite: false)
    let attributes = try HDF5File.open(path("data.h5")).attributes
    XCTAssertEqual(try attributes.readString("kind"), "burgers")
    XCTAssertTrue(try attributes.readString("source").contains("Burgers"))
    XCTAssertEqual(try attributes.readString("created"), "1970-01-01T00:00:00Z")
    XCTAssertEqual(try attributes.read("resolution", as: Int.self), 20)
    XCTAssertEqual(try attributes.read("viscosity", as: Double.self), 0.05)
    XCTAssertEqual(try attributes.read("seed", as: UInt64.self), 7)
    XCTAssertEqual(try attributes.read("gridPoints", as: Int.self), 2000)
    XCTAssertEqual(try attributes.read("endTime", as: Double.self), 0.5)
  }

  func testWhatCannotBeMadeIsRefusedOnAllRanks() throws {
    let recipes = [
      BurgersDataSet(samples: 1, resolution: 16), .init(samples: 0, resolution: 16), .init(samples: -5, resolution: 16),
      .init(samples: 5, testSamples: 0, resolution: 16), .init(samples: 5, testSamples: 5, resolution: 16),
      .init(samples: 5, resolution: 1), .init(samples: 5, resolution: 16, viscosity: -1),
      .init(samples: 5, resolution: 16, gridPoints: 100), .init(samples: 5, resolution: 16, endTime: 0),
    ]
    for recipe in recipes {
      XCTAssertThrowsError(try recipe.write(to: path("data.h5"), overwrite: false)) {
        XCTAssertEqual(($0 as? AgreedFailure)?.error.kind, .usage, "\($0)")
      }
    }
    XCTAssertFalse(FileManager.default.fileExists(atPath: path("data.h5")))
    XCTAssertFalse(FileManager.default.fileExists(atPath: path("data.h5.partial")))
  }
}
