/// Eigenvalues of a symmetric matrix, from the largest to the smallest, and eigenvectors of length 1 that belong to
/// them.
///
/// Cyclic Jacobi rotations (Golub and Van Loan, *Matrix Computations*, §8.5): as accurate as double precision allows,
/// and for a few dozen rows as quick as it needs to be, without a LAPACK that nothing else would use. O(size³) a sweep,
/// about 8 sweeps.
///
/// - Parameter matrix: `[size, size]`; what is not a number gives results that are not.
package func symmetricEigenvectors(
  _ matrix: [Double], size: Int
) -> (values: [Double], vectors: [[Double]]) {
  precondition(matrix.count == size * size, "a square matrix")
  var a = matrix
  var vectors = (0..<size).map { row in (0..<size).map { $0 == row ? 1.0 : 0 } }
  // Convergence is quadratic: sixty sweeps are never needed, and numbers that are none must not go on for ever.
  for _ in 0..<60 {
    var (offDiagonal, total) = (0.0, 0.0)
    for row in 0..<size {
      for column in 0..<size {
        let square = a[row * size + column] * a[row * size + column]
        total += square
        if row != column { offDiagonal += square }
      }
    }
    guard offDiagonal > total * 1e-30 else { break }
    for p in 0..<size {
      for q in p + 1..<max(size, p + 1) where a[p * size + q] != 0 { rotate(&a, &vectors, size, p, q) }
    }
  }
  let order = (0..<size).sorted { a[$0 * size + $0] > a[$1 * size + $1] }
  return (order.map { a[$0 * size + $0] }, order.map { vectors[$0] })
}

/// Makes element (p, q) zero; `vectors` are the rows of the accumulated rotation.
private func rotate(_ a: inout [Double], _ vectors: inout [[Double]], _ size: Int, _ p: Int, _ q: Int) {
  let ratio = (a[q * size + q] - a[p * size + p]) / (2 * a[p * size + q])
  // The smaller of the two angles.
  let tangent = (ratio < 0 ? -1 : 1) / (abs(ratio) + (ratio * ratio + 1).squareRoot())
  let cosine = 1 / (tangent * tangent + 1).squareRoot()
  let sine = tangent * cosine
  for k in 0..<size {
    let (first, second) = (a[k * size + p], a[k * size + q])
    a[k * size + p] = cosine * first - sine * second
    a[k * size + q] = sine * first + cosine * second
  }
  for k in 0..<size {
    let (first, second) = (a[p * size + k], a[q * size + k])
    a[p * size + k] = cosine * first - sine * second
    a[q * size + k] = sine * first + cosine * second
    let (x, y) = (vectors[p][k], vectors[q][k])
    vectors[p][k] = cosine * x - sine * y
    vectors[q][k] = sine * x + cosine * y
  }
}
