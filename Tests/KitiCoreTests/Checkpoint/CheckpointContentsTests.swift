import Foundation
import KitiCore
import KitiMPI
import KitiTestSupport
import XCTest

final class CheckpointContentsTests: MPITestCase {
  override func setUpWithError() throws {
    try super.setUpWithError()
    try requireSingleRank()
  }

  func testContentsAreThoseOfTheStore() throws {
    let sample = Sample(shapes: [("a/weight", [2, 2]), ("a/bias", [3])], states: ["mean"], seed: 0)
    let weight = try XCTUnwrap(sample.store.parameters.first { $0.path == "a/weight" })
    for (index, value) in ([.nan, -.infinity, 3, -1] as [Float]).enumerated() { weight.values[index] = value }
    try sample.write(to: path(), world)
    for verify in [false, true] {
      let contents = try Checkpoint.contents(path(), verify: verify)
      XCTAssertEqual(
        contents.arrays.map(\.path),
        ["/model/a/bias", "/model/a/weight", "/optimizer/mean/a/bias", "/optimizer/mean/a/weight"])
      let array = contents.arrays[1]
      XCTAssertEqual(array.shape, [2, 2])
      XCTAssertEqual(array.type, "float32")
      XCTAssertEqual(array.minimum, -1)
      XCTAssertEqual(array.maximum, 3)
      XCTAssertEqual(array.mean, 1)
      XCTAssertEqual(array.notFiniteCount, 2)
      XCTAssertEqual(array.checksum, CheckpointSeal.hash(UnsafeRawBufferPointer(start: weight.values, count: 16)))
      XCTAssertEqual(contents.parameterCount, 7)
      XCTAssertEqual(contents.optimizerCount, 7)
      XCTAssertEqual(contents.optimizerStates, ["mean"])
      XCTAssertEqual(contents.state, sample.state)
      XCTAssertEqual(contents.configuration, Sample.configuration)
      XCTAssertEqual(contents.program, "kiti-dist")
      XCTAssertEqual(contents.formatVersion, 1)
      XCTAssertEqual(contents.isVerified, verify)
    }
  }

  func testArraysWithoutFiniteValuesHaveNoMean() throws {
    let sample = Sample(shapes: [("empty", [0]), ("bad", [1])], states: [], seed: 0)
    sample.store.parameters.first { $0.path == "bad" }?.values[0] = .infinity
    try sample.write(to: path(), world)
    for array in try Checkpoint.contents(path(), verify: true).arrays { XCTAssertNil(array.mean) }
  }

  func testH5pySeesNamesShapesAndValues() throws {
    guard let python = ProcessInfo.processInfo.environment["KITI_PYTHON"], !python.isEmpty else {
      throw XCTSkip("KITI_PYTHON is not set: it names a Python with h5py")
    }
    let sample = Sample(shapes: [("lift/weight", [2, 3]), ("lift/bias", [])], states: ["mean"], seed: 0)
    sample.store.parameters.first { $0.path == "lift/weight" }?.values[5] = 2.5
    sample.store.parameters.first { $0.path == "lift/bias" }?.values[0] = -1
    try sample.write(to: path(), world)
    let script = """
      import h5py, sys
      with h5py.File(sys.argv[1], "r") as file:
          found = {}
          file.visititems(lambda name, item: found.update({name: item.shape}) if isinstance(item, h5py.Dataset) else None)
          assert found == {"config": (1,), "model/lift/bias": (), "model/lift/weight": (2, 3),
              "optimizer/mean/lift/bias": (), "optimizer/mean/lift/weight": (2, 3)}, found
          assert file["model/lift/weight"].dtype == "<f4" and file["model/lift/weight"][1, 2] == 2.5
          assert file["model/lift/bias"][()] == -1
          assert file["config"][0].decode() == sys.argv[2]
          state = dict(file["state"].attrs)
          assert state["step"] == 12 and state["seed"] == 2**64 - 1 and state["bestMetric"] == 0.1 + 0.2, state
          assert file.attrs["formatVersion"] == 1 and file.attrs["program"].decode() == "kiti-dist"
          assert file["model/lift/bias"].attrs["xxh3"] > 0
      """
    let process = Process()
    process.executableURL = URL(fileURLWithPath: python)
    process.arguments = ["-c", script, path(), Sample.configuration]
    let pipe = Pipe()
    process.standardError = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    XCTAssertEqual(process.terminationStatus, 0, output)
  }
}
