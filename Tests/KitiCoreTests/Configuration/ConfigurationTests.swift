import KitiCore
import XCTest

final class ConfigurationTests: XCTestCase {
  func testKeysLeftOutHaveTheirDefaults() throws {
    let expected = Configuration(
      name: "small", seed: 1, data: .init(kind: .burgers, path: "data/burgers.h5"),
      model: .fno1d(
        .init(
          width: 64, modes: 16, blocks: 4, projection: 128, activation: .gelu,
          collision: .init(
            scheme: .none, coefficient: 0.5, lengthScale: .rms, divide: [4], timeStep: 1, streams: .rank))),
      optimizer: .init(
        rule: .adam(.init(beta1: 0.9, beta2: 0.999, epsilon: 1e-8)), learningRate: 1e-3, weightDecay: 0,
        schedule: .init(shape: .constant, warmup: nil)),
      training: .init(
        epochs: 2, batch: .perRank(10), accumulation: 1, clipNorm: nil, evaluateEvery: .epochs(1),
        syncBatchNorm: false),
      parallel: .init(
        bucketMiB: 0.5, progress: .poll, compression: .none, shardOptimizer: false, reduction: .fast, localSteps: 1,
        checkEvery: 100),
      checkpoint: .init(every: .epochs(10), keep: 3))
    XCTAssertEqual(try Configuration(yaml: smallest, name: "run.yaml"), expected)
  }

  func testTheConfigurationOfTheInterfaceIsRead() throws {
    let yaml = """
      name: burgers-fno-kiti
      seed: 1
      data: {kind: burgers, path: data/burgers.h5}
      model: {kind: fno1d, width: 64, modes: 16, blocks: 4,
              collision: {scheme: ntc, coefficient: 0.5, lengthScale: rms, divide: 4, timeStep: 1, streams: rank}}
      optimizer: {kind: adam, learningRate: 1e-3, weightDecay: 1e-4, schedule: {kind: step, every: 100, factor: 0.5}}
      training: {epochs: 500, batch: 20, accumulation: 1, clipNorm: null, syncBatchNorm: false}
      parallel: {bucketMiB: 4, compression: none, shardOptimizer: false, reduction: fast, checkEvery: 100}
      checkpoint: {every: 10 epochs, keep: 3}        # or "500 steps", "15 minutes"
      """
    let configuration = try Configuration(yaml: yaml, name: "run.yaml")
    XCTAssertEqual(configuration.model, .fno1d(.init(collision: .init(scheme: .ntc))))
    XCTAssertEqual(configuration.optimizer.schedule.shape, .step(every: .epochs(100), factor: 0.5))
    XCTAssertEqual(configuration.optimizer.weightDecay, 1e-4)
    XCTAssertEqual(configuration.training.epochs, 500)
  }

  func testEveryOptionHasAnEffect() throws {
    let yaml = """
      name: 'all: of "it" é'
      seed: 18446744073709551615
      data: {kind: "burgers", path: ../data set/b.h5}
      model: {kind: fno1d, activation: relu, collision: {scheme: ntc, lengthScale: 2.5, streams: sample, timeStep: -1}}
      optimizer: {kind: sgd, learningRate: 0.1, momentum: .9, nesterov: true,
                  schedule: {kind: cosine, minimum: 1e-5, warmup: 500 steps}}
      training: {epochs: 0x10, globalBatch: 64, accumulation: 2, clipNorm: 1, evaluateEvery: 2 hours}
      parallel: {bucketMiB: 2, progress: thread, compression: bf16, shardOptimizer: true, reduction: ordered}
      checkpoint: {every: 90 seconds, keep: 1}
      """
    let configuration = try Configuration(yaml: yaml, name: "run.yaml")
    XCTAssertEqual(configuration.name, "all: of \"it\" é")
    XCTAssertEqual(configuration.seed, .max)
    XCTAssertEqual(
      configuration.model,
      .fno1d(
        .init(
          activation: .relu,
          collision: .init(scheme: .ntc, lengthScale: .value(2.5), timeStep: -1, streams: .sample))))
    XCTAssertEqual(configuration.optimizer.rule, .sgd(.init(momentum: 0.9, nesterov: true)))
    XCTAssertEqual(
      configuration.optimizer.schedule, .init(shape: .cosine(minimum: 1e-5), warmup: .steps(500)))
    XCTAssertEqual(
      configuration.training,
      .init(epochs: 16, batch: .global(64), accumulation: 2, clipNorm: 1, evaluateEvery: .minutes(120)))
    XCTAssertEqual(
      configuration.parallel,
      .init(bucketMiB: 2, progress: .thread, compression: .bf16, shardOptimizer: true, reduction: .ordered))
    XCTAssertEqual(configuration.checkpoint, .init(every: .minutes(1.5), keep: 1))
  }

  func testCollisionsAreOffOnlyWhenNothingIsSaidAboutThem() throws {
    func scheme(_ collision: String) throws -> CollisionConfiguration.Scheme {
      let yaml = smallest.replacingOccurrences(of: "{kind: fno1d}", with: "{kind: fno1d, \(collision)}")
      guard case .fno1d(let model) = try Configuration(yaml: yaml, name: "run.yaml").model else {
        throw KitiError(.failed, "another model", remedy: "")
      }
      return model.collision.scheme
    }
    XCTAssertEqual(try scheme("width: 1"), .none)
    XCTAssertEqual(try scheme("collision: {}"), .none)
    XCTAssertEqual(try scheme("collision: null"), .none)
    XCTAssertEqual(try scheme("collision: {coefficient: 1}"), .ntc)
    XCTAssertEqual(try scheme("collision: {scheme: none, coefficient: 1}"), .none)
  }

  func testNumbersOfYAML12AreNumbers() throws {
    for text in ["1e-3", "0.001", "1.0E-3", "+.001", "1e-03"] {
      let configuration = try Configuration(yaml: spread("1e-3", text), name: "run.yaml")
      XCTAssertEqual(configuration.optimizer.learningRate, 0.001, text)
    }
  }

  func testAliasesAreFollowed() throws {
    let yaml =
      smallest.replacingOccurrences(of: "epochs: 2", with: "epochs: &n 2") + "\ncheckpoint: {keep: *n}"
    XCTAssertEqual(try Configuration(yaml: yaml, name: "run.yaml").checkpoint.keep, 2)
  }

  func testEveryReadyConfigurationIsValid() throws {
    let experiments = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("experiments")
    let files = try FileManager.default.contentsOfDirectory(atPath: experiments.path)
      .filter { $0.hasSuffix(".yaml") }
    XCTAssertGreaterThanOrEqual(files.count, 4)
    for file in files {
      let configuration = try Configuration.load(path: experiments.appendingPathComponent(file).path)
      XCTAssertEqual(configuration.name + ".yaml", file)
      XCTAssertEqual(try Configuration(yaml: configuration.yaml, name: file), configuration)
    }
    let kiti = try Configuration.load(
      path: experiments.appendingPathComponent("burgers-fno-kiti.yaml").path,
      overrides: ["name=burgers-fno-plain", "model.collision.scheme=none"])
    let plain = try Configuration.load(path: experiments.appendingPathComponent("burgers-fno-plain.yaml").path)
    XCTAssertNil(kiti.firstDifference(from: plain), "the baseline differs in more than the scheme")
  }
}
