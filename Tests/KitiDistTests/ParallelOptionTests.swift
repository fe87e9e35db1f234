import XCTest

/// Training with every way in which ranks can work together.
final class ParallelOptionTests: ProgramTestCase {
  /// Small buckets, so that a tiny network has many; samples that divide by no number of ranks.
  private let base = [
    "parallel.bucketMiB=0.002", "training.batch=null", "training.globalBatch=7", "model.collision.streams=sample",
  ]

  /// The options of `parallel` with the largest relative difference of losses to plain averages.
  private let ways: [(name: String, set: [String], tolerance: Double)] = [
    ("fast", [], 1e-5),
    ("messages", ["parallel.sharedMemory=false"], 1e-5),
    ("ordered", ["parallel.reduction=ordered"], 1e-5),
    ("thread", ["parallel.progress=thread"], 1e-5),
    ("sharded", ["parallel.shardOptimizer=true"], 1e-5),
    ("sharded messages", ["parallel.shardOptimizer=true", "parallel.sharedMemory=false"], 1e-5),
    ("sharded thread", ["parallel.shardOptimizer=true", "parallel.progress=thread"], 1e-5),
    ("bf16", ["parallel.compression=bf16"], 1e-2),
    ("sharded bf16", ["parallel.compression=bf16", "parallel.shardOptimizer=true"], 1e-2),
  ]

  func testFiftyLossesAreThoseOfOneRank() throws {
    try program.succeed(train("one", maxSteps: 50, set: base))
    let reference = try Metrics(path("one"))
    XCTAssertEqual(reference.steps, Array(1...50))
    for (name, set, tolerance) in ways {
      for ranks in name == "ordered" ? [2, 3, 4] : [3] {
        try program.succeed(train("\(name)\(ranks)", maxSteps: 50, set: base + set), ranks: ranks)
        let metrics = try Metrics(path("\(name)\(ranks)"))
        assertCloseLosses(metrics, reference, tolerance: tolerance, "\(name) on \(ranks) ranks")
        for line in metrics.lines("step") {
          for key in ["computeShare", "communicationShare", "hiddenShare"] {
            let share = try XCTUnwrap(line.number(key), "\(key), \(name)")
            XCTAssertTrue((0...1).contains(share), "\(key) \(share), \(name)")
          }
          XCTAssertGreaterThan(line.values["bytesSent"] as? Int ?? 0, 0, name)
        }
      }
    }
    let bytes = try ["fast", "bf16", "sharded"].map { try Metrics(path("\($0)3")).lines("step")[9].values["bytesSent"] as? Int ?? 0 }
    XCTAssertEqual(Double(bytes[1]) / Double(bytes[0]), 0.5, accuracy: 0.02)
    XCTAssertEqual(Double(bytes[2]) / Double(bytes[0]), 1, accuracy: 0.02)
  }

  func testRanksWithoutASampleTakePartInEveryWay() throws {
    let set = base.filter { !$0.contains("globalBatch") } + ["training.globalBatch=3", "training.epochs=1"]
    try program.succeed(train("one", set: set))
    let reference = try Metrics(path("one"))
    for (name, own, tolerance) in ways {
      try program.succeed(train(name, set: set + own), ranks: 4)
      assertCloseLosses(try Metrics(path(name)), reference, tolerance: tolerance, name)
    }
    try program.succeed(train("local", set: set + ["parallel.localSteps=3"]), ranks: 4)
    XCTAssertEqual(try Metrics(path("local")).steps, reference.steps)
  }

  func testResumedRunsAreTheUninterruptedOnesToTheBit() throws {
    let local = ("local", ["parallel.localSteps=3"], 0.0)
    let names = ["sharded thread", "sharded messages", "bf16", "sharded bf16"]
    for (name, set, _) in ways.filter({ names.contains($0.name) }) + [local] {
      let all = base + set + ["training.clipNorm=0.5", "training.weightAverage=0.9"]
      try program.succeed(train("whole \(name)", maxSteps: 12, set: all), ranks: 3)
      try program.succeed(train("parts \(name)", maxSteps: 6, set: all), ranks: 3)
      try program.succeed(train(resume: "parts \(name)", maxSteps: 12, set: all), ranks: 3)
      assertSameCourse(try Metrics(path("parts \(name)")), try Metrics(path("whole \(name)")), name)
      assertSameArrays(
        try program.inspect(path("parts \(name)")), try program.inspect(path("whole \(name)")), name)
    }
  }

  func testRunsResumeFromShardsToTheWholeStateAndBackOnAnyNumberOfRanks() throws {
    let sharded = base + ["parallel.shardOptimizer=true"]
    try program.succeed(train("whole", maxSteps: 16, set: base), ranks: 2)
    try program.succeed(train("run", maxSteps: 4, set: sharded), ranks: 4)
    try program.succeed(train(resume: "run", maxSteps: 8, set: base), ranks: 3)
    try program.succeed(train(resume: "run", maxSteps: 12, set: sharded + ["parallel.compression=bf16"]), ranks: 2)
    try program.succeed(train(resume: "run", maxSteps: 16, set: sharded), ranks: 3)
    assertCloseLosses(try Metrics(path("run")), try Metrics(path("whole")), tolerance: 1e-3)
  }

  func testRatesOfWholeLayersDoNotDependOnShards() throws {
    let lars = ["optimizer={kind: lars, learningRate: 0.5, trust: 0.02, weightDecay: 1e-4, schedule: {kind: constant}}"]
    let sharded = base + lars + ["parallel.shardOptimizer=true"]
    try program.succeed(train("whole", maxSteps: 12, set: base + lars), ranks: 2)
    try program.succeed(train("run", maxSteps: 4, set: sharded), ranks: 4)
    try program.succeed(train(resume: "run", maxSteps: 8, set: base + lars), ranks: 3)
    try program.succeed(train(resume: "run", maxSteps: 12, set: sharded), ranks: 3)
    assertCloseLosses(try Metrics(path("run")), try Metrics(path("whole")))
  }

  func testResidualsOfCompressionGoOnOnAnotherNumberOfRanks() throws {
    let set = base + ["parallel.compression=bf16"]
    try program.succeed(train("whole", maxSteps: 12, set: base), ranks: 2)
    try program.succeed(train("run", maxSteps: 4, set: set), ranks: 4)
    XCTAssertEqual(try program.inspect(path("run")).arrays.filter { $0.path.hasPrefix("/residual/") }.count, 4)
    try program.succeed(train(resume: "run", maxSteps: 8, set: set), ranks: 2)
    try program.succeed(train(resume: "run", maxSteps: 12, set: set), ranks: 3)
    assertCloseLosses(try Metrics(path("run")), try Metrics(path("whole")), tolerance: 1e-2)
  }

  func testLocalStepsAverageAtTheirEndAndBeforeAnythingIsKept() throws {
    let set = base + ["parallel.localSteps=4", "parallel.checkEvery=1", "checkpoint.every=3 steps"]
    try program.succeed(train("run", maxSteps: 11, set: set), ranks: 3)
    let metrics = try Metrics(path("run"))
    let averaged = metrics.lines("step").filter { $0.values["bytesSent"] as? Int != 0 }.compactMap(\.step)
    XCTAssertEqual(averaged, [4, 8, 11], "the last step is kept, so it is averaged too")
    XCTAssertEqual(metrics.lines("evaluation").compactMap(\.step), [4, 8], "epochs of 4 steps")
    XCTAssertEqual(checkpointNames("run"), ["step-00000004.h5", "step-00000008.h5", "step-00000011.h5"])
  }

  func testBenchOfSumsHasALineForEverySizeAndWay() throws {
    let arguments = ["bench", "allreduce", "--json", "--largest", "0.1", "--rounds", "2"]
    let lines = try program.succeed(arguments, ranks: 3).output.split(separator: "\n").map { line in
      try XCTUnwrap(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
    XCTAssertEqual(lines.compactMap { $0["way"] as? String }, Array(repeating: ["fast", "ordered", "bf16"], count: 3).flatMap { $0 })
    for line in lines {
      XCTAssertEqual(line["ranks"] as? Int, 3)
      for key in ["bytes", "microseconds", "msPerStep", "effectiveGBPerSecond", "bytesSent", "peakMiB"] {
        XCTAssertGreaterThan((line[key] as? Double) ?? 0, 0, key)
      }
    }
    let alone = try program.run(arguments)
    XCTAssertEqual(alone.status, 64, alone.text)
    XCTAssertTrue(alone.errors.contains("mpirun -np 2"), alone.text)
  }

  func testBenchTakesTheWayOfAveraging() throws {
    let arguments = ["bench", "fno1d", "--json", "--steps", "1", "--batch", "1", "--set"]
    let output = try program.succeed(arguments + ["parallel.compression=bf16"], ranks: 2).output
    XCTAssertTrue(output.contains("\"bytesSent\":") && output.contains("\"hiddenShare\":"), output)
    XCTAssertEqual(try program.run(arguments + ["model.width=3"]).status, 64)
    XCTAssertEqual(try program.run(arguments + ["parallel.localSteps=3"]).status, 64)
  }

  func testEachRankKeepsItsShareOfTheOptimizersState() throws {
    func memory(_ set: [String]) throws -> String {
      let outcome = try program.succeed(train(set: base + set) + ["--dry-run"], ranks: 4)
      return try XCTUnwrap(outcome.output.split(separator: "\n").first { $0.contains("memory per rank") }.map(String.init))
    }
    XCTAssertNotEqual(try memory([]), try memory(["parallel.shardOptimizer=true"]))
  }
}
