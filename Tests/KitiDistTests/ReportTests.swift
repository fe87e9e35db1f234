import Foundation
import FoundationXML
import XCTest

/// `report`: the page of a run and its merged timeline.
final class ReportTests: ProgramTestCase {
  private func page(_ file: String = "run/report.html") throws -> String {
    try String(contentsOfFile: path(file), encoding: .utf8)
  }

  /// Checks that every element is closed and every text escaped, and that the page needs nothing but itself.
  private func assertSound(_ page: String, file: StaticString = #filePath, line: UInt = #line) {
    let parser = XMLParser(data: Data(page.utf8))
    XCTAssertTrue(parser.parse(), "\(String(describing: parser.parserError))", file: file, line: line)
    for word in ["<script", "src=", "href=", "url(", "@import", "\"nan", " nan", ">nan", "inf\""] {
      XCTAssertFalse(page.contains(word), word, file: file, line: line)
    }
  }

  private func change(_ name: String, _ change: (String) -> String) throws {
    let text = try String(contentsOfFile: path(name), encoding: .utf8)
    try change(text).write(toFile: path(name), atomically: true, encoding: .utf8)
  }

  func testPageShowsCurvesCollisionsTimesAndStepsOfTheRun() throws {
    let set = ["name=\"<i>A & B</i>\"", "parallel.timingEvery=5"]
    try program.succeed(train("run", maxSteps: 11, set: set) + ["--timeline"], ranks: 2)
    try program.succeed(train(resume: "run", maxSteps: 22, set: set) + ["--timeline"], ranks: 2)
    let outcome = try program.succeed(["report", path("run/")])
    XCTAssertTrue(outcome.output.contains("report.html: 22 steps"), outcome.text)
    let page = try page()
    assertSound(page)
    XCTAssertTrue(page.contains("<h1>&lt;i&gt;A &amp; B&lt;/i&gt;</h1>"), "names are text")
    for words in [
      "fno1d, ", "<dd>ntc</dd>", "<dd>burgers</dd>", "2 on ", "Open MPI", "Step 22, in epoch 8 of 20", "Resumed after step 11",
      "best test relative L2", ">Loss<", ">Test relative L2 error<", ">Learning rate<", ">Collision rate of all layers<",
      "<td class=\"name\">blocks/0</td>", "<td class=\"name\">blocks/1</td>", ">Time of a step on each rank<", "rank 1, compute: ",
      ">Speed of all ranks<", "Steps 20 to 22 on ranks side by side", "allreduce, step 22: ", "backward, step 21: ",
      "prefers-color-scheme: dark", "scheme: ntc",
      "<h2>Condensation after step 22</h2>", "<td class=\"name\">blocks/0/pointwise/weight</td>",
      "cosines between the channels of blocks/1/spectral/weight",
    ] { XCTAssertTrue(page.contains(words), "'\(words)' is missing: \(page)") }
  }

  func testPageIsWrittenWithoutCondensationWhereNoCheckpointCanBeRead() throws {
    try program.succeed(train("run", maxSteps: 3))
    for file in try FileManager.default.contentsOfDirectory(atPath: path("run/checkpoints")) {
      try Data("no checkpoint".utf8).write(to: URL(fileURLWithPath: path("run/checkpoints/\(file)")))
    }
    let outcome = try program.succeed(["report", path("run")])
    XCTAssertTrue(outcome.text.contains("the page is without condensation: "), outcome.text)
    assertSound(try page())
    XCTAssertFalse(try page().contains("Condensation"))
  }

  func testCondensationOfACheckpointInAllItsForms() throws {
    try program.succeed(train("run", maxSteps: 3))
    let alone = try program.succeed(["condense", path("run"), "--output", path("new/page.html")]).output
    XCTAssertEqual(try program.succeed(["condense", path("run/latest")], ranks: 2).output, alone)
    let lines = alone.split(separator: "\n").map { $0.split(separator: " ", omittingEmptySubsequences: true) }
    XCTAssertEqual(lines[0].prefix(4), ["weights", "channels", "inputs", "similarity"])
    let page = try page("new/page.html")
    assertSound(page)
    let text = try program.succeed(["condense", path("run"), "--json"]).output
    let object = try XCTUnwrap(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    XCTAssertEqual(object["step"] as? Int, 3)
    let layers = try XCTUnwrap(object["layers"] as? [[String: Any]])
    XCTAssertEqual(layers.compactMap { $0["path"] as? String }, lines.dropFirst().map { String($0[0]) })
    for layer in layers {
      let name = try XCTUnwrap(layer["path"] as? String)
      XCTAssertTrue(page.contains("<td class=\"name\">\(name)</td>"), name)
      let channels = try XCTUnwrap(layer["channels"] as? Int)
      let directions = try XCTUnwrap(layer["directions"] as? Double)
      XCTAssertTrue((1...Double(channels)).contains(directions), name)
      XCTAssertTrue((1...channels).contains(try XCTUnwrap(layer["dominantChannels"] as? Int)), name)
    }
    XCTAssertTrue(lines.contains { $0[0] == "lift/weight" }, alone)
  }

  func testRunThatIsBeingWrittenIsShownWithoutItsTornLine() throws {
    try program.succeed(train("run", maxSteps: 4))
    try change("run/metrics.jsonl") { text in
      var lines = text.split(separator: "\n").map(String.init)
      lines.insert("no JSON", at: 2)
      return lines.joined(separator: "\n") + "\n{\"kind\":\"step\",\"step\":5,\"epo"
    }
    let before = Snapshot(folder)
    let outcome = try program.succeed(["report", path("run"), "--output", path("new/page.html")], ranks: 2)
    XCTAssertEqual(outcome.output.split(separator: "\n").count, 1, outcome.text)
    XCTAssertEqual(Snapshot(folder).differences(from: before), ["new", "new/page.html"])
    let page = try page("new/page.html")
    assertSound(page)
    XCTAssertTrue(page.contains("Step 4, in epoch 1"), page)
    XCTAssertTrue(page.contains("The last line of metrics.jsonl is not whole"), page)
    XCTAssertTrue(page.contains("1 lines of metrics.jsonl could not be read"), page)
    XCTAssertFalse(page.contains("<h2>Timeline</h2>"), page)
  }

  func testRunsOfAllSizesAndFatesAreShown() throws {
    try program.succeed(train("run", maxSteps: 1, set: ["model.collision.scheme=none"]))
    let whole = try String(contentsOfFile: path("run/metrics.jsonl"), encoding: .utf8)
    let lines = whole.split(separator: "\n").map(String.init)
    let step = try XCTUnwrap(lines.first { $0.contains("\"kind\":\"step\"") })
    let strange = step.replacingOccurrences(
      of: "\"loss\":[^,]*", with: "\"loss\":null", options: .regularExpression)
    let huge = step.replacingOccurrences(
      of: "\"loss\":[^,]*", with: "\"loss\":1e300", options: .regularExpression)
    let restore = "{\"kind\":\"restore\",\"step\":0,\"failedStep\":1,\"reason\":\"<&>\",\"learningRateFactor\":0.5}"
    for contents in [[lines[0]], [lines[0], strange], [lines[0], strange, huge], lines + [restore]] {
      try change("run/metrics.jsonl") { _ in contents.joined(separator: "\n") + "\n" }
      try program.succeed(["report", path("run")])
      assertSound(try page())
    }
    XCTAssertTrue(try page().contains("&lt;&amp;&gt;; all ranks went back to step 0"))
    // A thousand and one steps are drawn as means, with their range.
    let many = (1...1_001).map { step.replacingOccurrences(of: "\"step\":1,", with: "\"step\":\($0),") }
      .enumerated().map { index, line in
        line.replacingOccurrences(
          of: "\"loss\":[^,]*", with: "\"loss\":\(1 + index % 3)", options: .regularExpression)
      }
    try change("run/metrics.jsonl") { _ in ([lines[0]] + many).joined(separator: "\n") }
    try FileManager.default.removeItem(atPath: path("run/config.yaml"))
    try program.succeed(["report", path("run")])
    let page = try page()
    assertSound(page)
    XCTAssertTrue(page.contains("class=\"band first\""))
    XCTAssertTrue(page.contains("Step 1,001"), page)
    XCTAssertLessThan(page.utf8.count, 100_000)
  }

  func testFoldersThatAreNoRunsAreRefused() throws {
    try assertRefused(["report", path("none")], status: 64, naming: "there is no such folder")
    try FileManager.default.createDirectory(atPath: path("empty"), withIntermediateDirectories: false)
    try assertRefused(["report", path("empty")], status: 64, naming: "this is no run's folder", "metrics.jsonl")
    try Data("hello\n\u{0}{}\n".utf8).write(to: URL(fileURLWithPath: path("empty/metrics.jsonl")))
    try assertRefused(["report", path("empty")], status: 65, naming: "no line says how a run began")
  }
}
