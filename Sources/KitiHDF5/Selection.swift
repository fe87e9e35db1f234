import CHDF5

/// Which elements of a data set a transfer moves, in row-major order.
public enum Selection: Sendable, Equatable {
  case all
  /// Nothing: for ranks that must take part in a collective transfer without having anything to move.
  case nothing
  /// All of some positions of the first axis: the samples of a batch, say. Allocates nothing.
  case rows(Range<Int>)
  /// A hyperslab: `count[i]` positions along each axis, from `start[i]`, `stride[i]` apart (1 unless told).
  case slab(start: [Int], count: [Int], stride: [Int]? = nil)
}

/// Whether the ranks of a parallel file move their parts one by one or together.
public enum Transfer: Sendable, Equatable {
  case independent
  /// All ranks of the file's communicator make the call, `.nothing` included. The same as `.independent` in
  /// files of one process.
  case collective
}

/// A selection in the library's numbers, and its division into pieces that one call may move.
///
/// Keeps its storage from call to call: reading batches allocates nothing here.
struct SlabPlan: ~Copyable {
  private let rank: Int
  private let numbers: UnsafeMutablePointer<hsize_t>

  /// The hyperslab as it was asked for.
  private var start: UnsafeMutablePointer<hsize_t> { numbers }
  private var count: UnsafeMutablePointer<hsize_t> { numbers + rank }
  var stride: UnsafeMutablePointer<hsize_t> { numbers + 2 * rank }
  /// The current piece of it.
  var pieceStart: UnsafeMutablePointer<hsize_t> { numbers + 3 * rank }
  var pieceCount: UnsafeMutablePointer<hsize_t> { numbers + 4 * rank }

  private(set) var elementCount = 0
  /// How many pieces the selection has; 0 when it is empty.
  private(set) var pieceCountTotal = 0
  /// Pieces take `rowsPerPiece` positions along this axis, one along those before and all along those after.
  private var splitAxis = 0
  private var rowsPerPiece = 1
  private var piecesAlongAxis = 1

  init(rank: Int) {
    self.rank = rank
    numbers = .allocate(capacity: 5 * rank)
    numbers.initialize(repeating: 0, count: 5 * rank)
  }

  deinit { numbers.deallocate() }

  /// Takes over a selection. Returns what is wrong with it, if anything is.
  mutating func set(_ selection: Selection, shape: [Int]) -> (code: HDF5Error.Code, message: String)? {
    elementCount = 0
    pieceCountTotal = 0
    switch selection {
    case .nothing:
      return nil
    case .all:
      for axis in 0..<rank { setAxis(axis, 0, shape[axis], 1) }
    case .rows(let rows):
      guard rank > 0 else { return (.wrongShape, "rows were asked of a data set that holds one scalar.") }
      guard rows.lowerBound >= 0, rows.upperBound <= shape[0] else {
        return (.outOfBounds, "rows \(rows) were asked for, and there are \(shape[0]) (shape \(shape)).")
      }
      for axis in 0..<rank { setAxis(axis, 0, shape[axis], 1) }
      setAxis(0, rows.lowerBound, rows.count, 1)
    case .slab(let start, let count, let stride):
      guard start.count == rank, count.count == rank, stride == nil || stride!.count == rank else {
        let strides = stride.map { ", stride of rank \($0.count)" } ?? ""
        return (
          .wrongShape,
          "a hyperslab with start of rank \(start.count), count of rank \(count.count)\(strides) was asked for, "
            + "and the data set has rank \(rank) (shape \(shape))."
        )
      }
      for axis in 0..<rank {
        let step = stride?[axis] ?? 1
        guard start[axis] >= 0, count[axis] >= 0, step >= 1,
          Self.fits(start[axis], count[axis], step, shape[axis])
        else {
          return (
            .outOfBounds,
            "a hyperslab with start \(start), count \(count), stride \(stride.map { "\($0)" } ?? "1") was asked for, "
              + "and it leaves the shape \(shape) along axis \(axis)."
          )
        }
        setAxis(axis, start[axis], count[axis], step)
      }
    }
    elementCount = 1
    for axis in 0..<rank { elementCount *= Int(count[axis]) }
    return nil
  }

  private func setAxis(_ axis: Int, _ from: Int, _ positions: Int, _ step: Int) {
    start[axis] = hsize_t(from)
    count[axis] = hsize_t(positions)
    // A stride means nothing to a single position, and the library moves unit strides faster.
    stride[axis] = hsize_t(positions > 1 ? step : 1)
  }

  /// Whether `count` positions from `start`, `step` apart, lie below `extent`, for any numbers.
  private static func fits(_ start: Int, _ count: Int, _ step: Int, _ extent: Int) -> Bool {
    guard count > 0 else { return start <= extent }
    let (distance, overflow) = (count - 1).multipliedReportingOverflow(by: step)
    guard !overflow else { return false }
    let (last, beyond) = start.addingReportingOverflow(distance)
    return !beyond && last < extent
  }

  /// Divides the selection into pieces of at most `limit` bytes (or one element, if that is more).
  mutating func divide(elementBytes: Int, limit: Int) {
    guard elementCount > 0 else { return }
    var bytes = elementCount * elementBytes
    guard bytes > limit, rank > 0 else {
      (splitAxis, rowsPerPiece, piecesAlongAxis, pieceCountTotal) = (0, rank > 0 ? Int(count[0]) : 1, 1, 1)
      return
    }
    var outer = 1
    for axis in 0..<rank {
      let positions = Int(count[axis])
      bytes /= positions
      if bytes <= limit || axis == rank - 1 {
        splitAxis = axis
        rowsPerPiece = Swift.max(1, limit / bytes)
        piecesAlongAxis = (positions + rowsPerPiece - 1) / rowsPerPiece
        pieceCountTotal = outer * piecesAlongAxis
        return
      }
      outer *= positions
    }
  }

  /// Makes piece `index` the current one and returns its number of elements. Pieces are in row-major order.
  func setPiece(_ index: Int) -> Int {
    var elements = 1
    var outer = index / piecesAlongAxis
    for axis in (0..<rank).reversed() {
      let position: Int
      if axis > splitAxis {
        position = 0
        pieceCount[axis] = count[axis]
      } else if axis == splitAxis {
        position = (index % piecesAlongAxis) * rowsPerPiece
        pieceCount[axis] = hsize_t(Swift.min(rowsPerPiece, Int(count[axis]) - position))
      } else {
        position = outer % Int(count[axis])
        outer /= Int(count[axis])
        pieceCount[axis] = 1
      }
      pieceStart[axis] = start[axis] + hsize_t(position) * stride[axis]
      elements *= Int(pieceCount[axis])
    }
    return elements
  }
}
