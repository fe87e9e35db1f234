import Foundation
import XCTest

/// The Python with h5py that `KITI_PYTHON` names; a test that needs it is skipped without.
public struct Python {
  private let executable: URL

  public init() throws {
    guard let path = ProcessInfo.processInfo.environment["KITI_PYTHON"], !path.isEmpty else {
      throw XCTSkip("KITI_PYTHON is not set: it names a Python with h5py")
    }
    executable = URL(fileURLWithPath: path)
    guard try run("-c", "import h5py").status == 0 else { throw XCTSkip("\(path) has no h5py") }
  }

  public func process(_ arguments: [String]) -> Process {
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments
    return process
  }

  public func run(_ arguments: String...) throws -> (status: Int32, output: String) {
    let process = process(arguments)
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }
}
