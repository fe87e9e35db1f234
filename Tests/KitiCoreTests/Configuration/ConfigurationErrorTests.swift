import Foundation
import KitiCore
import XCTest

final class ConfigurationErrorTests: XCTestCase {
  func testAnUnknownKeyNamesTheNearestValidOne() {
    XCTAssertEqual(
      message(spread("width: 32", "widht: 32")),
      "run.yaml, line 8: unknown key 'model.widht'. Did you mean 'width'? "
        + "Valid keys here: kind, width, modes, blocks, projection, activation, collision.")
    XCTAssertEqual(
      message(spread("learningRate: 1e-3", "learning_rate: 1e-3")),
      "run.yaml, line 14: unknown key 'optimizer.learning_rate'. Did you mean 'learningRate'? "
        + "Valid keys here: kind, learningRate, referenceBatch, weightDecay, beta1, beta2, epsilon, schedule.")
  }

  func testAnUnknownKeyNearNoOtherGetsNoGuess() {
    XCTAssertEqual(
      message(spread("width: 32", "temperature: 32")),
      "run.yaml, line 8: unknown key 'model.temperature'. "
        + "Valid keys here: kind, width, modes, blocks, projection, activation, collision.")
  }

  func testEverySectionRefusesUnknownKeys() {
    for section in [
      "data", "model", "model.collision", "optimizer", "optimizer.schedule", "training", "parallel", "checkpoint",
    ] {
      XCTAssertTrue(
        message(spread, overrides: ["\(section).zzzzz=1"]).hasPrefix(
          "--set \(section).zzzzz=1: unknown key '\(section).zzzzz'. Valid keys here: "), section)
    }
    XCTAssertTrue(message(spread + "\nzzzzz: 1").hasPrefix("run.yaml, line 25: unknown key 'zzzzz'. Valid"))
  }

  func testAKeyGivenTwiceNamesBothLines() {
    XCTAssertEqual(
      message(spread("    scheme: ntc\n", "    scheme: ntc\n    divide: 2\n    scheme: none\n")),
      "run.yaml, line 12: the key 'model.collision.scheme' is given twice, first in line 10. Keep one of the two."
    )
    XCTAssertEqual(
      message(spread("  width: 32", "  width: 32\n  \"width\": 64")),
      "run.yaml, line 9: the key 'model.width' is given twice, first in line 8. Keep one of the two.")
    XCTAssertEqual(
      message(smallest + "\n\"seed\": 1\n\"seed\": 2"),
      "run.yaml, line 6: the key 'seed' is given twice in one section. Keep one of the two.")
  }

  func testAMissingKeyNamesTheLineOfItsSection() {
    XCTAssertEqual(
      message(spread("  path: data/burgers.h5\n", "")),
      "run.yaml, line 3: the required key 'data.path' is missing. Valid: the path of a file.")
    XCTAssertEqual(
      message(spread("name: spread\n", "")),
      "run.yaml, line 1: the required key 'name' is missing. Valid: text of one line.")
    XCTAssertEqual(
      message(spread("model:\n  kind: fno1d", "model:\n  kidn: fno1d")),
      "run.yaml, line 6: the required key 'model.kind' is missing. "
        + "Is 'model.kidn' a misspelling of it? Valid: fno1d, resnet, whitened-resnet.")
    XCTAssertEqual(
      message("name: a"),
      "run.yaml, line 1: the required key 'data' is missing. Valid: a section of keys and values.")
  }

  func testAValueOfTheWrongTypeSaysWhatWasFoundAndWhatIsValid() {
    let whole = "Valid: a whole number from 1 to 2147483647."
    for (value, found, hint) in [
      ("wide", "wide", ""), ("20.0", "20.0", "Write 20. "), ("2e1", "2e1", "Write 20. "), ("2.5", "2.5", ""),
      ("\"20\"", "the text \"20\"", "Remove the quotes. "), ("0", "0", ""), ("-3", "-3", ""),
      ("[1, 2]", "a list", ""), ("{a: 1}", "a section", ""), ("", "empty", ""), ("true", "true", ""),
      ("99999999999999999999", "99999999999999999999", ""), ("1_000", "1_000", ""),
    ] {
      XCTAssertEqual(
        message(spread("width: 32", "width: \(value)")),
        "run.yaml, line 8: 'model.width' is \(found). \(hint)\(whole)")
    }
    XCTAssertEqual(
      message(spread("  width: 32", "  activation: rleu")),
      "run.yaml, line 8: 'model.activation' is rleu. Did you mean 'relu'? Valid: gelu, relu.")
    XCTAssertEqual(
      message(spread("model:\n", "model: fno1d\nmodle:\n")),
      "run.yaml, line 7: unknown key 'modle'. Did you mean 'model'? "
        + "Valid keys here: name, seed, data, model, optimizer, training, parallel, checkpoint.")
    XCTAssertEqual(
      message("name: a\ndata: burgers"),
      "run.yaml, line 2: 'data' is burgers. Valid: a section of keys and values (key: value).")
    XCTAssertEqual(
      message("- a\n- b"),
      "run.yaml, line 1: the configuration is a list. Valid: a section of keys and values (key: value).")
  }

  func testNumbersOutOfRangeAreRefused() {
    for (override, valid) in [
      ("optimizer.learningRate=0", "a number above 0"), ("optimizer.learningRate=-1e-3", "a number above 0"),
      ("optimizer.learningRate=.inf", "a number above 0"), ("optimizer.learningRate=.nan", "a number above 0"),
      ("optimizer.learningRate=1e999", "a number above 0"), ("optimizer.learningRate=nan", "a number above 0"),
      ("optimizer.learningRate=1e-3x", "a number above 0"), ("optimizer.weightDecay=-1", "a number, 0 or more"),
      ("optimizer.beta1=1", "a number from 0 to below 1"), ("optimizer.beta2=-.1", "a number from 0 to below 1"),
      ("optimizer.epsilon=0", "a number above 0"),
      ("optimizer.schedule.factor=0", "a number above 0, at most 1"),
      ("optimizer.schedule.every=0", #"a number of epochs, "10 epochs", "500 steps", "20 %" of the run"#),
      ("optimizer.schedule.every=2 fortnights", #"a number of epochs, "10 epochs", "500 steps", "20 %" of the run"#),
      ("model.collision.coefficient=1.01", "a number from 0 to 1, or a section with kind, from, to, over"),
      ("model.collision.coefficient=-0.1", "a number from 0 to 1, or a section with kind, from, to, over"),
      ("model.collision.timeStep=.inf", "a finite number"), ("model.collision.timeStep=-.inf", "a finite number"),
      ("model.collision.divide=0", "a whole number from 1 to 2147483647"),
      ("model.collision.lengthScale=0", "rms, unit, a number above 0"),
      ("model.collision.lengthScale=.inf", "rms, unit, a number above 0"),
      ("training.epochs=0", "a whole number from 1 to 2147483647"),
      ("training.clipNorm=0", "a number above 0; null for none"),
      ("parallel.bucketMiB=0", "a number above 0"), ("checkpoint.keep=0", "a whole number from 1 to 2147483647"),
      ("checkpoint.every=.nan minutes", #"a number of epochs, "10 epochs", "500 steps", "20 %" of the run, "15 minutes""#),
      ("seed=-1", "a whole number from 0 to 18446744073709551615"),
      ("seed=18446744073709551616", "a whole number from 0 to 18446744073709551615"),
    ] {
      let parts = override.split(separator: "=")
      XCTAssertEqual(
        message(spread, overrides: [override]), "--set \(override): '\(parts[0])' is \(parts[1]). Valid: \(valid).")
    }
  }

  func testCollisionsThatCannotBeAreRefused() {
    XCTAssertEqual(
      message(spread("coefficient: 0.25", "coefficient: {kind: linear, to: 0.5, over: 3 minutes}")),
      "run.yaml, line 11: 'model.collision.coefficient.over' is 3 minutes. This cannot depend on the clock. "
        + #"Valid: a number of epochs, "10 epochs", "500 steps", "20 %" of the run; null for none."#)
    XCTAssertEqual(
      message(spread("coefficient: 0.25", "coefficient: {kind: constant, to: 0.5, from: 1}")),
      "run.yaml, line 11: 'model.collision.coefficient.from' belongs to kind linear and cosine, "
        + "but 'model.collision.coefficient.kind' is constant. Remove the key or change the kind. Valid keys here: kind, to.")
    XCTAssertEqual(
      message(spread("coefficient: 0.25", "coefficient: 0.25\n    targetRate: 0.3")),
      "run.yaml, line 12: 'model.collision.targetRate' is 0.3, but no pair collides with more than the coefficient, 0.25. "
        + "Raise the coefficient or lower the rate.")
    XCTAssertEqual(
      message(spread("coefficient: 0.25", "targetRate: 0.3\n    acceptance: constant")),
      "run.yaml, line 11: 'model.collision.targetRate' is 0.3, but with constant acceptance the rate is the coefficient. "
        + "Set the coefficient instead, or make the acceptance kinetic.")
    XCTAssertEqual(
      message(spread("coefficient: 0.25", "particleWidth: 8")),
      "run.yaml, line 11: 'model.collision.particleWidth' is 8, but fno1d has fields, not tokens. "
        + "Cut their places into particles with 'divide'.")
  }

  func testStagesOfAResNetThatCannotBeAreRefused() {
    let resnet = ["model={kind: resnet, depth: 20, collision: {scheme: ntc}}"]
    for (override, problem) in [
      ("model.depth=21", "is 21. Valid: 18, 34, 50, or 6n + 2 such as 20, 32, 44, 56, 110."),
      (
        "model.collision.divide=[4, 2]",
        "is a list. The model has 3 stages, and the list 2 numbers. Valid: a whole number from 1 to 2147483647, "
          + "or a list of 3 such numbers or zeros, one for each stage."
      ),
      (
        "model.collision.divide=[4, 2, -1]",
        "is a list. Valid: a whole number from 1 to 2147483647, or a list of 3 such numbers or zeros, one for each stage."
      ),
      ("model.dropout=1", "is 1. Valid: a number from 0 to below 1."),
      (
        "model.collision.particleWidth=8",
        "is 8, but resnet has images, not tokens. Cut their places into particles with 'divide'."
      ),
    ] {
      XCTAssertEqual(
        message(spread, overrides: resnet + [override]),
        "--set \(override): '\(override.split(separator: "=")[0])' \(problem)")
    }
  }

  func testAScheduleCannotDependOnTheClock() {
    XCTAssertEqual(
      message(spread("5 epochs", "5 minutes")),
      "run.yaml, line 17: 'optimizer.schedule.every' is 5 minutes. This cannot depend on the clock. "
        + #"Valid: a number of epochs, "10 epochs", "500 steps", "20 %" of the run."#)
    XCTAssertEqual(
      message(spread("10 epochs", "10.0")),
      "run.yaml, line 24: 'checkpoint.every' is 10.0. Write 10. "
        + #"Valid: a number of epochs, "10 epochs", "500 steps", "20 %" of the run, "15 minutes"."#)
  }

  func testAKeyOfAnotherKindSaysWhereItBelongs() {
    XCTAssertEqual(
      message(spread("  learningRate: 1e-3", "  momentum: 0.9\n  learningRate: 1e-3")),
      "run.yaml, line 14: 'optimizer.momentum' belongs to kind sgd, lars and muon, but 'optimizer.kind' is adam. "
        + "Remove the key or change the kind. "
        + "Valid keys here: kind, learningRate, referenceBatch, weightDecay, beta1, beta2, epsilon, schedule.")
    XCTAssertEqual(
      message(spread("kind: adam\n", "kind: sgd\n  beta1: 0.8\n")),
      "run.yaml, line 14: 'optimizer.beta1' belongs to kind adam and adamw, but 'optimizer.kind' is sgd. "
        + "Remove the key or change the kind. "
        + "Valid keys here: kind, learningRate, referenceBatch, weightDecay, momentum, nesterov, shiftRate, schedule.")
    XCTAssertEqual(
      message(spread("kind: step", "kind: cosine")),
      "run.yaml, line 17: 'optimizer.schedule.every' belongs to kind step, but 'optimizer.schedule.kind' is cosine. "
        + "Remove the key or change the kind. Valid keys here: kind, minimum, warmup.")
  }

  func testImpossibleCombinationsAreRefused() {
    XCTAssertEqual(
      message(spread("kind: adam\n", "kind: sgd\n  nesterov: true\n")),
      "run.yaml, line 14: 'optimizer.nesterov' is true, but 'optimizer.momentum' is 0. Give a momentum above 0.")
    XCTAssertEqual(
      message(spread("  batch: 10", "  batch: 10\n  globalBatch: 40")),
      "run.yaml, line 21: 'training.globalBatch' is given together with 'training.batch'. "
        + "Keep one of the two (--set training.batch=null takes a key away).")
    XCTAssertEqual(
      message(spread("  batch: 10\n", "")),
      "run.yaml, line 18: the required key 'training.batch' is missing. "
        + "Valid: 'batch', samples per rank, or 'globalBatch', samples over all ranks.")
    XCTAssertEqual(
      message(spread("  batch: 10", "  globalBatch: 10\n  accumulation: 4")),
      "run.yaml, line 20: 'training.globalBatch' is 10, which 'training.accumulation' (4) does not divide. "
        + "The global batch counts the samples of all accumulated batches: change one of the two.")
    XCTAssertEqual(
      message(smallest, overrides: ["optimizer.schedule={kind: cosine, minimum: 0.1}"]),
      "--set optimizer.schedule={kind: cosine, minimum: 0.1}: 'optimizer.schedule.minimum' is 0.1, "
        + "above 'optimizer.learningRate', which is 0.001. "
        + "The schedule goes down to its minimum: lower it or raise the learning rate.")
    XCTAssertEqual(
      message(spread("    every: 5 epochs\n", "")),
      "run.yaml, line 15: the required key 'optimizer.schedule.every' is missing. "
        + #"Valid: a number of epochs, "10 epochs", "500 steps", "20 %" of the run."#)
  }

  func testAugmentationThatCannotBeIsRefused() {
    let images = ["data.kind=cifar10"]
    for (override, problem) in [
      ("data.augmentation.crop=-1", "'data.augmentation.crop' is -1. Valid: a whole number from 0 to 65536."),
      ("data.augmentation.crop=4.0", "'data.augmentation.crop' is 4.0. Write 4. Valid: a whole number from 0 to 65536."),
      (
        "data.augmentation.padding=reflekt",
        "'data.augmentation.padding' is reflekt. Did you mean 'reflect'? Valid: zero, reflect."
      ),
      ("data.augmentation.flip=true", "'data.augmentation.flip' is true. Valid: none, random, alternating."),
      ("data.augmentation.cutout=x", "'data.augmentation.cutout' is x. Valid: a whole number from 0 to 65536."),
      ("data.augmentation=4", "'data.augmentation' is 4. Valid: a section of keys and values (key: value)."),
      (
        "data.augmentation.crops=4",
        "unknown key 'data.augmentation.crops'. Did you mean 'crop'? Valid keys here: crop, padding, flip, cutout."
      ),
    ] {
      XCTAssertEqual(message(spread, overrides: images + [override]), "--set \(override): \(problem)")
    }
    XCTAssertEqual(
      message(spread("  path: data/burgers.h5", "  path: data/burgers.h5\n  augmentation: {crop: 4}")),
      "run.yaml, line 6: 'data.augmentation' belongs to kind cifar10, cifar100, fashion-mnist, mnist, images, but 'data.kind' is burgers. "
        + "Remove the key or change the kind. Valid keys here: kind, path.")
  }

  func testLocalStepsExcludeWhatConcernsGradients() {
    for (key, value) in [("shardOptimizer", "true"), ("compression", "bf16"), ("progress", "thread")] {
      XCTAssertEqual(
        message(spread, overrides: ["parallel.localSteps=4", "parallel.\(key)=\(value)"]),
        "--set parallel.\(key)=\(value): 'parallel.\(key)' is \(value), but 'parallel.localSteps' is 4. "
          + "With local steps ranks send no gradients: leave \(key) out, or set localSteps to 1.")
    }
  }

  func testPartsThatDoNotFitTheWayOfAveragingAreRefused() {
    XCTAssertEqual(
      message(spread, overrides: ["training.syncBatchNorm=true", "parallel.progress=thread"]),
      "--set parallel.progress=thread: 'parallel.progress' is thread, but 'training.syncBatchNorm' is true. "
        + "Batch norm over all ranks communicates in the middle of a pass, from the computing thread: use poll.")
    XCTAssertEqual(
      message(
        spread, overrides: ["optimizer={kind: muon, learningRate: 0.02}", "parallel.shardOptimizer=true"]),
      "--set parallel.shardOptimizer=true: 'parallel.shardOptimizer' is true, but 'optimizer.kind' is muon. "
        + "Muon needs whole layers on every rank: leave shardOptimizer out, or choose another optimizer.")
  }

  func testValuesWithoutCodeBehindThemAreRefused() {
    for (override, valid) in [
      ("parallel.compression=fp16", "none, bf16"), ("parallel.shardOptimizer=1", "true, false"),
      ("parallel.reduction=tree", "fast, ordered"), ("parallel.progress=never", "poll, thread"),
      ("data.kind=darcy", "burgers, cifar10, cifar100, fashion-mnist, mnist, images"),
      ("model.kind=transformer", "fno1d, resnet, whitened-resnet"),
    ] {
      let parts = override.split(separator: "=")
      XCTAssertEqual(
        message(spread, overrides: [override]), "--set \(override): '\(parts[0])' is \(parts[1]). Valid: \(valid).")
    }
  }
}
