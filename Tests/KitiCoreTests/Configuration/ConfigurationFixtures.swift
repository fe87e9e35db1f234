import KitiCore
import XCTest

/// The smallest configuration: only the keys without a default.
let smallest = """
  name: small
  data: {kind: burgers, path: data/burgers.h5}
  model: {kind: fno1d}
  optimizer: {kind: adam, learningRate: 1e-3}
  training: {epochs: 2, batch: 10}
  """

/// A configuration with one key on each line.
let spread = """
  name: spread
  seed: 7
  data:
    kind: burgers
    path: data/burgers.h5
  model:
    kind: fno1d
    width: 32
    collision:
      scheme: ntc
      coefficient: 0.25
  optimizer:
    kind: adam
    learningRate: 1e-3
    schedule:
      kind: step
      every: 5 epochs
  training:
    epochs: 20
    batch: 10
  parallel:
    bucketMiB: 4
  checkpoint:
    every: 10 epochs
  """

/// The text of the error of a configuration, which must be one of usage.
func message(
  _ yaml: String, overrides: [String] = [], file: StaticString = #filePath, line: UInt = #line
) -> String {
  do {
    _ = try Configuration(yaml: yaml, name: "run.yaml", overrides: overrides)
    XCTFail("the configuration was accepted", file: file, line: line)
  } catch let error as KitiError {
    XCTAssertEqual(error.kind, .usage, file: file, line: line)
    return error.description
  } catch {
    XCTFail("not an error for a person: \(error)", file: file, line: line)
  }
  return ""
}

/// `spread` with one text replaced, which must be there.
func spread(
  _ old: String, _ new: String, file: StaticString = #filePath, line: UInt = #line
) -> String {
  XCTAssertTrue(spread.contains(old), "no \(old) to replace", file: file, line: line)
  return spread.replacingOccurrences(of: old, with: new)
}
