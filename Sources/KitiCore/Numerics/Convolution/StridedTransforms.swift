// A tile for a stride of 2: 4 × 4 outputs of 9 × 9 inputs. Maps go along the columns and then along the rows; two rows of a
// result are made at a time, which registers have room for.

extension StridedTile {
  /// Makes the tile from its 9 × 9 inputs.
  @inline(__always)
  func transformInput(_ input: UnsafePointer<Float>, rowStride: Int, wrap: Int) {
    forEachIndex(3) { pair in
      let (first, second) = StridedInputMap.places(pair)
      var (upper, lower) = (Row<5>(), Row<5>())
      forEachIndex(5) { j in
        let column = Column(first: input + 2 &* j &* width, stride: 2 &* rowStride, wrap: wrap)
        (upper.values[unchecked: j], lower.values[unchecked: j]) = StridedInputMap.results(pair, of: column)
      }
      storeInput(upper, at: first)
      if let second { storeInput(lower, at: second) }
      forEachIndex(4) { place in
        let column = Column(first: input + (2 &* place &+ 1) &* width, stride: 2 &* rowStride, wrap: wrap)
        let (a, b) = StridedInputMap.results(pair, of: column)
        store(a, down(first, place: place))
        if let second { store(b, down(second, place: place)) }
      }
    }
    forEachIndex(4) { place in
      let row = input + (2 &* place &+ 1) &* rowStride
      forEachIndex(3) { pair in
        let ((first, second), (a, b)) = (
          StridedInputMap.places(pair), StridedInputMap.results(pair, of: Column(first: row, stride: 2 &* width))
        )
        store(a, across(first, place: place))
        if let second { store(b, across(second, place: place)) }
      }
      forEachIndex(4) { column in store(load(row + (2 &* column &+ 1) &* width), between(place, column)) }
    }
  }

  @inline(__always)
  private func storeInput(_ row: Row<5>, at i: Int) {
    forEachIndex(3) { pair in
      let ((first, second), (a, b)) = (StridedInputMap.places(pair), StridedInputMap.results(pair, of: row))
      store(a, atPoint(i, first))
      if let second { store(b, atPoint(i, second)) }
    }
  }

  /// Makes the tile from the gradients of its 4 × 4 outputs.
  @inline(__always)
  func transformOutputGradient(_ gradient: UnsafePointer<Float>, rowStride: Int) {
    forEachIndex(3) { pair in
      let (first, second) = StridedOutputGradientMap.places(pair)
      var (upper, lower) = (Row<4>(), Row<4>())
      forEachIndex(4) { j in
        let column = Column(first: gradient + j &* width, stride: rowStride)
        (upper.values[unchecked: j], lower.values[unchecked: j]) = StridedOutputGradientMap.results(pair, of: column)
      }
      storeOutputGradient(upper, at: first)
      if let second { storeOutputGradient(lower, at: second) }
    }
    forEachIndex(4) { place in
      let row = gradient + place &* rowStride
      forEachIndex(3) { pair in
        let ((first, second), (a, b)) = (
          StridedOutputGradientMap.places(pair),
          StridedOutputGradientMap.results(pair, of: Column(first: row, stride: width))
        )
        store(a, across(first, place: place))
        if let second { store(b, across(second, place: place)) }
      }
      forEachIndex(4) { column in store(load(row + column &* width), between(place, column)) }
    }
  }

  @inline(__always)
  private func storeOutputGradient(_ row: Row<4>, at i: Int) {
    forEachIndex(3) { pair in
      let ((first, second), (a, b)) = (
        StridedOutputGradientMap.places(pair), StridedOutputGradientMap.results(pair, of: row)
      )
      store(a, atPoint(i, first))
      if let second { store(b, atPoint(i, second)) }
    }
    forEachIndex(4) { place in store(row[place], down(i, place: place)) }
  }

  /// Makes the tile's 4 × 4 outputs.
  @inline(__always)
  func transformOutput(into output: UnsafeMutablePointer<Float>, rowStride: Int) {
    forEachIndex(2) { pair in
      let (first, second) = (StridedOutputMap.places(pair).0, StridedOutputMap.places(pair).1!)
      var (upper, lower) = (Row<5>(), Row<5>())
      forEachIndex(5) { j in
        let column = Column(first: UnsafePointer(atPoint(0, j)), stride: 5 &* singleStride)
        let (a, b) = StridedOutputMap.results(pair, of: column)
        upper.values[unchecked: j] = a + load(across(j, place: first))
        lower.values[unchecked: j] = b + load(across(j, place: second))
      }
      var (above, below) = (Row<4>(), Row<4>())
      forEachIndex(2) { columns in
        let (left, right) = (StridedOutputMap.places(columns).0, StridedOutputMap.places(columns).1!)
        (above.values[unchecked: left], above.values[unchecked: right]) = StridedOutputMap.results(columns, of: upper)
        (below.values[unchecked: left], below.values[unchecked: right]) = StridedOutputMap.results(columns, of: lower)
      }
      forEachIndex(4) { place in
        let column = Column(first: UnsafePointer(down(0, place: place)), stride: fourfoldStride)
        let (a, b) = StridedOutputMap.results(pair, of: column)
        store(
          above.values[unchecked: place] + a + load(between(first, place)),
          output + (first &* rowStride &+ place &* width))
        store(
          below.values[unchecked: place] + b + load(between(second, place)),
          output + (second &* rowStride &+ place &* width))
      }
    }
  }

  /// Makes the gradients of the tile's 9 × 9 inputs. They are added to the first row and, unless the tile is the first in its
  /// row, to the first column, where the neighbours' end; all others are replaced.
  @inline(__always)
  func transformInputGradient(into output: UnsafeMutablePointer<Float>, rowStride: Int, isFirst: Bool) {
    forEachIndex(3) { pair in
      let (first, second) = StridedInputGradientMap.places(pair)
      var (upper, lower) = (Row<5>(), Row<5>())
      forEachIndex(5) { j in
        let column = Column(first: UnsafePointer(atPoint(0, j)), stride: 5 &* singleStride)
        (upper.values[unchecked: j], lower.values[unchecked: j]) = StridedInputGradientMap.results(pair, of: column)
      }
      putInputGradient(upper, output + 2 &* first &* rowStride, isAdded: first == 0, isFirst)
      if let second { putInputGradient(lower, output + 2 &* second &* rowStride, isAdded: false, isFirst) }
      forEachIndex(4) { place in
        let column = Column(first: UnsafePointer(down(0, place: place)), stride: fourfoldStride)
        let (a, b) = StridedInputGradientMap.results(pair, of: column)
        let target = output + (2 &* first &* rowStride &+ (2 &* place &+ 1) &* width)
        store(first == 0 ? load(target) + a : a, target)
        if let second { store(b, output + (2 &* second &* rowStride &+ (2 &* place &+ 1) &* width)) }
      }
    }
    forEachIndex(4) { place in
      let target = output + (2 &* place &+ 1) &* rowStride
      var row = Row<5>()
      forEachIndex(5) { j in row.values[unchecked: j] = load(across(j, place: place)) }
      putInputGradient(row, target, isAdded: false, isFirst)
      forEachIndex(4) { column in store(load(between(place, column)), target + (2 &* column &+ 1) &* width) }
    }
  }

  @inline(__always)
  private func putInputGradient(
    _ row: Row<5>, _ output: UnsafeMutablePointer<Float>, isAdded: Bool, _ isFirst: Bool
  ) {
    forEachIndex(3) { pair in
      let ((first, second), (a, b)) = (
        StridedInputGradientMap.places(pair), StridedInputGradientMap.results(pair, of: row)
      )
      let place = output + 2 &* first &* width
      store(isAdded || first == 0 && !isFirst ? load(place) + a : a, place)
      guard let second else { return }
      let other = output + 2 &* second &* width
      store(isAdded ? load(other) + b : b, other)
    }
  }
}

/// Calls `body` with the numbers below `count`, at most five, unrolled, so that they are known when this is compiled.
@inline(__always)
private func forEachIndex(_ count: Int, _ body: (Int) -> Void) {
  body(0)
  if count > 1 { body(1) }
  if count > 2 { body(2) }
  if count > 3 { body(3) }
  if count > 4 { body(4) }
}
