import KitiCore
import XCTest

/// A generator with a seed, so that a failure comes back. (Steele, Lea and Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014.)
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}

final class ConfigurationFuzzTests: XCTestCase {
  /// Whatever the text, the outcome is a configuration that reads back, or an error for a person.
  private func check(_ yaml: String, overrides: [String] = [], file: StaticString = #filePath, line: UInt = #line) {
    do {
      let configuration = try Configuration(yaml: yaml, name: "fuzz.yaml", overrides: overrides)
      XCTAssertEqual(try Configuration(yaml: configuration.yaml, name: "again"), configuration, yaml)
    } catch let error as KitiError {
      XCTAssertEqual(error.kind, .usage, file: file, line: line)
      XCTAssertFalse(error.problem.contains("\n"), error.problem, file: file, line: line)
      let start = overrides.isEmpty ? "fuzz.yaml" : error.problem.hasPrefix("--set") ? "--set" : "fuzz.yaml"
      XCTAssertTrue(error.problem.hasPrefix(start), error.problem, file: file, line: line)
    } catch {
      XCTFail("\(error)\n\(yaml)", file: file, line: line)
    }
  }

  func testChangedTextGivesAConfigurationOrAnError() {
    var random = SplitMix(state: 2)
    let pieces = [
      "\n", " ", "  ", "\t", ":", ": ", "- ", "? ", "{", "}", "[", "]", ",", "#", " #", "&a ", "*a", "!", "!!str ",
      "'", "\"", "|", ">", "%", "---\n", "...\n", "null", "~", "1e999", ".nan", "-0", "0x", "é", "\u{0}", "\u{feff}",
      "\u{85}", "\u{2028}", "<<: *a\n", "model: ", "kind: sgd", "\\", "\r",
    ]
    for _ in 0..<6000 {
      var scalars = Array((Bool.random(using: &random) ? smallest : spread).unicodeScalars)
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let place = Int.random(in: 0...scalars.count, using: &random)
        let end = min(scalars.count, place + Int.random(in: 0...12, using: &random))
        switch Int.random(in: 0..<4, using: &random) {
        case 0: scalars.removeSubrange(place..<end)
        case 1: scalars.insert(contentsOf: scalars[place..<end], at: Int.random(in: 0...place, using: &random))
        case 2: scalars.replaceSubrange(place..<end, with: pieces.randomElement(using: &random)!.unicodeScalars)
        default: scalars.insert(contentsOf: pieces.randomElement(using: &random)!.unicodeScalars, at: place)
        }
      }
      check(String(String.UnicodeScalarView(scalars)))
    }
  }

  func testRandomBytesGiveAnError() {
    var random = SplitMix(state: 3)
    for _ in 0..<2000 {
      let bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in UInt8.random(in: 0...127, using: &random) }
      check(String(decoding: bytes, as: UTF8.self))
    }
  }

  func testRandomOverridesGiveAConfigurationOrAnError() {
    var random = SplitMix(state: 4)
    let keys = [
      "name", "seed", "data", "kind", "model", "width", "collision", "scheme", "optimizer", "schedule", "every",
      "training", "batch", "globalBatch", "x", "",
    ]
    let values = [
      "1", "0.5", "null", "ntc", "none", "{}", "[]", "{kind: sgd}", "{kind: step, every: 3}", "10 steps", "", "&a b",
      "*a", "'", "~", "a: b", "2e3",
    ]
    for _ in 0..<3000 {
      let overrides = (0..<Int.random(in: 1...3, using: &random)).map { _ in
        let key = (0..<Int.random(in: 1...3, using: &random)).map { _ in keys.randomElement(using: &random)! }
        return key.joined(separator: ".") + "=" + values.randomElement(using: &random)!
      }
      check(Bool.random(using: &random) ? smallest : spread, overrides: overrides)
    }
  }
}

extension Configuration {
  /// A valid configuration with every value drawn at random.
  static func random(using random: inout SplitMix) -> Configuration {
    func count() -> Int { Int.random(in: 1...Int(Int32.max), using: &random) }
    func unit() -> Double { Double.random(in: 0..<1, using: &random) }
    func positive() -> Double {
      let magnitude = [1e-300, 1e-8, 1e-3, 1, 1e6, 1e20, 1e300].randomElement(using: &random)!
      return magnitude * Double.random(in: 0.5...2, using: &random)
    }
    func schedule() -> Interval {
      [.epochs(count()), .steps(count()), .percent(100 - 100 * unit())].randomElement(using: &random)!
    }
    func interval() -> Interval { Bool.random(using: &random) ? schedule() : .minutes(positive()) }
    let letters = Array("ab Z09-_.:#'\"\\{}[],&*!|>%@`~é日🙂/")
    let name = String((0...Int.random(in: 0...8, using: &random)).map { _ in letters.randomElement(using: &random)! })
    let learningRate = positive()
    let adam = AdamConfiguration(beta1: unit(), beta2: unit(), epsilon: positive())
    let accumulation = Int.random(in: 1...100, using: &random)
    let parallel =
      Bool.random(using: &random)
      ? ParallelConfiguration(
        bucketMiB: positive(), reduction: .allCases.randomElement(using: &random)!, localSteps: count(), checkEvery: count())
      : ParallelConfiguration(
        bucketMiB: positive(), progress: .allCases.randomElement(using: &random)!,
        compression: .allCases.randomElement(using: &random)!, shardOptimizer: .random(using: &random),
        reduction: .allCases.randomElement(using: &random)!, checkEvery: count())
    func coefficient() -> CoefficientConfiguration {
      [
        .constant(unit()), .changing(.linear, from: unit(), to: unit(), over: nil),
        .changing(.cosine, from: unit(), to: 1, over: schedule()),
      ].randomElement(using: &random)!
    }
    func collision(_ divide: [Int]) -> CollisionConfiguration {
      // A wanted rate needs the kinetic law, and at most the largest coefficient of it.
      let followsRate = Bool.random(using: &random)
      return .init(
        scheme: .allCases.randomElement(using: &random)!,
        acceptance: followsRate ? .kinetic : .allCases.randomElement(using: &random)!,
        decision: .allCases.randomElement(using: &random)!, weights: .allCases.randomElement(using: &random)!,
        coefficient: followsRate ? .constant(1) : coefficient(),
        lengthScale: [.rms, .unit, .value(positive())].randomElement(using: &random)!,
        targetRate: followsRate ? 1 - unit() : nil, divide: divide, timeStep: -positive(),
        midpoint: .random(using: &random), carry: .random(using: &random),
        streams: .allCases.randomElement(using: &random)!)
    }
    let fno = FNO1DConfiguration(
      width: count(), modes: count(), blocks: count(), projection: count(),
      activation: .allCases.randomElement(using: &random)!, collision: collision([count()]))
    let (depth, stages) = [(18, 4), (34, 4), (50, 4), (20, 3), (110, 3)].randomElement(using: &random)!
    let divide = (0..<stages).map { _ in Bool.random(using: &random) ? 0 : count() }
    let resnet = ResNetConfiguration(
      depth: depth, width: Bool.random(using: &random) ? count() : nil,
      shortcut: .allCases.randomElement(using: &random)!, dropout: unit(), startsAsShortcuts: .random(using: &random),
      collision: collision(divide))
    let whitened = WhitenedResNetConfiguration(
      widths: (0..<3).map { _ in count() }, outputScale: positive(), startsAsIdentity: .random(using: &random),
      collision: collision((0..<3).map { _ in Bool.random(using: &random) ? 0 : count() }))
    var configuration = Configuration(
      name: name, seed: random.next(), data: .random(path: name + "/x.h5", using: &random),
      model: [.fno1d(fno), .resnet(resnet), .whitenedResNet(whitened)].randomElement(using: &random)!,
      optimizer: .init(
        rule: [
          .adam(adam), .adamw(adam), .sgd(.init(momentum: 0.5 + unit() / 2, nesterov: true)),
          .sgd(.init(shiftRate: positive())),
          .lars(.init(momentum: unit(), trust: positive())),
          .muon(.init(momentum: 0.5 + unit() / 4, othersRate: positive())),
        ].randomElement(using: &random)!,
        learningRate: learningRate, referenceBatch: Bool.random(using: &random) ? count() : nil, weightDecay: unit(),
        schedule: .init(
          shape: [.constant, .linear, .step(every: schedule(), factor: 1 - unit()), .cosine(minimum: learningRate * unit())]
            .randomElement(using: &random)!,
          warmup: Bool.random(using: &random) ? schedule() : nil)),
      training: .init(
        epochs: count(),
        batch: Bool.random(using: &random)
          ? .perRank(count()) : .global(accumulation * Int.random(in: 1...9, using: &random)),
        accumulation: accumulation, clipNorm: Bool.random(using: &random) ? positive() : nil,
        evaluateEvery: interval(), syncBatchNorm: .random(using: &random), labelSmoothing: unit(),
        weightAverage: Bool.random(using: &random) ? 0.5 + unit() / 4 : nil,
        testViews: .init(flips: .random(using: &random), shift: .random(in: 0...3, using: &random)),
        onNonFinite: TrainingConfiguration.OnNonFinite.allCases.randomElement(using: &random)!),
      parallel: parallel,
      checkpoint: .init(every: interval(), keep: count()))
    configuration.parallel.watchdogSeconds = Bool.random(using: &random) ? 0 : positive()
    configuration.parallel.timingEvery = count()
    if configuration.training.syncBatchNorm { configuration.parallel.progress = .poll }
    if case .muon = configuration.optimizer.rule { configuration.parallel.shardOptimizer = false }
    return configuration
  }
}

extension DataConfiguration {
  fileprivate static func random(path: String, using random: inout SplitMix) -> DataConfiguration {
    let kind = DataKind.allCases.randomElement(using: &random)!
    guard kind.isImages else { return .init(kind: kind, path: path) }
    return .init(
      kind: kind, path: path,
      augmentation: .init(
        crop: .random(in: 0...40, using: &random), padding: .allCases.randomElement(using: &random)!,
        flip: .allCases.randomElement(using: &random)!, cutout: .random(in: 0...40, using: &random)))
  }
}
