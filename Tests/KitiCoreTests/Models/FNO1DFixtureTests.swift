import KitiCore
import XCTest

/// The network and ten steps of training against PyTorch in double precision.
final class FNO1DFixtureTests: XCTestCase {
  private func rig(_ fixture: Fixture) throws -> (rig: ModelRig, batch: Int, batches: Int) {
    let network = try fixture["network"]
    let shape = FNO1D.Shape(
      points: try network.count("places"), width: try network.count("width"), modes: try network.count("modes"),
      blocks: try network.count("blocks"), projection: try network.count("projection"))
    let (batch, batches) = (try network.count("batch"), try network.count("batches"))
    let rig = try ModelRig(shape, capacity: batch * batches)
    let start = try network["parameters"]
    for parameter in rig.model.parameters {
      let values = try start.floats(parameter.path)
      XCTAssertEqual(try start.shape(parameter.path), parameter.shape, parameter.path)
      for index in values.indices { parameter.values[index] = values[index] }
    }
    let (inputs, targets) = (try network.floats("inputs"), try network.floats("targets"))
    for index in inputs.indices {
      rig.input.pointer[index] = inputs[index]
      rig.target.pointer[index] = targets[index]
    }
    return (rig, batch, batches)
  }

  func testOutputLossAndGradients() throws {
    let file = try Fixture("fno1d")
    let (rig, batch, _) = try rig(file)
    let network = try file["network"]
    let pass = Pass(isTraining: true)
    assertClose(rig.forward(batch: batch, pass: pass), try network.doubles("output"), within: 2e-6, "output")
    let loss = try network.number("loss")
    XCTAssertEqual(rig.step(batch: batch, pass: pass), loss, accuracy: 1e-6 * loss)
    for parameter in rig.model.parameters {
      assertClose(
        rig.gradients(parameter), try network["gradients"].doubles(parameter.path), within: 2e-6, parameter.path)
    }
  }

  func testTenStepsOfTraining() throws {
    let file = try Fixture("fno1d")
    for (name, training) in try file["training"].cases() {
      let (rig, batch, batches) = try rig(file)
      let (optimizer, rate) = try training.optimizer(name, count: rig.store.count)
      for (step, expected) in try training.doubles("losses").enumerated() {
        let loss = rig.step(batch: batch, pass: Pass(isTraining: true), first: step % batches * batch)
        XCTAssertEqual(loss, expected, accuracy: 2e-6 * expected, "\(name), step \(step + 1)")
        optimizer.update(
          values: rig.store.values.pointer, gradients: rig.store.gradients.pointer, range: 0..<rig.store.count,
          learningRate: rate, step: step + 1, gradientScale: 1)
      }
      let parameters = try training["parameters"]
      for parameter in rig.model.parameters {
        assertClose(
          rig.values(parameter), try parameters.doubles(parameter.path), within: 1e-5, "\(name), \(parameter.path)")
      }
    }
  }
}
