import KitiMPI

/// A data set of Burgers' equation: initial fields and the fields at a later time, made by all ranks.
///
/// Sample i, counted through the training and then the test samples, is a pure function of (seed, i), resolution,
/// viscosity, grid and end time.
public struct BurgersDataSet: Sendable {
  /// All samples, those for testing included.
  public var samples: Int
  /// The last samples, which form the test split.
  public var testSamples: Int
  /// Points of a sample.
  public var resolution: Int
  /// ν > 0, in units of length² / time.
  public var viscosity: Double
  public var seed: UInt64
  /// Points of the solver's grid; `nil` for `BurgersMaker`'s choice.
  public var gridPoints: Int?
  /// The time of the targets.
  public var endTime: Double

  public init(
    samples: Int, testSamples: Int? = nil, resolution: Int, viscosity: Double = 0.1, seed: UInt64 = 1,
    gridPoints: Int? = nil, endTime: Double = 1
  ) {
    self.samples = samples
    self.testSamples = testSamples ?? max(1, samples / 6)
    self.resolution = resolution
    self.viscosity = viscosity
    self.seed = seed
    self.gridPoints = gridPoints
    self.endTime = endTime
  }

  /// Makes the data set and writes it to a file. Collective.
  ///
  /// - Parameters:
  ///   - path, overwrite, progress: as `FieldDataSetWriter` has them.
  ///   - communicator: the ranks that take part.
  /// - Returns: what the file holds.
  /// - Throws: on all ranks the same `AgreedFailure`, with the errors of `BurgersMaker` and `FieldDataSetWriter.write`.
  @discardableResult
  public func write(
    to path: String, overwrite: Bool, communicator: Communicator = .world,
    progress: (_ written: Int) throws -> Void = { _ in }
  ) throws -> FieldDataSetLayout {
    let (maker, writer) = try communicator.agreeing {
      guard samples >= 2, (1..<samples).contains(testSamples) else {
        throw KitiError(
          .usage, "A data set of \(samples) samples with \(testSamples) of them for testing cannot be made.",
          remedy: "Make at least 2 samples, and leave at least one for training and one for testing.")
      }
      let maker = try BurgersMaker(
        resolution: resolution, viscosity: viscosity, gridPoints: gridPoints, endTime: endTime)
      let writer = try FieldDataSetWriter(
        path: path, layout: layout(gridPoints: maker.solver.gridPoints), communicator: communicator)
      return (maker, writer)
    }
    let normals = AlignedBuffer<Double>(count: maker.field.normalCount)
    try writer.write(overwrite: overwrite, progress: progress) { split, samples, inputs, targets in
      for sample in samples {
        let number = split == .train ? sample : writer.layout.trainCount + sample
        RandomStream(seed: seed, stream: UInt64(number), domain: .dataSet).fillNormals(normals.buffer, at: .init())
        let start = (sample - samples.lowerBound) * resolution
        let points = start..<start + resolution
        try maker.makeSample(
          number, normals: UnsafeBufferPointer(normals.buffer), input: .init(rebasing: inputs[points]),
          target: .init(rebasing: targets[points]))
      }
    }
    return writer.layout
  }

  private func layout(gridPoints: Int) -> FieldDataSetLayout {
    FieldDataSetLayout(
      kind: DataKind.burgers.rawValue,
      source: "Burgers' equation u_t + u u_x = viscosity u_xx on [0, 1), periodic; Gaussian random initial fields "
        + "with covariance 625 (25 - Laplacian)^-2; made by kiti-dist",
      trainCount: samples - testSamples, testCount: testSamples, points: resolution,
      attributes: [
        "endTime": .number(endTime), "gridPoints": .integer(gridPoints), "resolution": .integer(resolution),
        "seed": .unsigned(seed), "viscosity": .number(viscosity),
      ])
  }
}
