import Foundation
import XCTest

func fixture(_ name: String) throws -> String {
  try XCTUnwrap(Bundle.module.url(forResource: "Fixtures/" + name, withExtension: nil), "no fixture \(name)").path
}
