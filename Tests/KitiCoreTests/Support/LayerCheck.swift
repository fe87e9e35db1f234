import KitiCore
import XCTest

/// Compares a layer with a reference of one sample: outputs, and all gradients with central differences of it.
struct LayerCheck {
  let layer: any Layer
  /// Output of one sample from its input and the layer's parameters, all in double precision.
  let reference: (_ input: [Double], _ parameters: [[Double]]) -> [Double]
  var tolerance = 5e-6
  /// All inputs and parameters are standard normal: a smaller result is a sum that cancels.
  private let magnitude = 0.5
  let name: String

  init(layer: any Layer, name: String, reference: @escaping ([Double], [[Double]]) -> [Double]) {
    self.layer = layer
    self.name = name
    self.reference = reference
  }

  /// Works through `batch` samples in the given pieces.
  func run(batch: Int, pieces: [Range<Int>], seed: Int) {
    var numbers = TestNumbers(seed)
    let (inputSize, outputSize) = (layer.inputShape.reduce(1, *), layer.outputShape.reduce(1, *))
    let store = ParameterStore(layer.parameters, seed: 1)
    for parameter in layer.parameters {
      for index in 0..<parameter.count {
        parameter.values[index] = Float(numbers.normal())
        parameter.gradients[index] = Float(numbers.normal())
      }
    }
    let values = layer.parameters.map { copy($0.values, $0.count) }
    let before = layer.parameters.map { copy($0.gradients, $0.count) }
    let input = GuardedArray(numbers.normals(batch * inputSize))
    let output = GuardedArray(count: batch * outputSize, repeating: 55)
    let upstream = numbers.normals(batch * outputSize)
    let outputGradient = GuardedArray(upstream)
    let inputGradient = GuardedArray(count: batch * inputSize, repeating: 66)
    let pass = Pass(isTraining: true)
    for piece in pieces {
      layer.forward(input.pointer, into: output.pointer, samples: piece, pass: pass)
      layer.backward(
        input.pointer, outputGradient: outputGradient.pointer, into: inputGradient.pointer, samples: piece, pass: pass)
    }
    XCTAssertTrue(output.guardsHold && inputGradient.guardsHold, "\(name) wrote outside its arrays")

    let samples = pieces.flatMap { Array($0) }
    let x = input.values.doubles
    func inputOf(_ sample: Int) -> [Double] { Array(x[sample * inputSize..<(sample + 1) * inputSize]) }
    func loss(_ sample: Int, _ input: [Double], _ parameters: [[Double]]) -> Double {
      dot(reference(input, parameters), upstream[sample * outputSize..<(sample + 1) * outputSize].map(Double.init))
    }
    let parameters = values.map(\.doubles)
    for sample in 0..<batch {
      let outputs = sample * outputSize..<(sample + 1) * outputSize
      let inputs = sample * inputSize..<(sample + 1) * inputSize
      guard samples.contains(sample) else {
        let isUntouched =
          output.values[outputs].allSatisfy { $0 == 55 } && inputGradient.values[inputs].allSatisfy { $0 == 66 }
        XCTAssertTrue(isUntouched, "\(name) wrote a sample it was not asked for")
        continue
      }
      assertClose(
        Array(output.values[outputs]), reference(inputOf(sample), parameters), within: tolerance, magnitude: magnitude,
        "\(name), output")
      assertClose(
        Array(inputGradient.values[inputs]),
        centralDifferences(of: { loss(sample, $0, parameters) }, at: inputOf(sample)), within: tolerance,
        magnitude: magnitude, "\(name), input gradient")
    }
    for (index, parameter) in layer.parameters.enumerated() {
      let differences = centralDifferences(
        of: { moved in
          var all = parameters
          all[index] = moved
          return samples.reduce(0) { $0 + loss($1, inputOf($1), all) }
        }, at: parameters[index])
      let exact = zip(differences, before[index]).map { $0 + Double($1) }
      assertClose(
        copy(parameter.gradients, parameter.count), exact, within: tolerance, magnitude: magnitude,
        "\(name), \(parameter.path)")
    }
    // Without an input gradient the others are the same, and are added once more.
    let once = layer.parameters.map { copy($0.gradients, $0.count) }
    for piece in pieces {
      layer.forward(input.pointer, into: output.pointer, samples: piece, pass: pass)
      layer.backward(input.pointer, outputGradient: outputGradient.pointer, into: nil, samples: piece, pass: pass)
    }
    for (index, parameter) in layer.parameters.enumerated() {
      let twice = zip(once[index], before[index]).map { 2 * Double($0) - Double($1) }
      assertClose(
        copy(parameter.gradients, parameter.count), twice, within: 2e-6, "\(name), \(parameter.path) accumulates")
    }
    withExtendedLifetime(store) {}
  }

  private func copy(_ pointer: UnsafeMutablePointer<Float>, _ count: Int) -> [Float] {
    Array(UnsafeBufferPointer(start: pointer, count: count))
  }
}
