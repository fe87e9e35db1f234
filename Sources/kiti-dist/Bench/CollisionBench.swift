import ArgumentParser
import Foundation
import KitiCore
import KitiMPI

struct CollisionBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "collision",
    abstract: "The collision residual alone, forward and backward, at the shapes of the models.",
    discussion: """
      One line a shape and scheme. Positions and velocities are normal numbers; schemes and shapes take turns. stepShare \
      is what collisions add to a training step without them. For fno1d it comes from steps with and without in turns; \
      for a stage of ResNet-18, from the residuals of its two blocks beside steps of the network, batch 32, in turns: the \
      shares of the four stages add up. There ntc runs as in a residual block, which makes its move without collisions \
      first and lets the gradient of the branch stand in for that of the move; that bench resnet18 and resnet20 measure in \
      whole steps, as collisionShare.
      """)

  @Option(help: ArgumentHelp("Turns of every shape and scheme, after a warm-up.", valueName: "n"))
  var rounds = 5

  @Option(help: "Only this scheme: ntc or dense.")
  var scheme: CollisionOptions.Scheme?

  @Option(help: "Only the shapes whose names begin so: fno1d, text, resnet18, resnet18-stage1 and so on.")
  var shape: String?

  @Option(help: "bernoulli or threshold.")
  var decision = CollisionOptions.Decision.bernoulli

  @Flag(help: "JSON lines instead of text.")
  var json = false

  func validate() throws {
    if rounds < 1 { throw ValidationError("--rounds: give at least 1.") }
    if scheme == CollisionOptions.Scheme.none { throw ValidationError("--scheme none: there is nothing to measure.") }
    if let shape, try !shapes().contains(where: { $0.name.hasPrefix(shape) }) {
      throw ValidationError("--shape \(shape): the shapes are \(try shapes().map(\.name).joined(separator: ", ")).")
    }
  }

  /// A model's stage: how its samples are cut into particles.
  private struct Shape {
    var name: String
    var samples: Int
    var layout: ParticleLayout
  }

  private func shapes() throws -> [Shape] {
    var shapes = try [(32, 64, 16), (16, 128, 8), (8, 256, 4), (4, 512, 2)].enumerated().map { stage, size in
      Shape(
        name: "resnet18-stage\(stage + 1)", samples: 32,
        layout: try .divided(places: size.0 * size.0, channels: size.1, divide: size.2, layer: "stage \(stage + 1)"))
    }
    shapes.append(
      Shape(name: "fno1d", samples: 20, layout: try .divided(places: 1_024, channels: 64, divide: 4, layer: "fno1d")))
    // The sample of a token model is a token.
    shapes.append(
      Shape(name: "text", samples: 16 * 128, layout: try .token(features: 384, width: 32, layer: "text")))
    return shapes
  }

  func run() throws {
    let world = try Launch.world()
    let schemes = scheme.map { [$0] } ?? [.ntc, .dense]
    let chosen = try shapes().filter { $0.name.hasPrefix(shape ?? "") }
    let subjects = chosen.flatMap { shape in
      schemes.map { scheme in
        Subject(
          shape.name, shape.layout, samples: shape.samples, scheme: scheme, decision: decision, rank: world.rank)
      }
    }
    let needsResNet = chosen.contains { $0.name.hasPrefix("resnet18") }
    let resNet = needsResNet
      ? try StepBench.resNet(depth: 18, collision: CollisionOptions(scheme: .none), batch: 32, communicator: world, parallel: .init()) : nil
    for subject in subjects { subject.turn() }
    for subject in subjects { subject.reset() }
    try resNet?.run(steps: 1)
    var resNetSeconds: [Double] = []
    for _ in 0..<rounds {
      for subject in subjects { subject.turn() }
      if let resNet { resNetSeconds.append(try resNet.run(steps: 1)) }
    }
    for subject in subjects {
      var share: Double?
      if subject.name == "fno1d" { share = try stepShare(subject.scheme, world) }
      if subject.name.hasPrefix("resnet18") { share = 2 * subject.seconds / median(resNetSeconds) }
      guard world.rank == 0 else { continue }
      let line = subject.line(ranks: world.size, share: share)
      print(json ? line.json : line.table + "\n")
    }
  }

  /// Extra time of a training step with collisions over one without, the median over pairs of steps.
  private func stepShare(_ scheme: CollisionOptions.Scheme, _ world: Communicator) throws -> Double {
    let colliding = try StepBench.fno1d(
      collision: CollisionOptions(scheme: scheme, decision: decision), batch: 20, communicator: world, parallel: .init())
    let plain = try StepBench.fno1d(collision: CollisionOptions(scheme: .none), batch: 20, communicator: world, parallel: .init())
    for bench in [colliding, plain] { try bench.run(steps: 2) }
    return median(try StepTurns(colliding, plain, count: 3 * max(3, rounds)).shares)
  }
}

extension CollisionOptions.Decision: ExpressibleByArgument {}

/// One shape and scheme with a batch of its own.
private final class Subject {
  let name: String
  let scheme: CollisionOptions.Scheme
  private let layout: ParticleLayout
  private let samples: Int
  private let rank: Int
  private let residual: CollisionResidual
  private let position: AlignedBuffer<Float>
  private let start: AlignedBuffer<Float>
  private let velocity: AlignedBuffer<Float>
  /// Whether the residual is used as residual blocks use it, with y in place of the velocities.
  private let collidesInPlace: Bool
  private let scale: AlignedBuffer<Float>
  private let products: AlignedBuffer<Double>
  private var forwardSeconds: [Double] = []
  private var backwardSeconds: [Double] = []
  private var step: UInt64 = 1

  init(
    _ name: String, _ layout: ParticleLayout, samples: Int, scheme: CollisionOptions.Scheme,
    decision: CollisionOptions.Decision, rank: Int
  ) {
    self.name = name
    self.layout = layout
    self.samples = samples
    self.scheme = scheme
    self.rank = rank
    residual = CollisionResidual(
      layout: layout, options: CollisionOptions(scheme: scheme, decision: decision), layerIndex: 0, capacity: samples)
    collidesInPlace = name.hasPrefix("resnet")
    let count = samples * layout.features
    scale = AlignedBuffer(count: 2 * layout.pieceLength)
    for channel in 0..<layout.pieceLength { scale.pointer[channel] = 1 }
    products = AlignedBuffer(count: layout.pieceLength)
    position = AlignedBuffer(count: count)
    start = AlignedBuffer(count: count)
    velocity = AlignedBuffer(count: count)
    let stream = RandomStream(seed: 7, stream: UInt64(rank), domain: .dataSet)
    stream.fillNormals(position.buffer, at: .init(item: 0))
    stream.fillNormals(start.buffer, at: .init(item: 1))
  }

  func reset() {
    forwardSeconds = []
    backwardSeconds = []
    residual.resetCounts()
  }

  /// The batch forward and backward, once.
  func turn() {
    _ = velocity.buffer.update(from: UnsafeBufferPointer(start: start.pointer, count: start.count))
    let pass = Pass(isTraining: true, seed: 1, step: step, rank: rank)
    step += 1
    let begin = MPI.wallTime
    for sample in 0..<samples { collide(sample, pass) }
    let middle = MPI.wallTime
    for sample in 0..<samples { collideBackward(sample, pass) }
    forwardSeconds.append(middle - begin)
    backwardSeconds.append(MPI.wallTime - middle)
  }

  private func collide(_ sample: Int, _ pass: Pass) {
    let offset = sample * layout.features
    guard collidesInPlace, residual.collidesInPlace(pass) else {
      residual.collide(
        sample: sample, position: position.pointer + offset, velocity: velocity.pointer + offset, pass: pass)
      return
    }
    let field = NormalizedValues(
      start.pointer + offset,
      normalization: (UnsafePointer(scale.pointer), UnsafePointer(scale.pointer + layout.pieceLength)))
    residual.collide(
      sample: sample,
      after: ParticleMove(
        position: NormalizedValues(position.pointer + offset), velocity: field, timeStep: 1,
        output: velocity.pointer + offset), pass: pass)
  }

  private func collideBackward(_ sample: Int, _ pass: Pass) {
    let offset = sample * layout.features
    guard collidesInPlace, residual.collidesInPlace(pass) else {
      residual.collideBackward(sample: sample, velocityGradient: velocity.pointer + offset, pass: pass)
      return
    }
    residual.turn(
      sample: sample, gradient: velocity.pointer + offset, times: start.pointer + offset, products: products.pointer)
    residual.restore(sample: sample, gradient: velocity.pointer + offset)
  }

  /// The median batch, forward and backward.
  var seconds: Double { median(forwardSeconds) + median(backwardSeconds) }

  func line(ranks: Int, share: Double?) -> MetricsLine {
    let features = Double(samples * layout.features)
    var line = MetricsLine(kind: "bench")
    line.set("bench", "collision")
    line.set("shape", name)
    line.set("scheme", scheme.rawValue)
    line.set("decision", residual.options.decision.rawValue)
    line.set("samples", samples)
    line.set("particles", layout.count)
    line.set("coordinates", layout.dimensions)
    line.set("forwardNanosecondsPerFeature", median(forwardSeconds) / features * 1e9)
    line.set("backwardNanosecondsPerFeature", median(backwardSeconds) / features * 1e9)
    line.set("msPerStep", seconds * 1e3)
    line.set("workspaceBytes", residual.workspaceBytes)
    line.set("workspaceBytesPerSample", residual.workspaceBytes / samples)
    line.set("collisionRate", Double(residual.acceptedPairs) / Double(max(1, residual.candidatePairs)))
    if let share { line.set("stepShare", share) }
    line.set("ranks", ranks)
    line.set("threads", 1)
    line.set("instructionSet", InstructionSet.name)
    line.set("peakMiB", peakMemory())
    return line
  }
}
