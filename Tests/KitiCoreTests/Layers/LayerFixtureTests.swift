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
}
