/// Stochastic gradient descent with orthogonalized momentum for the filters of convolutions (Jordan et al. 2024, "Muon: An
/// optimizer for hidden layers in neural networks", kellerjordan.github.io/posts/muon).
///
/// A scale-invariant weight W, read as a matrix `[kernel · kernel · in, out]`, moves by
///
///     M = momentum · M + G,  W' = W − rate · O(G + momentum · M),  W = √out · W' / ‖W'‖,
///
/// where O has the singular vectors of its argument and singular values near √(out / rank), so that ‖O‖ is near √out as
/// well: the learning rate is about the angle by which a weight turns in a step, whatever the size of its gradient. All
/// directions of a layer learn at the same pace. Since a batch norm undoes its length, W is kept at one, as in
/// airbench94_muon (Jordan 2024), in place of weight decay.
///
/// O comes from five steps X = 3.4445 X − 4.7750 X XᵀX + 2.0315 X (XᵀX)², which bring singular values between 0.01 and 1
/// to between 0.68 and 1.14.
///
/// Everything else is left to stochastic gradient descent with Nesterov momentum and a rate of its own.
public final class Muon: Optimizer {
  /// Its velocity is that of the filters, too.
  private let others: StochasticGradientDescent
  private let othersRate: Float
  private let filters: [Filters]
  /// The stretches of the store that are no filters.
  private let rest: [Range<Int>]
  private let product: NewtonSchulz

  /// A weight as a matrix.
  private struct Filters {
    var range: Range<Int>
    var rows: Int
    var columns: Int
    var rank: Int { min(rows, columns) }
  }

  /// - Parameters:
  ///   - momentum: above 0 and below 1.
  ///   - othersRate: how many times the learning rate everything but filters learns with.
  ///   - weightDecay: of everything but filters.
  public init(store: ParameterStore, momentum: Float = 0.9, othersRate: Float = 1, weightDecay: Float = 0) {
    self.othersRate = othersRate
    others = StochasticGradientDescent(
      count: store.count, momentum: momentum, nesterov: true, weightDecay: weightDecay)
    var (filters, rest, end): ([Filters], [Range<Int>], Int) = ([], [], 0)
    for (parameter, range) in zip(store.parameters, store.ranges) where parameter.isScaleInvariant {
      let columns = parameter.shape.last!
      filters.append(Filters(range: range, rows: range.count / columns, columns: columns))
      rest.append(end..<range.lowerBound)
      end = parameter.endInStore
    }
    self.filters = filters
    self.rest = (rest + [end..<store.count]).filter { !$0.isEmpty }
    product = NewtonSchulz(
      count: filters.map(\.range.count).max() ?? 0, rank: filters.map(\.rank).max() ?? 0)
  }

  public var state: [(name: String, buffer: AlignedBuffer<Float>)] { others.state }

  /// - Parameter range: must be the whole store: orthogonal is only a whole matrix.
  public func update(
    values: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>, range: Range<Int>,
    learningRate: Float, step: Int, gradientScale: Float
  ) {
    precondition(range == 0..<others.velocity.count, "a part of the store has parts of matrices")
    for stretch in rest {
      others.update(
        values: values, gradients: gradients, range: stretch, learningRate: learningRate * othersRate, step: step,
        gradientScale: gradientScale)
    }
    for filter in filters {
      let start = filter.range.lowerBound
      update(filter, values + start, gradients + start, others.velocity.pointer + start, learningRate, gradientScale)
    }
  }

  private func update(
    _ filter: Filters, _ values: UnsafeMutablePointer<Float>, _ gradients: UnsafeMutablePointer<Float>,
    _ velocity: UnsafeMutablePointer<Float>, _ learningRate: Float, _ gradientScale: Float
  ) {
    let (count, momentum, direction) = (filter.range.count, others.momentum, product.input)
    forEachRow(0..<count) { at in
      let gradient = load(gradients + at) * gradientScale
      let sum = gradient.addingProduct(load(velocity + at), Vector(repeating: momentum))
      store(sum, velocity + at)
      store(gradient.addingProduct(sum, Vector(repeating: momentum)), direction + at)
      store(Vector(repeating: 0), gradients + at)
    } _: { at in
      let gradient = gradients[at] * gradientScale
      velocity[at] = momentum * velocity[at] + gradient
      direction[at] = gradient + momentum * velocity[at]
      gradients[at] = 0
    }
    let length = Float(filter.columns).squareRoot()
    if let orthogonal = product.orthogonalize(rows: filter.rows, columns: filter.columns) {
      add(
        values, orthogonal, scale: -learningRate * length / Float(filter.rank).squareRoot(), count: count, into: values)
    }
    let old = Float(sumOfSquares(values, count: count).squareRoot())
    if old > 0 { rescale(values, by: length / old, count: count) }
  }
}

/// The polar factor of a matrix, roughly, by products alone.
private struct NewtonSchulz {
  static let steps = 5
  static let coefficients: (Float, Float, Float) = (3.4445, -4.7750, 2.0315)

  private let matrices: (AlignedBuffer<Float>, AlignedBuffer<Float>)
  private let squares: (AlignedBuffer<Float>, AlignedBuffer<Float>)

  /// For matrices of up to `count` numbers and a rank up to `rank`.
  init(count: Int, rank: Int) {
    matrices = (AlignedBuffer(count: count), AlignedBuffer(count: count))
    squares = (AlignedBuffer(count: rank * rank), AlignedBuffer(count: rank * rank))
  }

  /// Where the matrix has to be, row by row.
  var input: UnsafeMutablePointer<Float> { matrices.0.pointer }

  /// - Returns: nil for a matrix of zeros.
  func orthogonalize(rows: Int, columns: Int) -> UnsafePointer<Float>? {
    let (count, rank) = (rows * columns, min(rows, columns))
    var (x, next) = (matrices.0.pointer, matrices.1.pointer)
    let length = Float(sumOfSquares(x, count: count).squareRoot())
    guard length > 0 else { return nil }
    rescale(x, by: 1 / length, count: count)
    let (a, b, c) = Self.coefficients
    let (square, polynomial) = (squares.0.pointer, squares.1.pointer)
    for _ in 0..<Self.steps {
      let matrix = Matrix(UnsafePointer(x), rowStride: columns)
      if rows >= columns {
        multiply(rank, rank, rows, matrix.transposed, matrix, into: square, rowStride: rank)
      } else {
        transpose(rows, columns, x, into: next)
        multiply(rank, rank, columns, matrix, Matrix(UnsafePointer(next), rowStride: rows), into: square, rowStride: rank)
      }
      // b · S + c · S², for S = XᵀX or XXᵀ.
      let gram = Matrix(UnsafePointer(square), rowStride: rank)
      multiply(rank, rank, rank, gram, gram, into: polynomial, rowStride: rank, scale: c)
      add(polynomial, square, scale: b, count: rank * rank, into: polynomial)
      let factor = Matrix(UnsafePointer(polynomial), rowStride: rank)
      if rows >= columns {
        multiply(rows, columns, rank, matrix, factor, into: next, rowStride: columns)
      } else {
        multiply(rows, columns, rank, factor, matrix, into: next, rowStride: columns)
      }
      add(next, x, scale: a, count: count, into: next)
      swap(&x, &next)
    }
    return UnsafePointer(x)
  }
}
