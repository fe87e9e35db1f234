import KitiMPI

/// The relaxation of a homogeneous gas to equilibrium, computed by the collision residual of the training step.
///
/// Every candidate pair is accepted with one probability p (Maxwell molecules). Then each step multiplies the excess of the
/// fourth moment of an isotropic distribution of velocities, ⟨|v|⁴⟩ − (d+2)/d · ⟨|v|²⟩², by 1 − p·(d−1)/(2d): the
/// relaxation that Bobylev (1975) and Krook and Wu (1977) solved in closed form. The excess of a Maxwellian is 0.
///
/// The gas starts as a mixture of two temperatures. Each rank has its share of the particles, in one cell, and its own
/// random stream; moments are over all ranks.
public struct GasRelaxation: Sendable {
  public var dimensions: Int
  /// Over all ranks.
  public var particles: Int
  public var steps: Int
  /// Of the acceptance of a pair.
  public var probability: Double
  public var seed: UInt64

  public init(dimensions: Int, particles: Int = 1_000_000, steps: Int = 8, probability: Double = 1, seed: UInt64 = 1) {
    self.dimensions = dimensions
    self.particles = particles
    self.steps = steps
    self.probability = probability
    self.seed = seed
  }

  /// The gas after a number of steps.
  public struct Moments: Sendable {
    public var step: Int
    /// ⟨|v|²⟩ and ⟨|v|⁴⟩.
    public var second: Double
    public var fourth: Double
    /// ⟨|v|⁴⟩ − (d+2)/d · ⟨|v|²⟩².
    public var excess: Double
    /// What the closed form makes of the excess at the start.
    public var expected: Double
  }

  public struct Result: Sendable {
    public var moments: [Moments]
    /// By least squares over all steps: Σ E_k E_{k+1} / Σ E_k².
    public var measuredFactor: Double
    public var expectedFactor: Double
    /// Accepted over candidate pairs.
    public var collisionRate: Double
    /// |ΔΣv| over n·√⟨v²⟩ and |Δ⟨v²⟩| over ⟨v²⟩, from the start to the end.
    public var momentumDrift: Double
    public var energyDrift: Double

    /// |measured − expected| / expected.
    public var relativeError: Double { abs(measuredFactor - expectedFactor) / expectedFactor }
  }

  /// A tenth of the particles is hot.
  private static let deviations: (hot: Float, cold: Float) = (3, 0.5)

  /// Collective.
  ///
  /// Complexity: O(particles · dimensions) a step, divided by the ranks.
  public func run(communicator: Communicator) throws -> Result {
    let own = particles / communicator.size + (communicator.rank < particles % communicator.size ? 1 : 0)
    let layout = try communicator.agreeing {
      try ParticleLayout.divided(places: own, channels: dimensions, divide: 1, layer: "gas of rank \(communicator.rank)")
    }
    let residual = CollisionResidual(
      layout: layout, options: CollisionOptions(acceptance: .constant, coefficient: probability), name: "gas",
      layerIndex: 0, capacity: 1)
    let velocity = AlignedBuffer<Float>(count: layout.features)
    let position = AlignedBuffer<Float>(count: layout.features)
    RandomStream(seed: seed, stream: UInt64(communicator.rank), domain: .gas).fillNormals(velocity.buffer, at: .init())
    for particle in 0..<own {
      let deviation = particle % 10 == 0 ? Self.deviations.hot : Self.deviations.cold
      for lane in 0..<dimensions { velocity.pointer[particle * dimensions + lane] *= deviation }
    }
    let expectedFactor = 1 - probability * Double(dimensions - 1) / Double(2 * dimensions)
    var (moments, momenta): ([Moments], [[Double]]) = ([], [])
    for step in 0...steps {
      if step > 0 {
        let pass = Pass(isTraining: true, seed: seed, step: UInt64(step), rank: communicator.rank)
        residual.collide(sample: 0, position: position.pointer, velocity: velocity.pointer, pass: pass)
      }
      let sums = try communicator.allreduce(sums(velocity.pointer, count: own), .sum)
      let (second, fourth) = (sums[0] / Double(particles), sums[1] / Double(particles))
      let excess = fourth - Double(dimensions + 2) / Double(dimensions) * second * second
      moments.append(
        Moments(
          step: step, second: second, fourth: fourth, excess: excess,
          expected: moments.last.map { $0.expected * expectedFactor } ?? excess))
      momenta.append(Array(sums[2...]))
    }
    let rates = try communicator.allreduce(
      [residual.statistics.acceptedPairs, residual.statistics.candidatePairs], .sum)
    let change = zip(momenta.first!, momenta.last!).reduce(0) { $0 + ($1.1 - $1.0) * ($1.1 - $1.0) }.squareRoot()
    let (start, end) = (moments.first!, moments.last!)
    return Result(
      moments: moments, measuredFactor: factor(moments), expectedFactor: expectedFactor, collisionRate: rates[0] / rates[1],
      momentumDrift: change / (Double(particles) * start.second.squareRoot()),
      energyDrift: abs(end.second - start.second) / start.second)
  }

  private func factor(_ moments: [Moments]) -> Double {
    let steps = zip(moments, moments.dropFirst())
    return steps.reduce(0) { $0 + $1.0.excess * $1.1.excess } / steps.reduce(0) { $0 + $1.0.excess * $1.0.excess }
  }

  /// Σ|v|², Σ|v|⁴ and Σv of this rank's particles.
  private func sums(_ velocity: UnsafePointer<Float>, count: Int) -> [Double] {
    var result = [Double](repeating: 0, count: 2 + dimensions)
    for particle in 0..<count {
      var square = 0.0
      for lane in 0..<dimensions {
        let value = Double(velocity[particle * dimensions + lane])
        square += value * value
        result[2 + lane] += value
      }
      result[0] += square
      result[1] += square * square
    }
    return result
  }
}
