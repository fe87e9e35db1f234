import KitiHDF5
import XCTest

final class HyperslabTests: FileTestCase {
  func testHyperslabsReadWhatAPlainLoopReads() throws {
    var generator = Generator(state: 5)
    for round in 0..<60 {
      let shape = (0..<Int.random(in: 1...4, using: &generator)).map { _ in Int.random(in: 1...7, using: &generator) }
      let chunks = round % 2 == 0 ? nil : shape.map { Int.random(in: 1...$0, using: &generator) }
      let slab = randomSlab(shape, &generator)
      let all = (0..<shape.reduce(1, *)).map { Float($0) }
      let file = try HDF5File.create(path("\(round).h5"))
      let dataSet = try file.root.createDataSet("a", of: Float.self, shape: shape, chunks: chunks)
      try dataSet.write(all)
      let expected = offsets(shape: shape, start: slab.start, count: slab.count, stride: slab.stride).map { all[$0] }
      let selection = Selection.slab(start: slab.start, count: slab.count, stride: slab.stride)
      XCTAssertEqual(try dataSet.read(Float.self, selection), expected, "\(shape) \(chunks ?? []) \(selection)")
      XCTAssertEqual(try dataSet.elementCount(of: selection), expected.count)
      try file.close()
    }
  }

  func testHyperslabsWriteWhatAPlainLoopWrites() throws {
    var generator = Generator(state: 6)
    for round in 0..<60 {
      let shape = (0..<Int.random(in: 1...4, using: &generator)).map { _ in Int.random(in: 1...7, using: &generator) }
      let chunks = round % 2 == 0 ? nil : shape.map { Int.random(in: 1...$0, using: &generator) }
      var expected = [Int32](repeating: -1, count: shape.reduce(1, *))
      let file = try HDF5File.create(path("\(round).h5"))
      let dataSet = try file.root.createDataSet("a", of: Int32.self, shape: shape, chunks: chunks, fill: -1)
      for pass in 0..<4 {
        let slab = randomSlab(shape, &generator)
        let places = offsets(shape: shape, start: slab.start, count: slab.count, stride: slab.stride)
        let values = places.indices.map { Int32($0 + 1000 * pass) }
        for (place, value) in zip(places, values) { expected[place] = value }
        try dataSet.write(values, to: .slab(start: slab.start, count: slab.count, stride: slab.stride))
      }
      XCTAssertEqual(try dataSet.read(Int32.self), expected, "\(shape) \(chunks ?? [])")
      try file.close()
    }
  }

  func testRowsReadIntoTheCallersMemoryInAnyOrderOfSizes() throws {
    let file = try HDF5File.create(path())
    let dataSet = try file.root.createDataSet("a", of: UInt8.self, shape: [50, 3], chunks: [7, 3])
    let all = (0..<150).map { UInt8($0) }
    try dataSet.write(all)
    let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 150)
    defer { memory.deallocate() }
    for rows in [0..<1, 4..<9, 4..<9, 49..<50, 0..<50, 3..<3, 17..<20, 50..<50, 0..<1] {
      memory.update(repeating: 255)
      let part = UnsafeMutableBufferPointer(rebasing: memory[..<(rows.count * 3)])
      try dataSet.read(.rows(rows), into: part)
      XCTAssertEqual(Array(part), Array(all[rows.lowerBound * 3..<rows.upperBound * 3]), "\(rows)")
      XCTAssertTrue(memory[(rows.count * 3)...].allSatisfy { $0 == 255 }, "read past the memory for \(rows)")
    }
    try file.close()
  }

  func testEmptySelectionsBetweenOthersMoveNothing() throws {
    let file = try HDF5File.create(path())
    let dataSet = try file.root.createDataSet("a", of: Double.self, shape: [4, 2])
    try dataSet.write((0..<8).map(Double.init))
    try dataSet.write([Double](), to: .nothing)
    try dataSet.write([Double](), to: .slab(start: [4, 2], count: [0, 0]))
    try dataSet.write([Double](), to: .slab(start: [0, 0], count: [4, 0]), transfer: .collective)
    XCTAssertEqual(try dataSet.read(Double.self, .rows(2..<3)), [4, 5])
    XCTAssertEqual(try dataSet.read(Double.self), (0..<8).map(Double.init))
    try file.close()
  }

  func testScalarsAreSelectedByAllAndByTheSlabOfRankZero() throws {
    let file = try HDF5File.create(path())
    let dataSet = try file.root.createDataSet("a", of: Double.self, shape: [])
    try dataSet.write([2.5])
    XCTAssertEqual(try dataSet.read(Double.self, .slab(start: [], count: [])), [2.5])
    XCTAssertEqual(try dataSet.read(Double.self, .nothing), [])
    XCTAssertEqual(try dataSet.read(Double.self), [2.5])
    try file.close()
  }

  func testLongAxesOfHugeDataSetsAreReachedBeyond32Bits() throws {
    let file = try HDF5File.create(path())
    let length = 5_000_000_000
    let dataSet = try file.root.createDataSet("a", of: UInt8.self, shape: [length], chunks: [1024])
    try dataSet.write([7, 8] as [UInt8], to: .rows(length - 2..<length))
    XCTAssertEqual(try dataSet.read(UInt8.self, .rows(length - 3..<length)), [0, 7, 8])
    XCTAssertEqual(try dataSet.read(UInt8.self, .slab(start: [4], count: [2], stride: [length - 6])), [0, 7])
    try file.close()
  }
}

func randomSlab(_ shape: [Int], _ generator: inout Generator) -> (start: [Int], count: [Int], stride: [Int]?) {
  let stride = shape.map { _ in Int.random(in: 1...3, using: &generator) }
  let start = shape.map { Int.random(in: 0..<$0, using: &generator) }
  let strided = Bool.random(using: &generator)
  let count = shape.indices.map { axis in
    let most = (shape[axis] - 1 - start[axis]) / (strided ? stride[axis] : 1) + 1
    return Int.random(in: 0...most, using: &generator)
  }
  return (start, count, strided ? stride : nil)
}
