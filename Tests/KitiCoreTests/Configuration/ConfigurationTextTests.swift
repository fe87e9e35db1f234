import KitiCore
import XCTest

final class ConfigurationTextTests: XCTestCase {
  func testTheTextHasEveryKeyInOneOrder() throws {
    let configuration = try Configuration(yaml: smallest, name: "run.yaml")
    XCTAssertEqual(
      configuration.yaml,
      """
      name: small
      seed: 1
      data:
        kind: burgers
        path: data/burgers.h5
      model:
        kind: fno1d
        width: 64
        modes: 16
        blocks: 4
        projection: 128
        activation: gelu
        collision:
          scheme: none
          acceptance: kinetic
          decision: bernoulli
          weights: pair
          coefficient: 0.5
          lengthScale: rms
          targetRate: null
          divide: 4
          particleWidth: null
          timeStep: 1.0
          midpoint: false
          carry: false
          streams: rank
      optimizer:
        kind: adam
        learningRate: 0.001
        referenceBatch: null
        weightDecay: 0.0
        beta1: 0.9
        beta2: 0.999
        epsilon: 1.0e-08
        schedule:
          kind: constant
          warmup: null
      training:
        epochs: 2
        batch: 10
        accumulation: 1
        clipNorm: null
        evaluateEvery: 1 epoch
        syncBatchNorm: false
        labelSmoothing: 0.0
        weightAverage: null
        testFlip: false
        testShift: 0
        onNonFinite: stop
      parallel:
        bucketMiB: 0.5
        progress: poll
        sharedMemory: true
        compression: none
        shardOptimizer: false
        reduction: fast
        localSteps: 1
        checkEvery: 100
        watchdogSeconds: 300.0
        timingEvery: 100
      checkpoint:
        every: 10 epochs
        keep: 3

      """)
  }

  func testReadingTheTextGivesAnEqualConfiguration() throws {
    var random = SplitMix(state: 1)
    for _ in 0..<2000 {
      let configuration = Configuration.random(using: &random)
      let text = configuration.yaml
      let read = try Configuration(yaml: text, name: "run.yaml")
      XCTAssertEqual(read, configuration, text)
      XCTAssertEqual(read.yaml, text)
      XCTAssertNil(read.firstDifference(from: configuration))
    }
  }

  func testAwkwardNamesReadBack() throws {
    var configuration = try Configuration(yaml: smallest, name: "run.yaml")
    for name in [
      "null", "~", "true", "No", "12", "1e3", "- a", "a: b", "a #b", "#a", "'", "\"", "\\n", " a ", "&a", "*a",
      "!a", "%a", "@a", "`a", "{a}", "[a]", "a,b", "é", "日本", "\u{200b}\u{feff}", "🙂", "\u{fffe}", "?", "|", ">",
      "---", "...", "<<", "=", "y", "0x1F", ".inf", "\u{10ffff}", "e\u{301}", "\u{a0}",
    ] {
      configuration.name = name
      XCTAssertEqual(try Configuration(yaml: configuration.yaml, name: "run.yaml").name, name)
    }
  }

  func testTheFirstDifferenceNamesTheKeyAndBothValues() throws {
    func difference(_ overrides: String...) throws -> String? {
      try Configuration(yaml: spread, name: "here").firstDifference(
        from: Configuration(yaml: spread, name: "there", overrides: overrides))
    }
    XCTAssertNil(try difference())
    XCTAssertEqual(try difference("model.width=64", "training.epochs=3"), "model.width: 32 here, 64 there")
    XCTAssertEqual(
      try difference("training.batch=null", "training.globalBatch=40"),
      "training.batch: 10 here, training.globalBatch: 40 there")
    XCTAssertEqual(
      try difference("optimizer={kind: sgd, learningRate: 1e-3}"), "optimizer.kind: adam here, sgd there")
    XCTAssertEqual(try difference("training.clipNorm=1"), "training.clipNorm: null here, 1.0 there")
  }

  func testIntervalsAreReadAndPrinted() {
    for (text, interval, printed) in [
      ("10", Interval.epochs(10), "10 epochs"), ("1 epoch", .epochs(1), "1 epoch"),
      ("500 steps", .steps(500), "500 steps"), ("1 step", .steps(1), "1 step"),
      ("20 %", .percent(20), "20 %"), ("0.5%", .percent(0.5), "0.5 %"), ("100 %", .percent(100), "100 %"),
      ("15 minutes", .minutes(15), "15 minutes"), ("1 minute", .minutes(1), "1 minute"),
      ("1.5 hours", .minutes(90), "90 minutes"), ("1 second", .minutes(1.0 / 60), "\(1.0 / 60) minutes"),
    ] {
      XCTAssertEqual(Interval(text), interval)
      XCTAssertEqual(interval.description, printed)
      XCTAssertEqual(Interval(printed), interval)
    }
    for text in [
      "", "0", "-1", "1.5", "1.5 epochs", "0 steps", "0 minutes", "-1 hours", ".inf minutes", ".nan hours",
      "1e308 hours", "steps", "10 10", "10 steps now", "10 Steps", "99999999999",
      "%", "0 %", "-1 %", "100.1 %", "nan %", "1 2 %", "20 % %", "20 epochs %",
    ] {
      XCTAssertNil(Interval(text), text)
    }
  }
}
