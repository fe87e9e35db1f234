#if KITI_AVX512
  private typealias VectorBlock = InlineArray<16, Vector>
#else
  private typealias VectorBlock = InlineArray<8, Vector>
#endif

/// The transpose of a matrix `[rows, columns]`; rows of the input are `inputStride` apart and those of the output
/// `rowStride`, or contiguous.
///
/// Blocks of as many rows as a vector has numbers, so that whole cache lines are written.
package func transpose(
  _ rows: Int, _ columns: Int, _ input: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>,
  inputStride: Int? = nil, rowStride: Int? = nil
) {
  let (inputStride, outputStride) = (inputStride ?? columns, rowStride ?? rows)
  var i = 0
  while i &+ width <= rows {
    var j = 0
    while j &+ width <= columns {
      transposeBlock(input + (i &* inputStride &+ j), inputStride, output + (j &* outputStride &+ i), outputStride)
      j &+= width
    }
    transposeEdge(i..<i &+ width, j..<columns, inputStride, input, output, outputStride)
    i &+= width
  }
  transposeEdge(i..<rows, 0..<columns, inputStride, input, output, outputStride)
}

/// A square block in registers: each turn interleaves rows that are half a block apart, and after as many turns as
/// doublings make the width, every row holds a column.
@inline(__always)
private func transposeBlock(
  _ input: UnsafePointer<Float>, _ inputStride: Int, _ output: UnsafeMutablePointer<Float>, _ outputStride: Int
) {
  var rows = VectorBlock(repeating: .zero)
  for i in 0..<width { rows[unchecked: i] = load(input + i &* inputStride) }
  var turn = 1
  while turn < width {
    var next = VectorBlock(repeating: .zero)
    for i in 0..<width / 2 {
      let (x, y) = (rows[unchecked: i], rows[unchecked: i &+ width / 2])
      next[unchecked: 2 &* i].evenHalf = x.lowHalf
      next[unchecked: 2 &* i].oddHalf = y.lowHalf
      next[unchecked: 2 &* i &+ 1].evenHalf = x.highHalf
      next[unchecked: 2 &* i &+ 1].oddHalf = y.highHalf
    }
    rows = next
    turn &*= 2
  }
  for i in 0..<width { store(rows[unchecked: i], output + i &* outputStride) }
}

private func transposeEdge(
  _ rows: Range<Int>, _ columns: Range<Int>, _ inputStride: Int, _ input: UnsafePointer<Float>,
  _ output: UnsafeMutablePointer<Float>, _ outputStride: Int
) {
  for j in columns {
    for i in rows { output[j &* outputStride &+ i] = input[i &* inputStride &+ j] }
  }
}
