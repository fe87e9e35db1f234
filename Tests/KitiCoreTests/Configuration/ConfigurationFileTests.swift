import Foundation
import KitiCore
import XCTest

final class ConfigurationFileTests: XCTestCase {
  private var directory = URL(fileURLWithPath: "")

  override func setUpWithError() throws {
    directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  override func tearDownWithError() throws {
    try FileManager.default.removeItem(at: directory)
  }

  private func message(of bytes: Data, line: UInt = #line) throws -> String {
    let path = directory.appendingPathComponent("run.yaml").path
    try bytes.write(to: URL(fileURLWithPath: path))
    return message(path: path, line: line).replacingOccurrences(of: path, with: "run.yaml")
  }

  private func message(path: String, line: UInt = #line) -> String {
    XCTAssertThrowsError(try Configuration.load(path: path), line: line) {
      XCTAssertEqual(($0 as? KitiError)?.kind, .usage, "\($0)", line: line)
    }
    do { _ = try Configuration.load(path: path) } catch { return "\(error)" }
    return ""
  }

  func testAFileIsReadByItsPath() throws {
    let path = directory.appendingPathComponent("run.yaml").path
    try Data(smallest.utf8).write(to: URL(fileURLWithPath: path))
    XCTAssertEqual(try Configuration.load(path: path, overrides: ["seed=3"]).seed, 3)
    try Data("\u{feff}\(smallest)".replacingOccurrences(of: "\n", with: "\r\n").utf8)
      .write(to: URL(fileURLWithPath: path))
    XCTAssertEqual(try Configuration.load(path: path).name, "small")
  }

  func testAMissingFileIsNamed() {
    XCTAssertEqual(
      message(path: "no/such.yaml"),
      "no/such.yaml: there is no such file. Give the path of a configuration file; experiments/ holds ready ones."
    )
  }

  func testADirectoryIsNotReadAsAFile() {
    XCTAssertEqual(
      message(path: directory.path),
      "\(directory.path): this is a directory. Give the path of a configuration file in it.")
  }

  func testAnEmptyFileIsNamed() throws {
    for text in ["", "\n\n", "# only a comment\n", "---\n", "null", "\u{feff}"] {
      XCTAssertEqual(
        try message(of: Data(text.utf8)),
        "run.yaml: the configuration is empty. Start from one of the ready configurations in experiments/.", text)
    }
  }

  func testTextThatIsNotUTF8NamesTheLine() throws {
    XCTAssertEqual(
      try message(of: Data("name: a\ndata: ".utf8) + [0xff, 0xfe]),
      "run.yaml, line 2: the text is not UTF-8. Save the file with the encoding UTF-8.")
  }

  func testAFileWithoutEndIsNotReadToTheEnd() {
    XCTAssertEqual(
      message(path: "/dev/zero"),
      "/dev/zero: the file is larger than 65536 bytes, which no configuration is. "
        + "Check that the path is the one you mean.")
  }

  func testSyntaxErrorsNameTheLine() {
    XCTAssertEqual(
      KitiCoreTests.message("name: a\ndata: {kind: burgers\nmodel: 3\n"),
      "run.yaml, line 3: not valid YAML: did not find expected ',' or '}' while parsing a flow mapping (line 2). "
        + "Check indentation, brackets and quotes up to this line.")
    XCTAssertEqual(
      KitiCoreTests.message("name: a\ndata:\n\tkind: burgers\n"),
      "run.yaml, line 3: not valid YAML: found character that cannot start any token "
        + "while scanning for the next token. Check indentation, brackets and quotes up to this line.")
    XCTAssertEqual(
      KitiCoreTests.message("name: a\nseed: \u{1}\n"),
      "run.yaml, line 2: not valid YAML: control characters are not allowed. "
        + "Check indentation, brackets and quotes up to this line.")
    XCTAssertEqual(
      KitiCoreTests.message("name: a\n---\nname: b\n"),
      "run.yaml, line 2: a second document starts here. "
        + "A configuration is one document: remove the line '---'.")
    XCTAssertEqual(
      KitiCoreTests.message("name: *a\n"),
      "run.yaml, line 1: not valid YAML: found undefined alias. "
        + "Check indentation, brackets and quotes up to this line.")
    XCTAssertEqual(
      KitiCoreTests.message("name: a\nseed: !!int 3\n"),
      "run.yaml, line 2: the tag tag:yaml.org,2002:int has no meaning in a configuration. Remove the tag.")
    XCTAssertEqual(
      KitiCoreTests.message("name: a\n[1, 2]: 3\n"),
      "run.yaml, line 2: a key here is a list or a section. Keys are plain words.")
  }

  func testTextMadeToExhaustTheReaderEndsInAnError() {
    let levels = (1...40).map { "a\($0): &a\($0) [*a\($0 - 1), *a\($0 - 1), *a\($0 - 1)]" }
    let bomb = (["a0: &a0 [x, x, x]"] + levels).joined(separator: "\n")
    let bound = "run.yaml, line 1: the aliases (*name) of this text could expand without bound. "
      + "Write the values out instead."
    XCTAssertEqual(KitiCoreTests.message(bomb), bound)
    XCTAssertEqual(KitiCoreTests.message(bomb + "\n? *a40\n: 1\n"), bound)
    XCTAssertEqual(
      KitiCoreTests.message(String(repeating: "a: 1 # filler\n", count: 10_000)),
      "run.yaml, line 1: the text has 140000 bytes. A configuration has at most 65536 bytes.")
    let staircase = (0..<300).map { String(repeating: " ", count: $0) + "a:" }.joined(separator: "\n")
    XCTAssertTrue(KitiCoreTests.message(staircase).hasPrefix("run.yaml, line 1: unknown key 'a'."))
  }

  func testDeepNestingEndsInAnErrorOnHalfTheUsualStack() {
    let finished = expectation(description: "every text was refused")
    let thread = Thread {
      for deep in ["[", "{a: ", "- ", "? ", "[{a: "] {
        let text = String(repeating: deep, count: 60_000 / deep.utf8.count)
        XCTAssertEqual(
          KitiCoreTests.message(text),
          "run.yaml, line 1: sections or lists are nested too deeply. A configuration has few levels.", deep)
      }
      let closed = String(repeating: "[", count: 990) + String(repeating: "]", count: 990)
      XCTAssertTrue(KitiCoreTests.message("? \(closed)\n: \(closed)").contains("Keys are plain words"))
      XCTAssertTrue(KitiCoreTests.message("name: \(closed)").contains("'name' is a list"))
      finished.fulfill()
    }
    thread.stackSize = 4 << 20
    thread.start()
    wait(for: [finished], timeout: 60)
  }
}
