import KitiCore
import XCTest

final class ConfigurationOverrideTests: XCTestCase {
  private func configuration(_ overrides: String..., yaml: String = smallest) throws -> Configuration {
    try Configuration(yaml: yaml, name: "run.yaml", overrides: overrides)
  }

  func testAnOverrideReplacesAValue() throws {
    XCTAssertEqual(try configuration("training.epochs=5").training.epochs, 5)
    XCTAssertEqual(try configuration("name=a=b").name, "a=b")
    XCTAssertEqual(try configuration("checkpoint.every=15 minutes").checkpoint.every, .minutes(15))
  }

  func testTheLastOverrideOfAKeyHolds() throws {
    XCTAssertEqual(try configuration("seed=2", "seed=3").seed, 3)
    XCTAssertEqual(try configuration("seed=null", "seed=3").seed, 3)
    XCTAssertEqual(try configuration("seed=3", "seed=null").seed, 1)
  }

  func testAnOverrideMakesTheSectionsOnItsWay() throws {
    let made = try configuration("model.collision.coefficient=0.25")
    XCTAssertEqual(made.model, .fno1d(.init(collision: .init(scheme: .ntc, coefficient: 0.25))))
    XCTAssertEqual(try configuration("parallel.checkEvery=3", yaml: smallest + "\nparallel:").parallel.checkEvery, 3)
  }

  func testAnOverrideCanBeASection() throws {
    let swapped = try configuration("optimizer={kind: sgd, learningRate: 0.1, momentum: 0.9}")
    XCTAssertEqual(swapped.optimizer, .init(rule: .sgd(.init(momentum: 0.9)), learningRate: 0.1))
  }

  func testNullTakesAKeyAway() throws {
    XCTAssertEqual(
      try configuration("training.batch=null", "training.globalBatch=40").training.batch, .global(40))
    XCTAssertEqual(
      try configuration("model.width=null", yaml: spread).model,
      try configuration("model.width=64", yaml: spread).model)
    let plain = try configuration("model.collision.coefficient=null")
    XCTAssertEqual(plain.model, .fno1d(.init()), "taking away what is not there changed the model")
    XCTAssertEqual(
      try configuration("optimizer.kind=sgd", "optimizer.beta1=null").optimizer.rule, .sgd(.init()))
    XCTAssertEqual(
      message(smallest, overrides: ["name=null"]),
      "run.yaml, line 1: the required key 'name' is missing. Valid: text of one line.")
  }

  func testAnErrorNamesTheOverride() {
    XCTAssertEqual(
      message(smallest, overrides: ["model.widht=3"]),
      "--set model.widht=3: unknown key 'model.widht'. Did you mean 'width'? "
        + "Valid keys here: kind, width, modes, blocks, projection, activation, collision.")
    XCTAssertEqual(
      message(smallest, overrides: ["model.widht=null"]),
      "--set model.widht=null: unknown key 'model.widht'. Did you mean 'width'? "
        + "Valid keys here: kind, width, modes, blocks, projection, activation, collision.")
    XCTAssertEqual(
      message(smallest, overrides: ["model.width=wide"]),
      "--set model.width=wide: 'model.width' is wide. Valid: a whole number from 1 to 2147483647.")
    XCTAssertEqual(
      message(smallest, overrides: ["name.first=a"]),
      "--set name.first=a: 'name' is small, it has no keys. Set the key itself.")
    XCTAssertEqual(
      message(smallest, overrides: ["model.collision={scheme: [}"]),
      "--set model.collision={scheme: [}: not valid YAML: did not find expected node content "
        + "while parsing a flow node. Check indentation, brackets and quotes up to this line.")
    XCTAssertEqual(
      message(smallest, overrides: ["model.collision={divide: 2, divide: 4}"]),
      "--set model.collision={divide: 2, divide: 4}: the key 'divide' is given twice. "
        + "Keep one of the two.")
  }

  func testAnOverrideWithoutKeyOrValueIsRefused() {
    for text in ["", "model", "=3", "model..width=3", ".=3", "model.=3"] {
      XCTAssertEqual(
        message(smallest, overrides: [text]),
        "--set \(text): this is not KEY=VALUE. Write a dotted key and a value, as in --set model.width=64.")
    }
    for text in ["seed=", "seed=  ", "seed=#3"] {
      XCTAssertEqual(
        message(smallest, overrides: [text]),
        "--set \(text): the value is empty. Write a value, or null to take the key away.")
    }
  }
}
