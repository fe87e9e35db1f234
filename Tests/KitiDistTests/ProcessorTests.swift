import Foundation
import XCTest

/// What a processor that lacks the kernels' instructions gets: a text, not an illegal instruction.
final class ProcessorTests: XCTestCase {
  func testAMissingInstructionSetIsNamedAtTheStart() throws {
    try XCTSkipIf(Program.isLaunched, "this test launches the program itself")
    try XCTSkipUnless(geteuid() == 0, "only root can put another /proc/cpuinfo in place")
    let folder = try TemporaryFolder.make()
    defer { try? FileManager.default.removeItem(at: folder) }
    let old = folder.appendingPathComponent("cpuinfo").path
    try "processor\t: 0\nflags\t\t: fpu sse sse2 ssse3 sse4_1 sse4_2\n".write(toFile: old, atomically: true, encoding: .utf8)
    let script = "mount --bind '\(old)' /proc/cpuinfo || exit 99; exec '\(Program.path)' --version"
    let job = try Job(
      "unshare", ["--mount", "sh", "-c", script], environment: ProcessInfo.processInfo.environment, directory: folder,
      seconds: 30)
    let outcome = try job.wait()
    try XCTSkipIf(outcome.status == 99 || outcome.text.contains("unshare failed"), "no mount namespaces here")
    XCTAssertEqual(outcome.status, 1)
    XCTAssertTrue(outcome.text.contains("lacks avx2, fma"), outcome.text)
    XCTAssertTrue(outcome.text.contains("KITI_PROCESSOR=x86-64-v3"), outcome.text)
  }
}
