import Foundation
import KitiHDF5
import XCTest

/// Reference values from PyTorch in double precision (scripts/make-fixtures.py): one file a subject, one group a case.
struct Fixture {
  private let group: Group

  init(_ name: String) throws {
    let folder = try XCTUnwrap(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
    group = try HDF5File.open(folder.appendingPathComponent("\(name).h5").path, locking: .off).root
  }

  private init(group: Group) { self.group = group }

  /// The cases in the file, or in a group of it.
  func cases() throws -> [(name: String, fixture: Fixture)] {
    try group.children().filter { $0.kind == .group }.map { ($0.name, try self[$0.name]) }
  }

  subscript(_ path: String) -> Fixture {
    get throws { Fixture(group: try group.group(path)) }
  }

  func shape(_ path: String) throws -> [Int] { try group.dataSet(path).shape }
  func doubles(_ path: String) throws -> [Double] { try group.dataSet(path).read(Double.self) }
  /// The numbers of inputs are exact in single precision.
  func floats(_ path: String) throws -> [Float] { try doubles(path).map { Float($0) } }
  func integers(_ path: String) throws -> [Int] { try group.dataSet(path).read(Int32.self).map(Int.init) }
  func flags(_ path: String) throws -> [Bool] { try group.dataSet(path).read(UInt8.self).map { $0 != 0 } }
  func count(_ name: String) throws -> Int { Int(try group.attributes.read(name, as: Int64.self)) }
  func number(_ name: String) throws -> Double { try group.attributes.read(name, as: Double.self) }
  func has(_ name: String) throws -> Bool { try group.attributes.exists(name) }
}
