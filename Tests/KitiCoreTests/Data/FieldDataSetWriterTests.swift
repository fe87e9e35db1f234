import Foundation
import KitiCore
import KitiHDF5
import KitiMPI
import KitiTestSupport
import XCTest

/// Writing data sets with all ranks. Every file must be the same for any number of them.
final class FieldDataSetWriterTests: MPITestCase {
  private struct Refusal: Error {}

  override func setUpWithError() throws {
    try super.setUpWithError()
    setenv("SOURCE_DATE_EPOCH", "86400", 1)
  }

  private func layout(train: Int = 23, test: Int = 5, points: Int = 7) -> FieldDataSetLayout {
    FieldDataSetLayout(
      kind: "burgers", source: "a test", trainCount: train, testCount: test, points: points,
      attributes: ["seed": .unsigned(.max), "points": .integer(-3), "note": .text("ü"), "viscosity": .number(0.1)])
  }

  private func value(_ split: DataSplit, target: Bool, _ sample: Int, _ point: Int) -> Float {
    Float(sample * 1000 + point) + (target ? 0.5 : 0) + (split == .test ? 0.25 : 0)
  }

  private func fill(
    _ points: Int
  ) -> (DataSplit, Range<Int>, UnsafeMutableBufferPointer<Float>, UnsafeMutableBufferPointer<Float>) -> Void {
    { split, samples, inputs, targets in
      precondition(!samples.isEmpty && inputs.count == samples.count * points && targets.count == inputs.count)
      for (row, sample) in samples.enumerated() {
        for point in 0..<points {
          inputs[row * points + point] = self.value(split, target: false, sample, point)
          targets[row * points + point] = self.value(split, target: true, sample, point)
        }
      }
    }
  }

  private func write(
    _ name: String, _ layout: FieldDataSetLayout, communicator: Communicator = .world, block: Int? = nil,
    overwrite: Bool = false
  ) throws {
    try FieldDataSetWriter(path: path(name), layout: layout, communicator: communicator, block: block)
      .write(overwrite: overwrite, make: fill(layout.points))
  }

  private func contents(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path(name))) }

  /// The names in the folder, once all ranks are done with it.
  private func names() throws -> [String] {
    try world.barrier()
    defer { try? world.barrier() }
    return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  }

  /// Checks that `body` fails alike on every rank, and returns the error's text.
  @discardableResult
  private func assertFailure(
    _ kind: KitiError.Kind, naming fragments: String..., line: UInt = #line, _ body: () throws -> Void
  ) throws -> String {
    var text = ""
    XCTAssertThrowsError(try body(), line: line) { error in
      guard let failure = error as? AgreedFailure else { return XCTFail("\(error)", line: line) }
      XCTAssertEqual(failure.error.kind, kind, "\(failure)", line: line)
      text = failure.error.description
    }
    for fragment in fragments {
      XCTAssertTrue(text.contains(fragment), "'\(fragment)' missing in: \(text)", line: line)
    }
    XCTAssertEqual(try world.broadcast(text, root: 0), text, "ranks differ", line: line)
    return text
  }

  func testTheFileHoldsWhatTheRanksMade() throws {
    let layout = layout()
    try write("data.h5", layout)
    let dataSet = try FieldDataSet(path: path("data.h5"), kind: "burgers")
    XCTAssertEqual(dataSet.inputShape, [7, 1])
    XCTAssertEqual(dataSet.targetShape, [7, 1])
    for split in DataSplit.allCases {
      XCTAssertEqual(dataSet.sampleCount(split), layout.sampleCount(split))
      let file = try HDF5File.open(path("data.h5"))
      for target in [false, true] {
        let array = try file.root.dataSet("\(split.rawValue)/\(target ? "targets" : "inputs")")
        let expected = (0..<layout.sampleCount(split)).flatMap { sample in
          (0..<7).map { value(split, target: target, sample, $0) }
        }
        XCTAssertEqual(try array.read(Float.self), expected)
      }
      let attributes = file.attributes
      XCTAssertEqual(
        try attributes.names(), ["created", "kind", "note", "points", "seed", "source", "viscosity"])
      XCTAssertEqual(try attributes.readString("created"), "1970-01-02T00:00:00Z")
      XCTAssertEqual(try attributes.readString("source"), "a test")
      XCTAssertEqual(try attributes.readString("note"), "ü")
      XCTAssertEqual(try attributes.read("seed", as: UInt64.self), .max)
      XCTAssertEqual(try attributes.read("points", as: Int.self), -3)
      XCTAssertEqual(try attributes.read("viscosity", as: Double.self), 0.1)
      try file.close()
    }
    XCTAssertEqual(try names(), ["data.h5"])
  }

  func testBytesDoNotDependOnRanksOrBlocks() throws {
    for (number, (train, test, points)) in [(23, 5, 7), (1, 1, 1), (3, 2, 1030), (300, 50, 64)].enumerated() {
      let layout = layout(train: train, test: test, points: points)
      if world.rank == 0 { try write("alone \(number)", layout, communicator: .single) }
      for block in [nil, train > 100 ? 16 : 1, 4] as [Int?] {
        let name = "all \(number) \(block ?? 0)"
        try write(name, layout, block: block)
        XCTAssertEqual(try contents(name), try contents("alone \(number)"), "\(layout), block \(block ?? 0)")
      }
    }
  }

  func testProgressEndsAtTheWholeOnEveryRank() throws {
    let layout = layout()
    var steps: [Int] = []
    try FieldDataSetWriter(path: path("data.h5"), layout: layout, block: 2)
      .write(overwrite: false, progress: { steps.append($0) }, make: fill(7))
    XCTAssertEqual(steps.last, 28)
    XCTAssertEqual(steps, steps.sorted())
  }

  func testAnExistingFileIsRefusedAndKept() throws {
    try write("data.h5", layout())
    let before = try contents("data.h5")
    try world.barrier()
    try assertFailure(.usage, naming: path("data.h5"), "exists", "--overwrite") {
      try write("data.h5", layout(train: 30))
    }
    XCTAssertEqual(try contents("data.h5"), before)
    XCTAssertEqual(try names(), ["data.h5"])
    try write("data.h5", layout(train: 30), overwrite: true)
    XCTAssertEqual(try FieldDataSet(path: path("data.h5")).sampleCount(.train), 30)
    XCTAssertEqual(try names(), ["data.h5"])
  }

  func testWhatAnotherRunIsMakingIsNotTouched() throws {
    if world.rank == 0 { try Data("of another run".utf8).write(to: folder.appendingPathComponent("data.h5.partial")) }
    try world.barrier()
    try assertFailure(.usage, naming: path("data.h5.partial"), "interrupted", "--overwrite") {
      try write("data.h5", layout())
    }
    XCTAssertEqual(try contents("data.h5.partial"), Data("of another run".utf8))
    try world.barrier()
    try write("data.h5", layout(), overwrite: true)
    XCTAssertEqual(try names(), ["data.h5"])
  }

  func testAFailureOnAnyRankEndsAllAndLeavesNothing() throws {
    try write("old.h5", layout())
    let before = try contents("old.h5")
    // Ranks beyond the number of samples make none and cannot fail.
    for failing in 0..<min(world.size, layout().testCount) {
      for failingSplit in DataSplit.allCases {
        for (name, overwrite) in [("new.h5", false), ("old.h5", true)] {
          let make = fill(7)
          let text = try assertFailure(.badData, naming: "no solution") {
            try FieldDataSetWriter(path: path(name), layout: layout(), block: 3).write(overwrite: overwrite) {
              if $0 == failingSplit && world.rank == failing {
                throw KitiError(.badData, "There is no solution on rank \(failing).", remedy: "")
              }
              make($0, $1, $2, $3)
            }
          }
          XCTAssertTrue(text.contains("rank \(failing)"), text)
        }
      }
    }
    XCTAssertEqual(try names(), ["old.h5"])
    XCTAssertEqual(try contents("old.h5"), before)
  }

  func testGivingUpLeavesNothing() throws {
    try assertFailure(.failed, naming: "Refusal") {
      try FieldDataSetWriter(path: path("data.h5"), layout: layout(), block: 1).write(
        overwrite: false, progress: { if $0 > 10 { throw Refusal() } }, make: fill(7))
    }
    XCTAssertEqual(try names(), [])
  }

  /// A limit on the size of files stands in for a full disk.
  func testAFullDiskIsOneErrorAndLeavesNothing() throws {
    try write("old.h5", layout())
    let before = try contents("old.h5")
    try world.barrier()
    var usual = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &usual)
    let handler = signal(SIGXFSZ, SIG_IGN)
    for bytes in [0, 500, 3000, 100_000] {
      var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: usual.rlim_max)
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      for (name, overwrite) in [("new.h5", false), ("old.h5", true)] {
        try assertFailure(.failed, naming: path(name), "disk") {
          try write(name, layout(train: 100, test: 20, points: 1000), overwrite: overwrite)
        }
      }
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &usual)
    }
    signal(SIGXFSZ, handler)
    XCTAssertEqual(try names(), ["old.h5"])
    XCTAssertEqual(try contents("old.h5"), before)
    try world.barrier()
    try write("new.h5", layout())
    XCTAssertEqual(try contents("new.h5"), before, "writing works again afterwards")
  }

  func testADiskThatIsTooSmallIsFoundBeforehand() throws {
    try assertFailure(.failed, naming: path("data.h5"), "MiB free") {
      try write("data.h5", layout(train: 1 << 30, test: 1, points: 1 << 20))
    }
    XCTAssertEqual(try names(), [])
  }

  func testPlacesThatCannotBeWrittenAreNamed() throws {
    try assertFailure(.usage, naming: path("absent"), "No such file or directory") {
      try write("absent/data.h5", layout())
    }
    try assertFailure(.usage, naming: folder.path) {
      try FieldDataSetWriter(path: folder.path, layout: layout()).write(overwrite: true, make: fill(7))
    }
    try assertFailure(.usage) {
      try FieldDataSetWriter(path: "", layout: layout()).write(overwrite: false, make: fill(7))
    }
    XCTAssertEqual(try names(), [])
  }

  func testLayoutsThatCannotBeMadeAreRefused() {
    let shapes = [(0, 1, 1), (1, 0, 1), (1, 1, 0), (-1, 1, 1), (1, 1, -1), (1, 1, Int.max), (.max, .max, 9)]
    for (train, test, points) in shapes {
      let layout = layout(train: train, test: test, points: points)
      XCTAssertThrowsError(try FieldDataSetWriter(path: path("data.h5"), layout: layout)) {
        XCTAssertEqual(($0 as? KitiError)?.kind, .usage, "\($0)")
      }
    }
  }

  func testADateThatIsNoneIsRefused() throws {
    for date in ["", "now", "-1", "1e9", "99999999999999"] {
      setenv("SOURCE_DATE_EPOCH", date, 1)
      try assertFailure(.usage, naming: "SOURCE_DATE_EPOCH", "'\(date)'") { try write("data.h5", layout()) }
    }
    XCTAssertEqual(try names(), [])
  }

  func testWithoutAFixedDateTheDateIsThePresent() throws {
    unsetenv("SOURCE_DATE_EPOCH")
    try write("data.h5", layout())
    let file = try HDF5File.open(path("data.h5"))
    let created = try Date(file.attributes.readString("created"), strategy: .iso8601)
    XCTAssertGreaterThan(created, Date(timeIntervalSince1970: 1_700_000_000))
    try file.close()
  }
}
