import KitiHDF5

/// How far the channels of a layer have condensed: whether the weights that lead to them point into few directions, and
/// whether few of them hold most of the weight (Luo et al. 2021, arXiv 2007.07497; for convolutions Zhou et al. 2023,
/// arXiv 2305.09947; for collision residuals arXiv 2505.17919).
///
/// Channel n of weights `[…, out]` is the vector w_n of all `inputs` numbers that lead to output n. Cosines are
/// D(m, n) = w_m·w_n / (|w_m| |w_n|). Channels whose weights are all zero have no direction: they count as channels only.
public struct LayerCondensation: Sendable {
  /// Of the weights in the checkpoint: `stages/0/1/convolution1/weight`.
  public let path: String
  /// Outputs.
  public let channels: Int
  /// Numbers that lead to each of them.
  public let inputs: Int
  /// Channels that have a direction.
  public let directed: Int
  /// Mean of |D(m, n)| over pairs of channels.
  public let similarity: Double
  /// Share of the pairs with |D(m, n)| of at least `alignedFrom`.
  public let alignedPairs: Double
  /// Effective number of directions: the participation ratio of the eigenvalues of D, N²/ΣD(m, n)². 1 if all channels
  /// lie on one line, `directed` if no two have anything in common.
  public let directions: Double
  /// The least number of channels that together have nine tenths of Σ|w_n|².
  public let dominantChannels: Int
  /// D, `[directed, directed]`, in an order in which similar channels are neighbours.
  public let cosines: [Float]
  /// Which channel a row of `cosines` is.
  public let order: [Int]

  public static let alignedFrom: Float = 0.9
  /// Of Σ|w_n|², what the dominant channels have.
  public static let dominantShare = 0.9

  /// What `similarity` is on average for independent directions that are uniformly random: Γ(K/2) / (√π Γ((K+1)/2)) with
  /// K inputs, which is about √(2/(πK)).
  public var similarityByChance: Double {
    // Γ(K/2)/Γ((K+1)/2), from K = 1 or 2 on by Γ(x+1) = x·Γ(x).
    var (ratio, k) = inputs % 2 == 1 ? (Double.pi.squareRoot(), 1.0) : (2 / Double.pi.squareRoot(), 2.0)
    while Int(k) < inputs {
      ratio *= k / (k + 1)
      k += 2
    }
    return ratio / Double.pi.squareRoot()
  }

  /// `directions` with the mean of D² for such directions, 1/inputs.
  public var directionsByChance: Double { Double(directed) / (1 + Double(directed - 1) / Double(inputs)) }

  /// - Parameter weights: `[inputs, channels]`, finite.
  /// - Returns: nil where fewer than two channels have a direction.
  package init?(path: String, weights: [Float], inputs: Int, channels: Int) {
    precondition(weights.count == inputs * channels, "\(path) is [inputs, channels]")
    var squares = [Double](repeating: 0, count: channels)
    for row in 0..<inputs {
      for channel in 0..<channels {
        let weight = Double(weights[row * channels + channel])
        squares[channel] += weight * weight
      }
    }
    let directed = (0..<channels).filter { squares[$0] > 0 }
    let count = directed.count
    guard count > 1 else { return nil }
    // Unit vectors as rows: lengths are taken in double precision, so that no product can overflow.
    let units = AlignedBuffer<Float>(count: count * inputs)
    for (place, channel) in directed.enumerated() {
      let scale = 1 / squares[channel].squareRoot()
      for row in 0..<inputs {
        units.pointer[place * inputs + row] = Float(Double(weights[row * channels + channel]) * scale)
      }
    }
    let products = AlignedBuffer<Float>(count: count * count)
    let rows = Matrix(units.pointer, rowStride: inputs)
    multiply(count, count, inputs, rows, rows.transposed, into: products.pointer, rowStride: count)
    func cosine(_ m: Int, _ n: Int) -> Float { min(1, max(-1, products.pointer[m * count + n])) }
    var (sum, squaredSum, aligned) = (0.0, Double(count), 0)
    for m in 0..<count {
      for n in m + 1..<max(count, m + 1) {
        let size = abs(cosine(m, n))
        sum += Double(size)
        squaredSum += 2 * Double(size) * Double(size)
        if size >= Self.alignedFrom { aligned += 1 }
      }
    }
    let pairs = Double(count * (count - 1) / 2)
    let chain = Self.chain(count, cosine)
    self.path = path
    self.channels = channels
    self.inputs = inputs
    self.directed = count
    similarity = sum / pairs
    alignedPairs = Double(aligned) / pairs
    directions = Double(count) * Double(count) / squaredSum
    dominantChannels = Self.dominant(squares)
    order = chain.map { directed[$0] }
    cosines = chain.flatMap { m in chain.map { n in m == n ? 1 : cosine(m, n) } }
  }

  private static func dominant(_ squares: [Double]) -> Int {
    let enough = dominantShare * squares.reduce(0, +)
    var (sum, count) = (0.0, 0)
    for square in squares.sorted(by: >) where sum < enough {
      sum += square
      count += 1
    }
    return count
  }

  /// All of `0 ..< count`, each followed by the one most like it of those that are left.
  private static func chain(_ count: Int, _ cosine: (Int, Int) -> Float) -> [Int] {
    // From the end of a group rather than its middle: the channel that has the least in common with all others.
    let likeness = (0..<count).map { m in (0..<count).reduce(0.0) { $0 + Double(abs(cosine(m, $1))) } }
    var last = likeness.indices.min { likeness[$0] < likeness[$1] }!
    var left = Set(0..<count)
    left.remove(last)
    var chain = [last]
    while !left.isEmpty {
      // Of equals the first, whatever the order of the set.
      last = left.min { (-abs(cosine(last, $0)), $0) < (-abs(cosine(last, $1)), $1) }!
      left.remove(last)
      chain.append(last)
    }
    return chain
  }
}

extension Checkpoint {
  /// How far each layer of a model has condensed, in the order of the layers' paths: of all weights with two axes or more
  /// that lead from two inputs or more to two channels or more.
  ///
  /// Every byte of the file is checked before. In this process alone.
  /// - Throws: `KitiError`: `.badData` if the file is no checkpoint or damaged, or weights are not finite; `.usage` if there
  ///   is no such file.
  public static func condensation(_ path: String) throws -> (state: TrainingState, layers: [LayerCondensation]) {
    _ = try CheckpointIntegrity.check(path)
    do {
      let file = try HDF5File.open(path)
      defer { try? file.close() }
      let header = try CheckpointHeader(from: file.root)
      var layers: [LayerCondensation] = []
      for dataSet in try CheckpointTree.dataSets(in: try file.root.group(CheckpointArrays.model)) {
        let shape = dataSet.shape
        guard dataSet.kind == .float32, shape.count > 1, let channels = shape.last, channels > 1 else { continue }
        let inputs = shape.dropLast().reduce(1, *)
        guard inputs > 1 else { continue }
        let weights: [Float] = try dataSet.read()
        guard weights.allSatisfy(\.isFinite) else {
          throw KitiError(
            .badData, "\(path): the weights \(dataSet.path) hold numbers that are not finite, which have no direction.",
            remedy: "Take a checkpoint from before: 'kiti-dist inspect' shows which arrays are finite.")
        }
        let name = String(dataSet.path.dropFirst(CheckpointArrays.model.count + 1))
        if let layer = LayerCondensation(path: name, weights: weights, inputs: inputs, channels: channels) {
          layers.append(layer)
        }
      }
      return (header.state, layers)
    } catch let error as HDF5Error {
      throw CheckpointIntegrity.error(error, path)
    }
  }
}
