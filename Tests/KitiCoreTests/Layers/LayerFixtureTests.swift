import KitiCore
import XCTest

/// Layers against PyTorch in double precision.
final class LayerFixtureTests: XCTestCase {
  private func check(
    _ layer: any Layer, _ fixture: Fixture, parameters names: [String], batch: Int, tolerance: Double, _ name: String
  ) throws {
    let store = ParameterStore(layer.parameters, seed: 0)
    for (parameter, name) in zip(layer.parameters, names) {
      let values = try fixture.floats(name)
      XCTAssertEqual(values.count, parameter.count)
      for index in values.indices { parameter.values[index] = values[index] }
    }
    let input = GuardedArray(try fixture.floats("input"))
    let g = GuardedArray(try fixture.floats("outputGradient"))
    let output = GuardedArray(count: g.count)
    let inputGradient = GuardedArray(count: input.count)
    let pass = Pass(isTraining: true)
    layer.forward(input.pointer, into: output.pointer, samples: 0..<batch, pass: pass)
    layer.backward(
      input.pointer, outputGradient: g.pointer, into: inputGradient.pointer, samples: 0..<batch, pass: pass)
    assertClose(output.values, try fixture.doubles("output"), within: tolerance, "\(name), output")
    assertClose(
      inputGradient.values, try fixture.doubles("inputGradient"), within: tolerance, "\(name), input gradient")
    for (parameter, path) in zip(layer.parameters, names) {
      let gradients = (0..<parameter.count).map { parameter.gradients[$0] }
      assertClose(gradients, try fixture.doubles("\(path)Gradient"), within: tolerance, "\(name), \(path) gradient")
    }
    withExtendedLifetime(store) {}
  }

  func testLinear() throws {
    for (name, fixture) in try Fixture("linear").cases() {
      let shape = [try fixture.count("places"), try fixture.count("inputs")]
      try check(
        Linear(name, inputShape: shape, outputs: try fixture.count("outputs")), fixture, parameters: ["weight", "bias"],
        batch: try fixture.count("batch"), tolerance: 1e-6, "linear \(name)")
    }
  }

  func testActivations() throws {
    for (name, fixture) in try Fixture("activations").cases() {
      let shape = try fixture.shape("input")
      let kind = try XCTUnwrap(ActivationKind(rawValue: name))
      try check(
        Activation(kind, shape: Array(shape.dropFirst()), capacity: shape[0]), fixture, parameters: [],
        batch: shape[0], tolerance: 5e-7, name)
    }
  }

  func testSpectralConvolution() throws {
    for (name, fixture) in try Fixture("spectral1d").cases() {
      let batch = try fixture.count("batch")
      try check(
        SpectralConvolution1D(
          name, inputShape: [try fixture.count("places"), try fixture.count("inputs")],
          outputs: try fixture.count("outputs"), modes: try fixture.count("modes"), capacity: batch), fixture,
        parameters: ["weight"], batch: batch, tolerance: 2e-6, "spectral \(name)")
    }
  }

  func testBatchNorm() throws {
    for (name, fixture) in try Fixture("batch-norm").cases() {
      let shape = try fixture.shape("input")
      let layer = BatchNorm2D(name, shape: Array(shape.dropFirst()))
      let statistics = ParameterStore(layer.statistics, seed: 0)
      // A mean of 300 deviations is known to 7 digits, what is left without it to 5.
      let tolerance = name == "3x4x4x33" ? 5e-5 : 2e-6
      try check(
        layer, fixture, parameters: ["scale", "shift"], batch: shape[0], tolerance: tolerance, "batch norm \(name)")
      for (parameter, path) in zip(layer.statistics, ["mean", "variance"]) {
        let values = (0..<parameter.count).map { parameter.values[$0] }
        assertClose(values, try fixture.doubles(path), within: 1e-6, "batch norm \(name), \(path)")
      }
      withExtendedLifetime(statistics) {}
    }
  }

  func testBatchNormInEvaluation() throws {
    for (name, fixture) in try Fixture("batch-norm").cases() {
      let shape = try fixture.shape("input")
      let layer = BatchNorm2D(name, shape: Array(shape.dropFirst()))
      let stores = [ParameterStore(layer.parameters, seed: 0), ParameterStore(layer.statistics, seed: 0)]
      for (parameter, path) in zip(layer.parameters + layer.statistics, ["scale", "shift", "mean", "variance"]) {
        for (index, value) in try fixture.floats(path).enumerated() { parameter.values[index] = value }
      }
      let input = GuardedArray(try fixture.floats("input"))
      let output = GuardedArray(count: input.count)
      layer.forward(input.pointer, into: output.pointer, samples: 0..<shape[0], pass: .evaluation)
      assertClose(output.values, try fixture.doubles("evaluated"), within: 2e-6, "batch norm \(name)")
      withExtendedLifetime(stores) {}
    }
  }

  func testPooling() throws {
    for kind in Pooling2D.Kind.allCases {
      for (name, fixture) in try Fixture("pooling")[kind.rawValue].cases() {
        let layer = Pooling2D(
          kind, inputShape: Array(try fixture.shape("input").dropFirst()), kernel: try fixture.count("kernel"),
          stride: try fixture.count("stride"), padding: try fixture.count("padding"))
        XCTAssertEqual(layer.outputShape, Array(try fixture.shape("output").dropFirst()), name)
        try check(
          layer, fixture, parameters: [], batch: try fixture.count("batch"), tolerance: 1e-6, "\(kind) pooling \(name)")
      }
    }
  }
}
