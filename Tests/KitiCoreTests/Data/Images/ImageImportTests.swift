import Foundation
import KitiCore
import KitiHDF5
import KitiMPI
import KitiTestSupport
import XCTest

/// Importing images with all ranks. Every file must be the same for any number of them.
final class ImageImportTests: MPITestCase {
  override func setUpWithError() throws {
    try super.setUpWithError()
    setenv("SOURCE_DATE_EPOCH", "86400", 1)
  }

  private func source() throws -> CIFARSource {
    try CIFARSource(path: ImageFixtures.path("cifar-10-batches-bin"), edition: .cifar10)
  }

  private func contents(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path(name))) }

  /// The names in the folder, once all ranks are done with it.
  private func names() throws -> [String] {
    try world.barrier()
    defer { try? world.barrier() }
    return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  }

  func testTheFileHoldsTheImagesAndTheirStatistics() throws {
    let images = try ImageImport(kind: .cifar10, source: source(), note: "a note, ü")
    var steps: [Int] = []
    let layout = try images.write(to: path("a.h5"), overwrite: false) { steps.append($0) }
    XCTAssertEqual(steps.last, images.work)
    XCTAssertEqual([layout.trainCount, layout.testCount], [15, 4])
    let file = try HDF5File.open(path("a.h5"))
    let source = try source()
    for split in DataSplit.allCases {
      let count = source.sampleCount(split)
      let expected = try LabeledImages(source, split, 0..<count)
      let inputs = try file.root.dataSet("\(split.rawValue)/inputs")
      XCTAssertEqual(inputs.shape, [count, 32, 32, 3])
      XCTAssertEqual(try inputs.read(UInt8.self), expected.pixels)
      XCTAssertEqual(try file.root.dataSet("\(split.rawValue)/targets").read(Int32.self), expected.labels)
    }
    XCTAssertEqual(try file.attributes.readString("kind"), "cifar10")
    XCTAssertEqual(try file.attributes.readString("note"), "a note, ü")
    XCTAssertTrue(try file.attributes.readString("source").hasPrefix("CIFAR-10"))
    XCTAssertEqual(try file.attributes.readString("created"), "1970-01-02T00:00:00Z")
    XCTAssertEqual(try file.attributes.readStrings("classes"), source.classes)
    let pixels = try LabeledImages(source, .train, 0..<15).pixels
    let (mean, deviation): ([Double], [Double]) = (
      try file.attributes.readArray("mean"), try file.attributes.readArray("std")
    )
    for channel in 0..<3 {
      let values = stride(from: channel, to: pixels.count, by: 3).map { Double(pixels[$0]) / 255 }
      let average = values.reduce(0, +) / Double(values.count)
      let variance = values.reduce(0) { $0 + ($1 - average) * ($1 - average) } / Double(values.count)
      XCTAssertEqual(mean[channel], average, accuracy: 1e-12)
      XCTAssertEqual(deviation[channel], variance.squareRoot(), accuracy: 1e-12)
    }
    try file.close()
    XCTAssertEqual(try names(), ["a.h5"])
  }

  func testBytesDoNotDependOnRanks() throws {
    if world.rank == 0 {
      try ImageImport(kind: .cifar10, source: source())
        .write(to: path("alone.h5"), overwrite: false, communicator: .single)
    }
    try ImageImport(kind: .cifar10, source: source()).write(to: path("all.h5"), overwrite: false)
    XCTAssertEqual(try contents("all.h5"), try contents("alone.h5"))
  }

  func testAnExistingFileIsRefusedBeforeAnythingIsRead() throws {
    try ImageImport(kind: .cifar10, source: source()).write(to: path("a.h5"), overwrite: false)
    let before = try contents("a.h5")
    try world.barrier()
    var reads = 0
    XCTAssertThrowsError(
      try ImageImport(kind: .cifar10, source: source()).write(to: path("a.h5"), overwrite: false) { _ in reads += 1 }
    ) { XCTAssertEqual(($0 as? AgreedFailure)?.error.kind, .usage, "\($0)") }
    XCTAssertEqual(reads, 0)
    XCTAssertEqual(try contents("a.h5"), before)
    try world.barrier()
    try ImageImport(kind: .cifar10, source: source()).write(to: path("a.h5"), overwrite: true)
    XCTAssertEqual(try contents("a.h5"), before)
  }

  func testADamagedSourceFailsAlikeOnAllRanksAndLeavesNothing() throws {
    if world.rank == 0 {
      try FileManager.default.copyItem(atPath: ImageFixtures.path("cifar-10-batches-bin"), toPath: path("c"))
      for name in ["data_batch_3.bin", "test_batch.bin"] {
        let folder = path(name + ".folder")
        try FileManager.default.copyItem(atPath: path("c"), toPath: folder)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)"))
        bytes[3073] = 200
        try bytes.write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
      }
    }
    try world.barrier()
    // The one is noticed while measuring, the other while writing.
    for name in ["data_batch_3.bin", "test_batch.bin"] {
      let source = try CIFARSource(path: path(name + ".folder"), edition: .cifar10)
      XCTAssertThrowsError(try ImageImport(kind: .cifar10, source: source).write(to: path("a.h5"), overwrite: false)) {
        let failure = $0 as? AgreedFailure
        XCTAssertEqual(failure?.error.kind, .badData, "\($0)")
        XCTAssertTrue(failure?.error.description.contains("label 200 in record 1") ?? false, "\($0)")
      }
      XCTAssertEqual(try names(), ["c", "data_batch_3.bin.folder", "test_batch.bin.folder"])
    }
  }

  func testGivingUpLeavesNothing() throws {
    struct Refusal: Error {}
    for step in [15, 30] {
      XCTAssertThrowsError(
        try ImageImport(kind: .cifar10, source: source()).write(to: path("a.h5"), overwrite: false) {
          if $0 >= step { throw Refusal() }
        })
      XCTAssertEqual(try names(), [])
    }
  }

  func testAnyHDF5ToolReadsTheFile() throws {
    try requireSingleRank()
    let python = try Python()
    try ImageImport(kind: .cifar10, source: source()).write(to: path("a.h5"), overwrite: false)
    let script = """
      import h5py, sys
      f = h5py.File(sys.argv[1])
      x, y = f['train/inputs'], f['train/targets']
      print(x.shape, x.dtype, y.shape, y.dtype, f['test/inputs'].shape)
      print([c.decode() for c in f.attrs['classes']][:2], f.attrs['kind'].decode(), f.attrs['mean'].shape)
      print(int(x[...].astype(int).sum()), int(y[...].sum()))
      """
    let (status, output) = try python.run("-c", script, path("a.h5"))
    let train = try LabeledImages(source(), .train, 0..<15)
    XCTAssertEqual(status, 0, output)
    XCTAssertEqual(
      output,
      """
      (15, 32, 32, 3) uint8 (15,) int32 (4, 32, 32, 3)
      ['airplane', 'automobile'] cifar10 (3,)
      \(train.pixels.reduce(0) { $0 + Int($1) }) \(train.labels.reduce(0) { $0 + Int($1) })

      """)
  }
}
