/// The collision step of a residual block: velocities of pairs of particles are scattered elastically before the particles
/// move (arXiv 2505.17919; the collision step after Bird 1994, §11.1).
///
/// Positions x are the block's input or its shortcut, velocities v its branch; both are one sample of `layout.features`
/// numbers. `collide` changes v in place (with `midpoint` x as well), the block then adds x + v·dt itself, in one pass with
/// what follows. In evaluation, and with scheme `none`, nothing collides.
///
/// For a candidate pair with distance r and relative speed s, p = coefficient · (s / s_max) · exp(−r/ℓ). An accepted pair
/// keeps its centre velocity c and takes the velocities c ± (s/2)·e, e a uniformly random direction: momentum and
/// kinetic energy are kept.
public final class CollisionResidual: @unchecked Sendable {
  public let layout: ParticleLayout
  public let options: CollisionOptions
  /// Path of the block in the model.
  public let name: String
  /// The coefficient now: that of the options, unless a schedule sets it.
  public var coefficient: Double
  /// ℓ is the length scale of the options times this; 1 unless a controller sets it.
  public var lengthFactor = 1.0
  /// Since the last `resetCounts`.
  public internal(set) var statistics = CollisionStatistics()

  /// The drifts of momentum and energy are measured on one sample every so many steps.
  public static let driftInterval: UInt64 = 10

  let engine: (any CollisionEngine)?
  /// The engine of `ntc`.
  let matching: MatchingCollisions?
  private let layerIndex: UInt32
  /// The rank's stream, and one that all samples of a step share, on every rank.
  private var streams: (seed: UInt64, rank: Int, own: RandomStream, shared: RandomStream)?
  private let momentum: AlignedBuffer<Double>

  /// - Parameters:
  ///   - name: path of the block in the model.
  ///   - layerIndex: which collision layer of the model this is: part of its random streams.
  ///   - capacity: the largest batch.
  public init(layout: ParticleLayout, options: CollisionOptions, name: String = "", layerIndex: Int, capacity: Int) {
    self.layout = layout
    self.options = options
    self.name = name
    self.layerIndex = UInt32(layerIndex)
    coefficient = options.coefficient
    matching =
      options.scheme == .ntc ? MatchingCollisions(layout: layout, options: options, capacity: capacity) : nil
    engine =
      options.scheme == .dense ? DenseCollisions(layout: layout, options: options, capacity: capacity) : matching
    momentum = AlignedBuffer(count: engine == nil ? 0 : layout.dimensions)
  }

  /// Bytes of workspace; a sample takes O(n·d) with `ntc` and O(n² + n·d) with `dense`.
  public var workspaceBytes: Int { (engine?.workspaceBytes ?? 0) + momentum.byteCount }

  public var candidatesPerSample: Int { engine?.candidatesPerSample ?? 0 }

  /// Candidate and accepted pairs since the last `resetCounts`.
  public var candidatePairs: Int { Int(statistics.candidatePairs) }
  public var acceptedPairs: Int { Int(statistics.acceptedPairs) }

  public func resetCounts() { statistics = CollisionStatistics() }

  /// Whether `collide` does anything in this pass.
  public func isActive(_ pass: Pass) -> Bool { pass.isTraining && engine != nil }

  /// Whether `collide` changes positions in this pass.
  public func movesPositions(_ pass: Pass) -> Bool { isActive(pass) && options.midpoint }

  /// Lets the particles of one sample collide.
  ///
  /// - Parameters:
  ///   - sample: position in the batch; the backward pass asks for it by this number.
  ///   - position: x of this sample; changed with `midpoint` only.
  ///   - velocity: v of this sample, replaced by v'.
  public func collide(
    sample: Int, position: UnsafeMutablePointer<Float>, velocity: UnsafeMutablePointer<Float>, pass: Pass
  ) {
    _ = collide(sample: sample, position: position, pass: pass) { velocity }
  }

  /// As `collide(sample:position:velocity:pass:)`, with velocities that are made after what needs positions alone is
  /// done: just made, positions are in the cache.
  ///
  /// - Parameter makeVelocity: makes v of this sample; called once in every pass.
  /// - Returns: where v lay and v' lies.
  func collide(
    sample: Int, position: UnsafeMutablePointer<Float>, pass: Pass,
    _ makeVelocity: () -> UnsafeMutablePointer<Float>
  ) -> UnsafeMutablePointer<Float> {
    guard pass.isTraining, let engine else { return makeVelocity() }
    let measuresDrift = measuresDrift(sample, pass)
    var velocity = position
    var energy = 0.0
    engine.collide(
      sample: sample, position: position, draws: draws(sample: sample, pass: pass), strength: strength,
      statistics: &statistics
    ) {
      velocity = makeVelocity()
      if measuresDrift { energy = recordMomentum(velocity) }
      return velocity
    }
    if measuresDrift { measureDrift(velocity, energy: energy) }
    return velocity
  }

  /// Turns the gradient with respect to v' into the gradient with respect to v, in place.
  public func collideBackward(sample: Int, velocityGradient: UnsafeMutablePointer<Float>, pass: Pass) {
    guard pass.isTraining, let engine else { return }
    engine.collideBackward(
      sample: sample, velocityGradient: velocityGradient, draws: draws(sample: sample, pass: pass))
  }

  /// Turns the gradient with respect to the positions from which the move starts into the gradient with respect to x, in
  /// place. They are the same where `movesPositions` is false.
  public func collideBackward(sample: Int, positionGradient: UnsafeMutablePointer<Float>, pass: Pass) {
    guard movesPositions(pass), let engine else { return }
    engine.midpointBackward(sample: sample, positionGradient: positionGradient)
  }

  var strength: CollisionStrength {
    CollisionStrength(coefficient: Float(coefficient), lengthFactor: lengthFactor)
  }

  func measuresDrift(_ sample: Int, _ pass: Pass) -> Bool {
    sample == 0 && pass.firstSample == 0 && pass.step % Self.driftInterval == 0
  }

  func draws(sample: Int, pass: Pass) -> CollisionDraws {
    let step = UInt32(truncatingIfNeeded: pass.step)
    if streams?.seed != pass.seed || streams?.rank != pass.rank {
      streams = (
        pass.seed, pass.rank,
        RandomStream(seed: pass.seed, stream: UInt64(pass.rank), domain: .collision, index: layerIndex),
        RandomStream(seed: pass.seed, stream: .max, domain: .collision, index: layerIndex | 0x8000_0000)
      )
    }
    let (_, _, own, shared) = streams!
    guard options.streams == .sample else {
      let sample = UInt32(truncatingIfNeeded: pass.firstSample &+ sample)
      return CollisionDraws(stream: own, shared: shared, address: .init(step: step, sample: sample))
    }
    guard let indices = pass.sampleIndices else {
      preconditionFailure("streams: sample needs the samples' indices in the data set, and this pass has none")
    }
    let stream = RandomStream(
      seed: pass.seed, stream: UInt64(indices[sample]), domain: .collision, index: layerIndex | 0x8000_0000)
    return CollisionDraws(stream: stream, shared: shared, address: .init(step: step, sample: 0))
  }

  // MARK: - Drift

  /// Keeps Σv of each coordinate and returns Σv².
  func recordMomentum(_ velocity: UnsafePointer<Float>) -> Double {
    momentum.buffer.update(repeating: 0)
    return sum(velocity, sign: -1)
  }

  func measureDrift(_ velocity: UnsafePointer<Float>, energy: Double) {
    let after = sum(velocity, sign: 1)
    var change = 0.0
    for coordinate in 0..<momentum.count { change += momentum.pointer[coordinate] * momentum.pointer[coordinate] }
    guard energy > 0, after.isFinite else { return }
    statistics.measuredSamples += 1
    // Relative to what the momenta would be if all particles moved one way.
    statistics.momentumDrift += (change / (Double(layout.count) * energy)).squareRoot()
    statistics.energyDrift += abs(after - energy) / energy
  }

  /// Adds sign · Σv to the momentum and returns Σv².
  private func sum(_ velocity: UnsafePointer<Float>, sign: Double) -> Double {
    typealias Lanes = SIMD8<Double>
    var energy = Lanes(repeating: 0)
    var tail = 0.0
    for piece in 0..<layout.pieces {
      let total = momentum.pointer + piece &* layout.pieceLength
      for particle in 0..<layout.count {
        let run = velocity + (particle &* layout.particleStride &+ piece &* layout.pieceStride)
        var lane = 0
        while lane &+ Lanes.scalarCount <= layout.pieceLength {
          let value = Lanes(UnsafeRawPointer(run + lane).loadUnaligned(as: SIMD8<Float>.self))
          let place = UnsafeMutableRawPointer(total + lane)
          place.storeBytes(of: place.loadUnaligned(as: Lanes.self) + value * sign, as: Lanes.self)
          energy += value * value
          lane &+= Lanes.scalarCount
        }
        while lane < layout.pieceLength {
          let value = Double(run[lane])
          total[lane] += sign * value
          tail += value * value
          lane &+= 1
        }
      }
    }
    return energy.sum() + tail
  }
}

/// Where a sample's random numbers come from in one step of one layer.
struct CollisionDraws {
  var stream: RandomStream
  /// What all samples of the step draw the same from.
  var shared: RandomStream
  var address: RandomStream.Address

  /// Fills `normal` with the random normal vector of a pair, whose direction is the pair's, and returns its length.
  func direction(_ item: Int, _ normal: UnsafeMutablePointer<Float>, count: Int) -> Float {
    var at = address
    at.item = UInt32(truncatingIfNeeded: item)
    let length = stream.fillNormals(UnsafeMutableBufferPointer(start: normal, count: count), at: at).squareRoot()
    if length > 0 || count == 0 { return length }
    // In one dimension a normal number can round to zero; a direction is needed all the same.
    normal[0] = 1
    return 1
  }
}

/// What schedules and controllers may change from step to step.
struct CollisionStrength {
  var coefficient: Float
  var lengthFactor: Double
}

/// A scheme at work: it keeps what its backward pass needs of every sample of a batch.
protocol CollisionEngine: AnyObject {
  var candidatesPerSample: Int { get }
  var workspaceBytes: Int { get }

  /// - Parameter velocity: makes v, once.
  func collide(
    sample: Int, position: UnsafeMutablePointer<Float>, draws: CollisionDraws, strength: CollisionStrength,
    statistics: inout CollisionStatistics, velocity: () -> UnsafeMutablePointer<Float>)

  /// - Parameter draws: those of the forward pass.
  func collideBackward(sample: Int, velocityGradient: UnsafeMutablePointer<Float>, draws: CollisionDraws)

  /// The transpose of what `midpoint` does to the positions.
  func midpointBackward(sample: Int, positionGradient: UnsafeMutablePointer<Float>)

  /// Pairs of the sample that collided last, each with the probability that decided.
  var candidates: [(first: Int, second: Int, probability: Float)] { get }

  /// The pairs of a sample that collided in the last forward pass, each with its unit vector e: v_i' = c + s/2 · e.
  func collisions(sample: Int, draws: CollisionDraws) -> [(first: Int, second: Int, direction: [Float])]

  /// Lets the given pairs of one sample collide along the given vectors.
  func collide(
    sample: Int, pairs: [(first: Int, second: Int)], normals: [[Float]], position: UnsafeMutablePointer<Float>,
    velocity: UnsafeMutablePointer<Float>)
}

// MARK: - Inspection

extension CollisionResidual {
  /// Candidate pairs of the sample that collided last, each with the probability of its acceptance (with `threshold`,
  /// what is compared with 1 − coefficient).
  package var candidates: [(first: Int, second: Int, probability: Float)] { engine?.candidates ?? [] }

  /// The pairs of a sample that collided in the last forward pass, each with its unit vector e: v_i' = c + s/2 · e.
  package func collisions(
    sample: Int, pass: Pass = Pass(isTraining: true)
  ) -> [(first: Int, second: Int, direction: [Float])] {
    engine?.collisions(sample: sample, draws: draws(sample: sample, pass: pass)) ?? []
  }

  /// Lets the given pairs of one sample collide instead of drawn ones, each along its vector of any length above 0;
  /// `collideBackward` then belongs to them.
  package func collide(
    sample: Int, pairs: [(first: Int, second: Int)], normals: [[Float]], position: UnsafeMutablePointer<Float>,
    velocity: UnsafeMutablePointer<Float>
  ) {
    engine?.collide(sample: sample, pairs: pairs, normals: normals, position: position, velocity: velocity)
  }
}
