import Foundation
import KitiCore

@main
struct KitiDist {
  static func now() -> Double { var t = timespec(); clock_gettime(CLOCK_MONOTONIC, &t); return Double(t.tv_sec) + Double(t.tv_nsec) * 1e-9 }
  static func main() throws {
    for scheme in [CollisionOptions.Scheme.none, .ntc] {
      let batch = 20, S = 1024
      let model = try FNO1D(shape: .init(points: S), collision: .init(scheme: scheme), divide: 4, capacity: batch)
      let store = ParameterStore(model.parameters, seed: 1)
      let adam = Adam(count: store.count, weightDecay: 1e-4)
      let x = AlignedBuffer<Float>(count: batch * S), t = AlignedBuffer<Float>(count: batch * S), g = AlignedBuffer<Float>(count: batch * S)
      let stream = RandomStream(seed: 3, stream: 0, domain: .dataSet)
      stream.fillNormals(x.buffer, at: .init(item: 1)); stream.fillNormals(t.buffer, at: .init(item: 2))
      var best = 9.0
      var loss = 0.0
      for rep in 0..<5 {
        let t0 = now(); let steps = 5
        var tf = 0.0, tb = 0.0, to = 0.0
        for i in 0..<steps {
          let pass = Pass(isTraining: true, seed: 1, step: UInt64(rep * steps + i))
          let a = now()
          let y = model.forward(x.pointer, batch: batch, pass: pass)
          loss = RelativeL2().sum(prediction: y, target: t.pointer, batch: batch, size: S, scale: 1 / Float(batch), gradient: g.pointer)
          let b = now()
          model.backward(outputGradient: g.pointer, batch: batch, pass: pass, observer: nil)
          let c = now()
          adam.update(values: store.values.pointer, gradients: store.gradients.pointer, range: 0..<store.count, learningRate: 1e-3, step: rep * steps + i + 1, gradientScale: 1)
          tf += b - a; tb += c - b; to += now() - c
        }
        let dt = (now() - t0) / Double(steps)
        best = min(best, dt)
        print(scheme, "ms", dt * 1e3, "samples/s", Double(batch) / dt, "fwd", tf / Double(steps) * 1e3, "bwd", tb / Double(steps) * 1e3, "opt", to / Double(steps) * 1e3, "loss", loss / Double(batch), "rate", model.collisions.map { Double($0.acceptedPairs) / Double($0.candidatePairs) })
      }
    }
  }
}
