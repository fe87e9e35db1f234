import COpenBLAS
import KitiCore
import XCTest

/// Products of the sizes that networks have, against a library that many others are tested against.
final class MatrixProductPeerTests: XCTestCase {
  func testProductsAgreeWithOpenBLAS() {
    for (m, n, k) in [(1_024, 64, 64), (64, 64, 1_024), (300, 259, 513), (768, 512, 640)] {
      let a = AlignedBuffer<Float>(count: m * k)
      let b = AlignedBuffer<Float>(count: k * n)
      let c = AlignedBuffer<Float>(count: m * n)
      let stream = RandomStream(seed: 5, stream: UInt64(m), domain: .dataSet)
      stream.fillNormals(a.buffer, at: .init(item: 1))
      stream.fillNormals(b.buffer, at: .init(item: 2))
      stream.fillNormals(c.buffer, at: .init(item: 3))
      var expected = c.buffer.map { Double($0) }
      cblas_dgemm(
        CblasRowMajor, CblasNoTrans, CblasNoTrans, blasint(m), blasint(n), blasint(k), 0.5, a.buffer.map { Double($0) },
        blasint(k), b.buffer.map { Double($0) }, blasint(n), 1, &expected, blasint(n))
      multiply(
        m, n, k, Matrix(a.pointer, rowStride: k), Matrix(b.pointer, rowStride: n), into: c.pointer, rowStride: n,
        start: .accumulate, scale: 0.5)
      // Sums of k products of standard normals: each rounding is at most half an ulp of a partial sum near √k.
      let bound = 1e-6 * Double(k).squareRoot() * 2
      for (found, wanted) in zip(c.buffer, expected) {
        XCTAssertEqual(Double(found), wanted, accuracy: bound, "\(m) × \(n) × \(k)")
        if abs(Double(found) - wanted) > bound { return }
      }
    }
  }
}
